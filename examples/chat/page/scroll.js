// The position of the log. At its end it stays there when lines are added; elsewhere,
// the lines in view do not move.

const NEAR = 40; // pixels from the end that count as the end

export class Scroll {
  #box;
  #changed;

  /** Whether the newest line is in view. */
  atEnd = true;

  /**
   * @param {HTMLElement} box what scrolls
   * @param {HTMLElement} content what grows in it
   * @param {() => void} changed called when the end comes into view or leaves it
   */
  constructor(box, content, changed) {
    this.#box = box;
    this.#changed = changed;
    box.addEventListener("scroll", () => this.#look(), { passive: true });
    // A resize of the window, the keyboard or a line sends no scroll event.
    const sizes = new ResizeObserver(() => this.follow());
    sizes.observe(box);
    sizes.observe(content);
  }

  follow() {
    if (this.atEnd) this.#box.scrollTop = this.#box.scrollHeight;
  }

  toEnd() {
    this.#set(true);
    this.follow();
  }

  /** Scrolls up to a line. @param {HTMLElement} line */
  reveal(line) {
    const above = this.#box.getBoundingClientRect().top - line.getBoundingClientRect().top;
    if (line.isConnected && above > 0) {
      this.#box.scrollTop -= above + 16;
      this.#look();
    }
  }

  /** Changes lines above without moving those in view. @param {() => void} change */
  keep(change) {
    const below = this.#box.scrollHeight - this.#box.scrollTop;
    change();
    this.#box.scrollTop = this.#box.scrollHeight - below;
  }

  #look() {
    this.#set(this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight < NEAR);
  }

  /** @param {boolean} atEnd */
  #set(atEnd) {
    if (atEnd === this.atEnd) return;
    this.atEnd = atEnd;
    this.#changed();
  }
}
