// Where the log stands. At its end it stays there, whatever comes; elsewhere, the
// lines that somebody reads do not move.

const NEAR = 40; // pixels from the end that count as the end

export class Scroll {
  #box;
  #changed;

  /** Whether the newest line is in sight. */
  atEnd = true;

  /**
   * @param {HTMLElement} box what scrolls
   * @param {HTMLElement} content what grows in it
   * @param {() => void} changed called when the end comes into sight or leaves it
   */
  constructor(box, content, changed) {
    this.#box = box;
    this.#changed = changed;
    box.addEventListener("scroll", () => this.#look(), { passive: true });
    // Windows, keyboards and lines change their sizes without scrolling.
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

  /** Brings a line that is above into sight. @param {HTMLElement} line */
  reveal(line) {
    const above = this.#box.getBoundingClientRect().top - line.getBoundingClientRect().top;
    if (line.isConnected && above > 0) {
      this.#box.scrollTop -= above + 16;
      this.#look();
    }
  }

  /** Changes what is above without moving what is in sight. @param {() => void} change */
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
