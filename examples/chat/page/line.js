// The element of one line of the log.

import { dayName, showTime } from "./clock.js";
import { colour, face } from "./face.js";
import { showText } from "./links.js";
import { words } from "./words.js";

/** @typedef {import("./wire.js").Message} Message */

/**
 * A message that may not be stored yet: it has a tag, and no seq.
 * @typedef {Omit<Message, "seq"> & {seq?: number}} Draft
 */

/** @param {string} name @param {string} classes @param {string} [text] */
function element(name, classes, text = "") {
  const e = document.createElement(name);
  e.className = classes;
  e.textContent = text;
  return e;
}

/**
 * @param {Draft} message
 * @param {boolean} own
 */
export function messageLine(message, own) {
  const line = element("li", own ? "message own" : "message");
  const who = element("span", "who", message.from.name);
  who.dir = "auto";
  colour(who, message.from.id);
  const head = element("div", "head");
  head.append(who);
  if (message.to) {
    line.classList.add("direct");
    const to = element("span", "to", own ? words.onlyTo(message.to.name) : words.onlyYou);
    to.dir = "auto";
    head.append(" ", to);
  }
  const text = element("div", "text");
  text.dir = "auto";
  const row = element("div", "row");
  row.append(text, " ", document.createElement("time"));
  if (!own) line.append(face(message.from));
  line.append(head, row);
  settleLine(line, message);
  return line;
}

/**
 * Updates the line with the message as the server stored it.
 * @param {HTMLElement} line
 * @param {Draft} message
 */
export function settleLine(line, message) {
  line.dataset.at = String(message.at);
  line.dataset.from = message.from.id;
  line.dataset.to = message.to?.id ?? "";
  // The server trims the text, and removes characters that are not visible.
  const text = /** @type {HTMLElement} */ (line.querySelector(".text"));
  if (text.textContent !== message.text) showText(text, message.text);
  showTime(/** @type {HTMLTimeElement} */ (line.querySelector("time")), message.at);
  line.querySelector(".sending")?.remove();
  line.classList.toggle("pending", message.seq === undefined);
  if (message.tag) line.dataset.tag = message.tag;
  if (message.seq === undefined) {
    line.querySelector(".row")?.append(element("span", "sending", words.sending));
  } else {
    line.dataset.seq = String(message.seq);
  }
}

/** @param {string} text @param {string} kind */
export function noticeLine(text, kind) {
  const line = element("li", `notice ${kind}`);
  const inner = element("span", "text", text);
  inner.dir = "auto";
  line.append(inner);
  return line;
}

/** @param {number} at */
export function dayLine(at) {
  const line = element("li", "day");
  line.dataset.at = String(at);
  line.append(element("span", "", dayName(at)));
  return line;
}

/** Updates "today" and "yesterday". @param {HTMLElement} line */
export function renameDay(line) {
  line.replaceChildren(element("span", "", dayName(Number(line.dataset.at))));
}

/** The divider before the unread messages. */
export function unreadLine() {
  const line = element("li", "");
  line.id = "unread";
  line.append(element("span", "", words.newer));
  return line;
}
