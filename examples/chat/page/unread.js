// What has come and not been seen: how much it is, and where it begins. The last
// seq that was seen is kept in the browser, for the next time.

import { browser } from "./storage.js";

export class Unread {
  #key;
  #log;
  #changed;
  /** @type {number | null} */ #seen;

  /** How many messages of others have not been seen. */
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

  /** The log has been filled anew. */
  entered() {
    // The first time here, or the server has begun anew: nothing has been missed.
    if (this.#seen === null || this.#seen > this.#log.last) this.seen();
    this.#count();
    if (this.count > 0) this.#log.divide(this.#seen ?? 0);
  }

  /** Older lines have come, and the divider may belong there. */
  grown() {
    if (this.count > 0) this.#log.divide(this.#seen ?? 0);
  }

  /** A message of somebody else is there. @param {boolean} looking whether it is seen at once */
  arrived(looking) {
    if (looking) return this.seen();
    this.#count();
    if (this.count === 1) this.#log.divide(this.#seen ?? 0);
  }

  /** Everything has been seen. The divider stays for orientation. */
  seen() {
    this.#seen = this.#log.last;
    browser.set(this.#key, this.#seen);
    this.#count();
  }

  /** Another tab has the same room, and was looked at. */
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
