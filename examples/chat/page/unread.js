// The unread messages: how many there are, and where they start. The browser's storage
// keeps the last seq that the user has seen.

import { browser } from "./storage.js";

export class Unread {
  #key;
  #log;
  #changed;
  /** @type {number | null} */ #seen;

  /** The number of other people's unread messages. */
  count = 0;

  /**
   * @param {string} key
   * @param {import("./log.js").Log} log
   * @param {() => void} changed
   */
  constructor(key, log, changed) {
    this.#key = key;
    this.#log = log;
    this.#changed = changed;
    const kept = browser.get(key);
    this.#seen = typeof kept === "number" ? kept : null;
    addEventListener("storage", (event) => { if (event.key === key) this.#elsewhere(); });
  }

  /** Called when the log has been replaced. */
  entered() {
    // The first visit, or a new database: nothing is unread.
    if (this.#seen === null || this.#seen > this.#log.last) this.seen();
    this.#count();
    if (this.count > 0) this.#log.divide(this.#seen ?? 0);
  }

  /** Called when older lines were added: the divider may belong there. */
  grown() {
    if (this.count > 0) this.#log.divide(this.#seen ?? 0);
  }

  /** Called for another person's message. @param {boolean} looking whether the user sees it now */
  arrived(looking) {
    if (looking) return this.seen();
    this.#count();
    if (this.count === 1) this.#log.divide(this.#seen ?? 0);
  }

  /** Marks everything as seen. The divider stays. */
  seen() {
    this.#seen = this.#log.last;
    browser.set(this.#key, this.#seen);
    this.#count();
  }

  /** Called when another tab with the same room has marked messages as seen. */
  #elsewhere() {
    const kept = browser.get(this.#key);
    if (typeof kept !== "number" || this.#seen === null || kept <= this.#seen) return;
    this.#seen = Math.min(kept, this.#log.last);
    this.#count();
  }

  #count() {
    const count = this.#log.countAfter(this.#seen ?? 0);
    if (count === this.count) return;
    this.count = count;
    this.#changed();
  }
}
