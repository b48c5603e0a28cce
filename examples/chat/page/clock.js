// Times and days in the reader's locale.

import { locale, words } from "./words.js";

const time = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" });
const day = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" });
const date = new Intl.DateTimeFormat(locale, { day: "numeric", month: "long", year: "numeric" });
const full = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "medium" });

/** Fills a time element. @param {HTMLTimeElement} element @param {number} at */
export function showTime(element, at) {
  const when = new Date(at);
  element.dateTime = when.toISOString();
  element.textContent = time.format(when);
  element.title = full.format(when);
}

/** Equal for two times of the same day. @param {number} at */
export function dayOf(at) {
  return new Date(at).toDateString();
}

/** @param {number} at */
export function dayName(at) {
  const when = new Date(at), now = new Date();
  if (when.toDateString() === now.toDateString()) return words.today;
  const before = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
  if (when.toDateString() === before.toDateString()) return words.yesterday;
  return (when.getFullYear() === now.getFullYear() ? day : date).format(when);
}
