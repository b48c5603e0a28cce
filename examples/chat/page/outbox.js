// The messages that are not known to be stored. Each has a random tag, so that the
// server stores it once however often it is sent. One message is in flight at a time,
// so that the order stays the writer's even if one is refused.

import { tab } from "./storage.js";

const PATIENCE = 20_000; // without an answer for so long, the connection is considered dead

/** @typedef {import("./wire.js").Who} Who */
/** @typedef {{tag: string, text: string, to?: Who, at: number}} Pending */

export class Outbox {
  #key;
  #send;
  #stuck;
  /** @type {Pending[]} */ #unsent;
  #up = false;    // connected
  #inFlight = "";   // the tag of the message that waits for its answer
  #timer = 0;

  /**
   * @param {string} key of the tab's storage: unsent messages survive a reload
   * @param {(pending: Pending) => boolean} send
   * @param {() => void} stuck called when no answer comes
   */
  constructor(key, send, stuck) {
    this.#key = key;
    this.#send = send;
    this.#stuck = stuck;
    const kept = tab.get(key);
    this.#unsent = Array.isArray(kept) ? kept.filter(isPending) : [];
  }

  /** @returns {readonly Pending[]} */
  get unsent() {
    return this.#unsent;
  }

  /** @param {string} text @param {Who} [to] */
  add(text, to) {
    /** @type {Pending} */
    const pending = { tag: newTag(), text, at: Date.now() };
    if (to) pending.to = to;
    this.#unsent.push(pending);
    this.#save();
    this.#next();
    return pending;
  }

  /**
   * Removes a message that is stored, or that never will be.
   * @param {string | undefined} tag
   */
  remove(tag) {
    const i = this.#unsent.findIndex((pending) => pending.tag === tag);
    if (i < 0) return undefined;
    const [pending] = this.#unsent.splice(i, 1);
    this.#save();
    this.#settle(pending.tag);
    this.#next();
    return pending;
  }

  /** Sends a message, and those after it, again after the time that the server wants. */
  retry(/** @type {string} */ tag, /** @type {number} */ wait) {
    if (tag !== this.#inFlight) return;
    this.#settle(tag);
    this.#timer = setTimeout(() => { this.#timer = 0; this.#next(); }, wait);
  }

  /** Called after the server's welcome, when the messages that it has stored have been removed. */
  up() {
    this.down();
    this.#up = true;
    this.#next();
  }

  down() {
    this.#up = false;
    this.#settle(this.#inFlight);
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  /** Returns the message that waits for its answer. */
  get inFlight() {
    return this.#inFlight;
  }

  #next() {
    if (!this.#up || this.#inFlight || this.#timer || this.#unsent.length === 0) return;
    const [pending] = this.#unsent;
    if (!this.#send(pending)) return; // the connection is closing; up() is called again
    this.#inFlight = pending.tag;
    this.#timer = setTimeout(() => this.#stuck(), PATIENCE);
  }

  /** @param {string} tag */
  #settle(tag) {
    if (!tag || tag !== this.#inFlight) return;
    this.#inFlight = "";
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  #save() {
    if (this.#unsent.length > 0) tab.set(this.#key, this.#unsent);
    else tab.remove(this.#key);
  }
}

/** @param {any} v */
function isPending(v) {
  return typeof v?.tag === "string" && typeof v.text === "string" && typeof v.at === "number";
}

/** crypto.randomUUID is missing where the page does not come by https. */
function newTag() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}
