// The message form: the text, its recipient, and the number of characters left.

import { tab } from "./storage.js";
import { LONGEST } from "./wire.js";
import { words } from "./words.js";

/** @typedef {import("./wire.js").Who} Who */

const NEAR = 200; // show the number of characters left from here on

/**
 * @typedef {object} Parts
 * @property {HTMLFormElement} form
 * @property {HTMLTextAreaElement} text
 * @property {HTMLElement} left
 * @property {HTMLElement} to
 * @property {HTMLElement} toClear
 */

export class Composer {
  #parts;
  #key;
  #on;
  /** @type {Who | undefined} */ #to;
  /** @type {{text: string, to?: Who}[]} */ #returned = []; // shown when the field is empty

  /**
   * @param {Parts} parts
   * @param {string} key for the draft, which survives a reload
   * @param {{say: (text: string, to?: Who) => void, typed: () => void, here: (id: string) => boolean}} on
   */
  constructor(parts, key, on) {
    this.#parts = parts;
    this.#key = key;
    this.#on = on;
    const { form, text, toClear } = parts;
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#submit(); });
    text.addEventListener("keydown", (event) => this.#enter(event));
    form.addEventListener("keydown", (event) => this.#escape(event));
    text.addEventListener("input", () => {
      this.#fit();
      // While writing to one person, the others get no typing notice.
      if (text.value.trim() !== "" && !this.#to) this.#on.typed();
    });
    toClear.addEventListener("click", () => { this.address(); this.focus(); });
    addEventListener("pagehide", () => tab.set(key, { text: text.value, to: this.#to }));
    this.#restore();
  }

  focus() {
    this.#parts.text.focus();
  }

  /** Sets the recipient; without one the text goes to everybody. @param {Who} [who] */
  address(who) {
    this.#to = who;
    this.presence();
  }

  /**
   * Called when people join or leave. The recipient stays the same after leaving, so that
   * a direct message does not go to everybody.
   */
  presence() {
    const { form, text, to } = this.#parts;
    const gone = this.#to !== undefined && !this.#on.here(this.#to.id);
    const name = this.#to?.name ?? "";
    form.classList.toggle("direct", this.#to !== undefined);
    /** @type {HTMLElement} */ (to.parentElement).hidden = !this.#to;
    to.textContent = !this.#to ? "" : gone ? words.toGone(name) : words.to(name);
    text.placeholder = this.#to ? words.sayTo(name) : words.say;
  }

  /** Puts back a text that the server refused. @param {string} text @param {Who} [to] */
  giveBack(text, to) {
    this.#returned.push(to ? { text, to } : { text });
    this.#takeBack();
  }

  #takeBack() {
    const { text } = this.#parts;
    if (text.value !== "") return; // two texts may have two recipients
    const back = this.#returned.shift();
    if (!back) return;
    text.value = back.text;
    this.address(back.to);
    this.#fit();
  }

  #submit() {
    const { text } = this.#parts;
    const said = text.value.trimEnd();
    if (said.trim() === "" || this.#left() < 0) return;
    text.value = "";
    this.#fit();
    this.#on.say(said, this.#to);
    this.#takeBack();
    this.focus();
  }

  /** @param {KeyboardEvent} event */
  #enter(event) {
    if (event.key !== "Enter" || event.shiftKey || event.altKey || isComposing(event)) return;
    event.preventDefault();
    this.#parts.form.requestSubmit();
  }

  /** @param {KeyboardEvent} event */
  #escape(event) {
    if (event.key !== "Escape" || !this.#to || isComposing(event)) return;
    event.preventDefault();
    this.address();
    this.focus();
  }

  /** Characters left, as the server counts them. */
  #left() {
    return LONGEST - [...this.#parts.text.value.trimEnd()].length;
  }

  /** Updates the copy of the text, by which the style sheet sizes the field, and the count. */
  #fit() {
    const { form, text, left } = this.#parts;
    /** @type {HTMLElement} */ (text.parentElement).dataset.value = text.value;
    const n = this.#left();
    left.textContent = n < NEAR ? words.left(n) : "";
    form.classList.toggle("over", n < 0);
    form.classList.toggle("blank", text.value.trim() === "");
    if (n < 0) text.setAttribute("aria-invalid", "true");
    else text.removeAttribute("aria-invalid");
  }

  #restore() {
    /** @type {any} */
    const draft = tab.get(this.#key);
    if (typeof draft?.text === "string" && draft.text !== "") {
      this.#parts.text.value = draft.text;
      const to = draft.to;
      this.address(typeof to?.id === "string" && typeof to.name === "string" ? to : undefined);
    } else {
      this.address();
    }
    this.#fit();
  }
}

/**
 * Reports whether an input method handles the key. Safari marks the last key of a
 * composition by its key code alone.
 * @param {KeyboardEvent} event
 */
function isComposing(event) {
  return event.isComposing || event.keyCode === 229;
}
