// The page of one room. It passes frames from the connection and actions of the user to
// the other modules. Start reading here.

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

const RETURN = 60_000; // a person who is back this soon after a lost connection is not announced

const room = decodeURIComponent(/^\/room\/([^/]+)\/?$/.exec(location.pathname)?.[1] ?? "") ||
  (new URLSearchParams(location.search).get("group") || "lobby");

/** @template {HTMLElement} [T=HTMLElement] @param {string} id @returns {T} */
function byId(id) {
  return /** @type {T} */ (document.getElementById(id));
}

translate();
byId("room-name").textContent = room;

/** On a touch screen nothing is focused automatically: a keyboard would cover the log. */
const touched = matchMedia("(pointer: coarse)").matches;

/** @type {Who | null} */ let me = null;
let entered = false; // the server's welcome has come
let checked = false; // the page has asked /me again because the welcome named another person
/** @type {Map<string, number>} */ const returning = new Map(); // by ID: until when a join is not announced

/** The modules that start when the user's name is known. @type {ReturnType<typeof begin> | null} */
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
    const inFlight = parts?.outbox.inFlight;
    parts?.outbox.down();
    typing.clear();
    setOlder(older.hidden, false);
    if (code === FULL) notice(reason || words.full, true);
    if (code === FORBIDDEN) notice(reason || words.forbidden);
    // The message is too big, and would be again.
    if (code === 1009) giveBack(inFlight, reason || words.long);
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
 * Starts the modules with what is stored for this person and room.
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
  parts?.outbox.unsent.forEach((pending) => log.withdraw(pending.tag));
  parts = begin(who);
  parts.outbox.unsent.forEach((pending) => log.send(pending, who));
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
  if (frame.people !== null) people.set(frame.people, frame.you);
  if (frame.fresh) quietly(() => refill(frame));
  else frame.messages.forEach(said);
  frame.messages.forEach((message) => parts?.outbox.remove(message.tag));
  parts?.outbox.up();
}

/**
 * The server may know the user by another name: another tab has changed the cookie, or it
 * is no longer valid. Then the page asks for both again, once.
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

/** Replaces the lines by the server's messages. @param {import("./wire.js").Welcome} frame */
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
  if (tag === undefined) return setOlder(older.hidden, false); // the request for older lines, perhaps
  if (retry !== undefined) parts?.outbox.retry(tag, Math.max(retry, 0));
  else giveBack(tag, "");
}

/** Puts a message that will not be stored back into the form. @param {string | undefined} tag @param {string} why */
function giveBack(tag, why) {
  const pending = tag ? parts?.outbox.remove(tag) : undefined;
  if (!pending) return;
  log.withdraw(tag);
  composer.giveBack(pending.text, pending.to);
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
  // If there are only notices, older messages are those up to the last one.
  if (connection.send({ type: "older", before: log.first || log.last + 1 })) setOlder(false, true);
}

/** Asks again after the time that the server wants. @param {number} wait */
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

/** A message in the history is stored, so it is no longer being sent. @param {string | undefined} tag */
function giveUp(tag) {
  if (parts?.outbox.remove(tag)) log.withdraw(tag);
}

// What the user has seen.

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

/** Called when the lines have changed. */
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

/** Changes the log without screen readers announcing it: older lines are not new. @param {() => void} change */
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
