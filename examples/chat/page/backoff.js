// How long to wait before the next attempt. The jitter is full: each time is drawn
// from nothing to the limit, so that a server that comes back does not have everybody
// at the door at once.

const FIRST = 500, LONGEST = 30_000; // milliseconds

export class Backoff {
  #limit = FIRST;

  /** @param {number} [least] to be waited in any case */
  next(least = 0) {
    const wait = least + Math.random() * this.#limit;
    this.#limit = Math.min(2 * this.#limit, LONGEST);
    return wait;
  }

  reset() {
    this.#limit = FIRST;
  }
}
