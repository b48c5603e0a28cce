// The time to wait before the next attempt, with full jitter: each time is drawn from 0
// to the limit, so that clients do not all reconnect at once when a server restarts.

const FIRST = 500, LONGEST = 30_000; // milliseconds

export class Backoff {
  #limit = FIRST;

  /** @param {number} [least] the shortest time to wait */
  next(least = 0) {
    const wait = least + Math.random() * this.#limit;
    this.#limit = Math.min(2 * this.#limit, LONGEST);
    return wait;
  }

  reset() {
    this.#limit = FIRST;
  }
}
