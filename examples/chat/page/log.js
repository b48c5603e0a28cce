// The lines, oldest first: stored messages by seq, then the own messages that are being
// sent. Day lines and groups are updated when lines are added or removed.

import { dayOf } from "./clock.js";
import { dayLine, messageLine, noticeLine, renameDay, settleLine, unreadLine } from "./line.js";

/** @typedef {import("./wire.js").Message} Message */
/** @typedef {import("./wire.js").Who} Who */
/** @typedef {import("./outbox.js").Pending} Pending */

const TOGETHER = 5 * 60_000; // messages of one person within this time form a group
const MOST = 1000;           // lines in the page; older ones can be loaded again

export class Log {
  #list;
  #isOwn;
  /** @type {Map<string, HTMLElement>} */ #pending = new Map();
  #unread = unreadLine();

  /** The seq of the last message that was added. Messages up to it are not added again. */
  last = 0;

  /**
   * @param {HTMLElement} list
   * @param {(who: Who) => boolean} isOwn
   */
  constructor(list, isOwn) {
    this.#list = list;
    this.#isOwn = isOwn;
  }

  /** The seq of the first message that is shown, or 0. */
  get first() {
    return Number(this.#first?.dataset.seq ?? 0);
  }

  get empty() {
    return this.#list.childElementCount === 0;
  }

  get unread() {
    return this.#unread;
  }

  /** Removes all lines except the messages that are being sent. */
  clear() {
    this.#list.replaceChildren(...this.#pending.values());
    this.last = 0;
    this.#settleAll();
  }

  /**
   * Adds a message at the end. An own message replaces the line that was being sent.
   * @param {Message} message
   * @returns {boolean} whether it is new
   */
  append(message) {
    const waiting = this.#pending.get(message.tag ?? "");
    if (message.seq <= this.last) {
      this.withdraw(message.tag);
      return false;
    }
    this.last = message.seq;
    const line = waiting ?? messageLine(message, this.#isOwn(message.from));
    if (waiting) {
      this.#pending.delete(message.tag ?? "");
      settleLine(line, message);
    }
    const next = this.#firstPending;
    // Screen readers would read a moved line again.
    if (!waiting || (next && isBefore(next, line))) this.#list.insertBefore(line, next);
    this.#settle(line);
    this.#settle(messageAfter(line));
    return true;
  }

  /** Adds older messages at the start, oldest first. @param {Message[]} messages */
  prepend(messages) {
    const first = this.first || Infinity;
    const lines = messages.filter((m) => m.seq < first).map((m) => messageLine(m, this.#isOwn(m.from)));
    this.#list.prepend(...lines);
    lines.forEach((line) => this.#settle(line));
    this.#settle(messageAfter(lines.at(-1)));
  }

  /** Adds or updates a message that is being sent. @param {Pending} pending @param {Who} me */
  send(pending, me) {
    if (this.#pending.has(pending.tag)) return;
    const line = messageLine({ ...pending, from: me }, true);
    this.#pending.set(pending.tag, line);
    this.#list.append(line);
    this.#settle(line);
  }

  /** Removes a message that is no longer being sent. @param {string | undefined} tag */
  withdraw(tag = "") {
    const line = this.#pending.get(tag);
    if (!line) return;
    const next = messageAfter(line);
    this.#pending.delete(tag);
    line.remove();
    this.#settle(next);
  }

  /**
   * Adds a line without an author.
   * @param {string} text
   * @param {"foreign" | "presence"} kind
   * @param {string} [id] the person it is about: of consecutive notices about one person only the last stays
   */
  notice(text, kind, id = "") {
    const line = noticeLine(text, kind);
    const next = this.#firstPending;
    if (id) this.#forget(id, next ? next.previousElementSibling : this.#list.lastElementChild);
    line.dataset.about = id;
    line.dataset.at = String(Date.now());
    this.#list.insertBefore(line, next);
    this.#settle(next);
  }

  /** @param {string} id @param {Element | null} from and upwards */
  #forget(id, from) {
    for (let line = from; line instanceof HTMLElement && line.classList.contains("presence");) {
      const above = line.previousElementSibling;
      if (line.dataset.about === id) line.remove();
      line = above;
    }
  }

  /**
   * Puts the divider before the first message of another person after seq.
   * @param {number} seq
   */
  divide(seq) {
    const after = messageAfter(this.#unread);
    this.#unread.remove();
    this.#settle(after);
    for (const line of this.#list.querySelectorAll("li.message[data-seq]:not(.own)")) {
      if (!(line instanceof HTMLElement) || Number(line.dataset.seq) <= seq) continue;
      this.#list.insertBefore(this.#unread, line);
      this.#settle(line);
      return;
    }
  }

  /** Removes the divider. */
  join() {
    this.divide(Infinity);
  }

  /** Returns the number of other people's messages after seq. @param {number} seq */
  countAfter(seq) {
    let n = 0;
    for (let line = this.#list.lastElementChild; line instanceof HTMLElement; line = line.previousElementSibling) {
      if (!line.dataset.seq || line.matches(".own")) continue;
      if (Number(line.dataset.seq) <= seq) break;
      n++;
    }
    return n;
  }

  /** Removes the oldest lines if there are too many. @returns {boolean} whether it has removed any */
  prune() {
    const spare = this.#list.childElementCount - MOST;
    if (spare <= 0) return false;
    for (let i = 0; i < spare; i++) this.#list.firstElementChild?.remove();
    this.#settle(this.#first);
    return true;
  }

  /** @returns {HTMLElement | null} */
  get #first() {
    return this.#list.querySelector("li.message[data-seq]");
  }

  /** @returns {HTMLElement | null} */
  get #firstPending() {
    return this.#list.querySelector("li.pending");
  }

  #settleAll() {
    for (const line of this.#pending.values()) this.#settle(line);
  }

  /**
   * Adds the day line before the first message of a day, and sets whether the message
   * belongs to the group above it.
   * @param {HTMLElement | null} line
   */
  #settle(line) {
    if (!line?.isConnected || !line.classList.contains("message")) return;
    const before = messageBefore(line);
    const newDay = !before || dayOf(Number(before.dataset.at)) !== dayOf(Number(line.dataset.at));
    const day = dayBefore(line);
    if (!newDay) day?.remove();
    if (newDay && !day) {
      /** @type {NodeListOf<HTMLElement>} */ (this.#list.querySelectorAll("li.day")).forEach(renameDay);
      this.#list.insertBefore(dayLine(Number(line.dataset.at)), this.#dawn(line));
    }
    line.classList.toggle("follow", !newDay && before === line.previousElementSibling && goesOn(before, line));
  }

  /** Returns where the day line goes: before the notices that precede the message. @param {HTMLElement} line */
  #dawn(line) {
    const day = dayOf(Number(line.dataset.at));
    let first = line;
    for (let e = line.previousElementSibling; e instanceof HTMLElement; e = e.previousElementSibling) {
      const sameDay = e.classList.contains("notice") && dayOf(Number(e.dataset.at)) === day;
      if (e !== this.#unread && !sameDay) break;
      first = e;
    }
    return first;
  }
}

/** @param {HTMLElement} before @param {HTMLElement} line */
function goesOn(before, line) {
  return before.dataset.from === line.dataset.from && before.dataset.to === line.dataset.to &&
    Number(line.dataset.at) - Number(before.dataset.at) < TOGETHER;
}

/** @param {Element | null} line */
function messageBefore(line) {
  let e = line?.previousElementSibling ?? null;
  while (e && !e.classList.contains("message")) e = e.previousElementSibling;
  return /** @type {HTMLElement | null} */ (e);
}

/** @param {Element | null | undefined} line */
function messageAfter(line) {
  let e = line?.nextElementSibling ?? null;
  while (e && !e.classList.contains("message")) e = e.nextElementSibling;
  return /** @type {HTMLElement | null} */ (e);
}

/** Returns the day line between the message and the one above it. @param {HTMLElement} line */
function dayBefore(line) {
  let e = line.previousElementSibling;
  while (e && !e.classList.contains("message")) {
    if (e.classList.contains("day")) return e;
    e = e.previousElementSibling;
  }
  return null;
}

/** @param {Element} a @param {Element} b */
function isBefore(a, b) {
  return (a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0;
}
