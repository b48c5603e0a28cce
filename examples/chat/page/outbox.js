// What has been written and is not known to be stored. A letter has a random tag that
// it keeps: however often it is sent, the server stores it once. One letter is under
// way at a time, so that their order is the writer's even when one is refused.

import { tab } from "./storage.js";

const PATIENCE = 20_000; // no answer for so long: the connection is dead

/** @typedef {import("./wire.js").Who} Who */
/** @typedef {{tag: string, text: string, to?: Who, at: number}} Letter */

export class Outbox {
  #key;
  #send;
  #stuck;
  /** @type {Letter[]} */ #letters;
  #up = false;    // connected
  #flying = "";   // the tag of the letter that waits for its answer
  #timer = 0;

  /**
   * @param {string} key in the tab's storage: what is not sent survives a reload
   * @param {(letter: Letter) => boolean} send
   * @param {() => void} stuck called when no answer comes
   */
  constructor(key, send, stuck) {
    this.#key = key;
    this.#send = send;
    this.#stuck = stuck;
    const kept = tab.get(key);
    this.#letters = Array.isArray(kept) ? kept.filter(isLetter) : [];
  }

  /** @returns {readonly Letter[]} */
  get letters() {
    return this.#letters;
  }

  /** @param {string} text @param {Who} [to] */
  add(text, to) {
    /** @type {Letter} */
    const letter = { tag: newTag(), text, at: Date.now() };
    if (to) letter.to = to;
    this.#letters.push(letter);
    this.#save();
    this.#next();
    return letter;
  }

  /**
   * Takes a letter out: it is stored, or it never will be.
   * @param {string | undefined} tag
   */
  remove(tag) {
    const i = this.#letters.findIndex((letter) => letter.tag === tag);
    if (i < 0) return undefined;
    const [letter] = this.#letters.splice(i, 1);
    this.#save();
    this.#landed(letter.tag);
    this.#next();
    return letter;
  }

  /** Sends a letter again, and those behind it, when the server wants to hear of it. */
  later(/** @type {string} */ tag, /** @type {number} */ wait) {
    if (tag !== this.#flying) return;
    this.#landed(tag);
    this.#timer = setTimeout(() => { this.#timer = 0; this.#next(); }, wait);
  }

  /** The server has said welcome, and what it has of ours has been removed. */
  up() {
    this.down();
    this.#up = true;
    this.#next();
  }

  down() {
    this.#up = false;
    this.#landed(this.#flying);
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  /** The letter that the server has not answered. */
  get flying() {
    return this.#flying;
  }

  #next() {
    if (!this.#up || this.#flying || this.#timer || this.#letters.length === 0) return;
    const [letter] = this.#letters;
    if (!this.#send(letter)) return; // the connection is ending; up() comes again
    this.#flying = letter.tag;
    this.#timer = setTimeout(() => this.#stuck(), PATIENCE);
  }

  /** @param {string} tag */
  #landed(tag) {
    if (!tag || tag !== this.#flying) return;
    this.#flying = "";
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  #save() {
    if (this.#letters.length > 0) tab.set(this.#key, this.#letters);
    else tab.remove(this.#key);
  }
}

/** @param {any} v */
function isLetter(v) {
  return typeof v?.tag === "string" && typeof v.text === "string" && typeof v.at === "number";
}

/** crypto.randomUUID is missing where the page does not come by https. */
function newTag() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}
