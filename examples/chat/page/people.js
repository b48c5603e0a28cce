// The people in the room, as a list of buttons that choose the recipient.

import { colour, face } from "./face.js";
import { locale, words } from "./words.js";

/** @typedef {import("./wire.js").Who} Who */

const order = new Intl.Collator(locale, { sensitivity: "base" });

export class People {
  #list;
  #choose;
  #changed;
  /** @type {Map<string, Who>} */ #here = new Map();
  /** @type {Who | null} */ #me = null;

  /**
   * @param {HTMLElement} list
   * @param {(who: Who) => void} choose
   * @param {(count: number) => void} changed
   */
  constructor(list, choose, changed) {
    this.#list = list;
    this.#choose = choose;
    this.#changed = changed;
  }

  /** @param {string} id */
  has(id) {
    return this.#here.has(id);
  }

  ids() {
    return [...this.#here.keys()];
  }

  /** @param {Who[]} people @param {Who} me */
  set(people, me) {
    this.#me = me;
    this.#here = new Map([...people, me].map((who) => [who.id, who]));
    this.#show();
  }

  /** @param {Who} who @returns {boolean} whether the list has changed */
  add(who) {
    if (this.#here.has(who.id)) return false;
    this.#here.set(who.id, who);
    this.#show();
    return true;
  }

  /** @param {Who} who @returns {boolean} whether the list has changed */
  remove(who) {
    if (who.id === this.#me?.id || !this.#here.delete(who.id)) return false;
    this.#show();
    return true;
  }

  /** Elements of people who stay are kept, and so is the focus. */
  #show() {
    const me = this.#me?.id;
    const sorted = [...this.#here.values()].sort((a, b) =>
      Number(b.id === me) - Number(a.id === me) || order.compare(a.name, b.name));
    const old = new Map([...this.#list.children].map((line) => [/** @type {HTMLElement} */ (line).dataset.id, line]));
    for (const [id, line] of old) if (!this.#here.has(id ?? "")) line.remove();
    sorted.forEach((who, i) => {
      const line = old.get(who.id) ?? this.#line(who);
      const there = this.#list.children[i] ?? null;
      if (line !== there) this.#list.insertBefore(line, there);
    });
    this.#changed(sorted.length);
  }

  /** @param {Who} who */
  #line(who) {
    const line = document.createElement("li");
    line.dataset.id = who.id;
    const own = who.id === this.#me?.id;
    const inner = document.createElement(own ? "span" : "button");
    inner.className = "person";
    const name = document.createElement("span");
    name.className = "who";
    name.dir = "auto";
    name.textContent = who.name;
    colour(name, who.id);
    inner.append(face(who), name);
    if (inner instanceof HTMLButtonElement) {
      inner.type = "button";
      inner.title = words.direct(who.name);
      inner.setAttribute("aria-label", words.direct(who.name));
      inner.addEventListener("click", () => this.#choose(who));
    } else {
      const you = document.createElement("span");
      you.className = "you";
      you.textContent = words.you;
      inner.append(you);
    }
    line.append(inner);
    return line;
  }
}
