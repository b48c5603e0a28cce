// Who is typing, for some seconds or until they have said it.

import { words } from "./words.js";

const FADES = 5000;
const AGAIN = 3000; // we tell of our own typing no more often

/** @typedef {import("./wire.js").Who} Who */

export class Typing {
  #element;
  #tell;
  #told = 0;
  /** @type {Map<string, {name: string, timer: number}>} */ #who = new Map();

  /** @param {HTMLElement} element @param {() => void} tell tells the others that we type */
  constructor(element, tell) {
    this.#element = element;
    this.#tell = tell;
  }

  /** We have typed something. */
  typed() {
    const now = Date.now();
    if (now - this.#told < AGAIN) return;
    this.#told = now;
    this.#tell();
  }

  /** We have said it: what is typed now is something else. */
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
