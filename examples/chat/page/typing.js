// Who is typing: each person for some seconds, or until their message comes.

import { words } from "./words.js";

const FADES = 5000;
const AGAIN = 3000; // the least time between two own typing notices

/** @typedef {import("./wire.js").Who} Who */

export class Typing {
  #element;
  #tell;
  #told = 0;
  /** @type {Map<string, {name: string, timer: number}>} */ #who = new Map();

  /** @param {HTMLElement} element @param {() => void} tell sends the typing notice */
  constructor(element, tell) {
    this.#element = element;
    this.#tell = tell;
  }

  /** Called when the user types. */
  typed() {
    const now = Date.now();
    if (now - this.#told < AGAIN) return;
    this.#told = now;
    this.#tell();
  }

  /** Called when the user has sent the message: the next key sends a notice again. */
  said() {
    this.#told = 0;
  }

  /** @param {Who} who */
  show(who) {
    this.#forget(who.id);
    const timer = setTimeout(() => this.stop(who.id), FADES);
    this.#who.set(who.id, { name: who.name, timer });
    this.#render();
  }

  /** @param {string} id */
  stop(id) {
    if (this.#forget(id)) this.#render();
  }

  clear() {
    for (const id of [...this.#who.keys()]) this.#forget(id);
    this.#render();
  }

  /** @param {string} id */
  #forget(id) {
    clearTimeout(this.#who.get(id)?.timer);
    return this.#who.delete(id);
  }

  #render() {
    const names = [...this.#who.values()].map((who) => who.name);
    this.#element.textContent = names.length > 0 ? words.typing(names) : "";
  }
}
