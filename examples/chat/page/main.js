// The page of one room: what comes over the connection is put where it belongs, and
// so is what the person in front of it does. Start reading here.

import { Composer } from "./composer.js";
import { Connection, FORBIDDEN, FULL } from "./connection.js";
import { closeDrawer } from "./drawer.js";
import { show as showFace } from "./face.js";
import { Log } from "./log.js";
import { whoAmI } from "./me.js";
import { askName, offerLeaving } from "./name.js";
import { clearNotice, notice } from "./notice.js";
import { Outbox } from "./outbox.js";
import { People } from "./people.js";
import { Scroll } from "./scroll.js";
import { showState } from "./status.js";
import { Typing } from "./typing.js";
import { Unread } from "./unread.js";
import "./viewport.js";
import { translate, words } from "./words.js";

/** @typedef {import("./wire.js").Who} Who */
/** @typedef {import("./wire.js").Message} Message */

const RETURN = 60_000; // who is back so soon after a broken connection has not been away

const room = decodeURIComponent(/^\/room\/([^/]+)\/?$/.exec(location.pathname)?.[1] ?? "") ||
  (new URLSearchParams(location.search).get("group") || "lobby");

/** @template {HTMLElement} [T=HTMLElement] @param {string} id @returns {T} */
function byId(id) {
  return /** @type {T} */ (document.getElementById(id));
}

translate();
byId("room-name").textContent = room;

/** Nothing is focused by itself then: a keyboard would come up over the log. */
const touched = matchMedia("(pointer: coarse)").matches;

/** @type {Who | null} */ let me = null;
let entered = false; // the server has told what there is in the room
let checked = false; // the server and /me have been asked twice who we are
/** @type {Map<string, number>} */ const returning = new Map(); // ids, and until when

/** What begins when it is known who is there. @type {ReturnType<typeof begin> | null} */
let parts = null;

const connection = new Connection({
  url: () => {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    return `${scheme}//${location.host}/ws/${encodeURIComponent(room)}/?after=${log.last}`;
  },
  prepare: async () => {
    if (me) return;
    await meet(await whoAmI() ?? await askName());
  },
  onframe: receive,
  onlost: (code, reason) => {
    const flying = parts?.outbox.flying;
    parts?.outbox.down();
    typing.clear();
    setOlder(older.hidden, false);
    if (code === FULL) notice(reason || words.full, true);
    if (code === FORBIDDEN) notice(reason || words.forbidden);
    // Too big, and so it would be the next time.
    if (code === 1009) giveBack(flying, reason || words.long);
  },
  onstate: showState,
});

const lines = byId("lines");
const log = new Log(lines, (who) => who.id === me?.id);
const scroll = new Scroll(byId("log"), lines, looked);
const people = new People(byId("people"), addressee, (count) => {
  byId("people-count").textContent = byId("people-number").textContent = String(count);
  composer.presence();
});
const typing = new Typing(byId("typing"), () => connection.send({ type: "typing" }));
const composer = new Composer({
  form: byId("say"), text: byId("text"), left: byId("left"), to: byId("to"), toClear: byId("to-clear"),
}, `wye.draft.${room}`, { say, typed: () => typing.typed(), here: (id) => people.has(id) });

/**
 * We know who we are: what is kept for this person and room is taken up.
 * @param {Who} who
 */
function begin(who) {
  const outbox = new Outbox(`wye.outbox.${room}.${who.id}`,
    ({ tag, text, to }) => connection.send({ type: "say", tag, text, to: to?.id }),
    () => connection.restart());
  const unread = new Unread(`wye.seen.${room}.${who.id}`, log, showUnread);
  return { outbox, unread };
}

/** @param {Who} who */
function meet(who) {
  me = who;
  byId("me").textContent = who.name;
  showFace(byId("me-face"), who);
  byId("leave").hidden = false;
  parts?.outbox.down();
  parts?.outbox.letters.forEach((letter) => log.withdraw(letter.tag));
  parts = begin(who);
  parts.outbox.letters.forEach((letter) => log.send(letter, who));
  changed();
  if (!touched) composer.focus();
}

/** @param {import("./wire.js").Frame} frame */
function receive(frame) {
  switch (frame.type) {
    case "welcome": return welcome(frame);
    case "message": return said(frame);
    case "older": return showOlder(frame.messages, frame.more);
    case "join": return presence(frame.who, true);
    case "leave": return presence(frame.who, false);
    case "typing": return frame.who.id === me?.id ? undefined : typing.show(frame.who);
    case "refused": return refused(frame);
    case "text":
      log.notice(frame.text, "foreign");
      return changed();
  }
}

/** @param {import("./wire.js").Welcome} frame */
function welcome(frame) {
  if (!recognised(frame.you)) return;
  clearNotice();
  entered = true;
  const until = Date.now() + RETURN;
  for (const id of people.ids()) returning.set(id, until);
  people.set(frame.people, frame.you);
  if (frame.fresh) quietly(() => refill(frame));
  else frame.messages.forEach(said);
  frame.messages.forEach((message) => parts?.outbox.remove(message.tag));
  parts?.outbox.up();
}

/**
 * The server may know us as somebody else: the cookie has been left in another tab, or
 * is not good any more. Then both are asked again, once.
 * @param {Who} you
 */
function recognised(you) {
  if (you.id === me?.id) {
    checked = false;
    return true;
  }
  if (checked) {
    meet(you);
    return true;
  }
  checked = true;
  me = null;
  connection.restart();
  return false;
}

/** Shows what the server has, instead of what was there. @param {import("./wire.js").Welcome} frame */
function refill(frame) {
  log.clear();
  frame.messages.forEach((message) => log.append(message));
  setOlder(!frame.more, false);
  parts?.unread.entered();
  scroll.toEnd();
  scroll.reveal(log.unread);
  changed();
  looked();
}

/** @param {Message} message */
function said(message) {
  const mine = parts?.outbox.remove(message.tag) !== undefined;
  typing.stop(message.from.id);
  const isNew = log.append(message);
  if (isNew && message.from.id !== me?.id) parts?.unread.arrived(looking());
  else if (isNew && (mine || looking())) parts?.unread.seen();
  changed();
}

/** @param {string} text @param {Who} [to] */
function say(text, to) {
  if (!me || !parts) return composer.giveBack(text, to);
  clearNotice();
  typing.said();
  log.join();
  log.send(parts.outbox.add(text, to), me);
  scroll.toEnd();
  changed();
}

/** @param {import("./wire.js").Refused} frame */
function refused({ reason, tag, text, retry }) {
  const sentence = /** @type {Record<string, string>} */ ({
    slow: words.slow, crowd: words.crowd, pages: words.pages, store: words.store, long: words.long,
    empty: words.nothing, nobody: words.nobody, malformed: words.malformed,
  });
  notice(Object.hasOwn(sentence, reason) ? sentence[reason] : text);
  if (reason === "pages" && retry !== undefined) return olderLater(retry);
  if (tag === undefined) return setOlder(older.hidden, false); // it was that, perhaps
  if (retry !== undefined) parts?.outbox.later(tag, Math.max(retry, 0));
  else giveBack(tag, "");
}

/** Gives what is not stored, and never will be, to the writer. @param {string | undefined} tag @param {string} why */
function giveBack(tag, why) {
  const letter = tag ? parts?.outbox.remove(tag) : undefined;
  if (!letter) return;
  log.withdraw(tag);
  composer.giveBack(letter.text, letter.to);
  if (why) notice(why);
  changed();
}

/** @param {Who} who @param {boolean} here */
function presence(who, here) {
  if (!here) {
    typing.stop(who.id);
    returning.delete(who.id);
  }
  const news = here ? people.add(who) : people.remove(who);
  if (!news || who.id === me?.id) return;
  if (here && Date.now() < (returning.get(who.id) ?? 0)) return;
  log.notice(here ? words.joined(who.name) : words.gone(who.name), "presence", who.id);
  changed();
}

/** @param {Who} who */
function addressee(who) {
  closeDrawer();
  composer.address(who);
  composer.focus();
}

// Older lines.

const older = byId("older");
let loading = false;

/** @param {boolean} hidden @param {boolean} busy */
function setOlder(hidden, busy) {
  if (hidden && document.activeElement === older) byId("log").focus({ preventScroll: true });
  loading = busy;
  older.hidden = hidden;
  older.textContent = busy ? words.loading : words.older;
}

older.addEventListener("click", () => {
  if (!loading) askOlder();
});

function askOlder() {
  // If there are notices only, what was said is before the last that there was.
  if (connection.send({ type: "older", before: log.first || log.last + 1 })) setOlder(false, true);
}

/** The server wants to be asked again. @param {number} wait */
function olderLater(wait) {
  setTimeout(() => { if (loading) askOlder(); }, Math.max(wait, 0));
}

/** @param {Message[]} messages @param {boolean} more */
function showOlder(messages, more) {
  quietly(() => scroll.keep(() => {
    log.prepend(messages);
    parts?.unread.grown();
    setOlder(!more, false);
  }));
  messages.forEach((message) => giveUp(message.tag));
}

/** What is in the history is not under way. @param {string | undefined} tag */
function giveUp(tag) {
  if (parts?.outbox.remove(tag)) log.withdraw(tag);
}

// What is seen.

function looking() {
  return !document.hidden && scroll.atEnd;
}

function looked() {
  if (looking() && (parts?.unread.count ?? 0) > 0) parts?.unread.seen();
  showUnread();
}

function showUnread() {
  const count = parts?.unread.count ?? 0;
  document.title = `${count > 0 ? `(${count}) ` : ""}#${room} – Wye chat`;
  const jump = byId("jump");
  jump.hidden = scroll.atEnd;
  jump.textContent = words.below(count);
}

/** The lines have changed. */
function changed() {
  if (scroll.atEnd && log.prune()) setOlder(false, loading);
  byId("empty").hidden = !entered || !log.empty;
  scroll.follow();
}

byId("jump").addEventListener("click", () => {
  scroll.toEnd();
  if (!touched) composer.focus();
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  if ((parts?.unread.count ?? 0) > 0) scroll.reveal(log.unread);
  looked();
});

/** Does something to the log that is not read aloud: history is no news. @param {() => void} change */
function quietly(change) {
  const box = byId("log");
  box.ariaLive = "off";
  change();
  setTimeout(() => { box.ariaLive = "polite"; }, 500);
}

// Buttons.

byId("connect").addEventListener("click", () => connection.connect());
byId("disconnect").addEventListener("click", () => {
  clearNotice();
  connection.disconnect();
});
byId("leave").addEventListener("click", offerLeaving);
byId("room-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const { value } = /** @type {HTMLInputElement} */ (byId("room"));
  location.assign(`/room/${encodeURIComponent(value)}/`);
});

showUnread();
connection.connect();
