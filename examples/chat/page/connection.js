// The connection: one WebSocket after the other, until disconnect is called.

import { Backoff } from "./backoff.js";
import { parse, SUBPROTOCOL } from "./wire.js";

const OPEN_WITHIN = 15_000; // until the server's welcome; some networks swallow everything
const STEADY = 10_000;      // open for so long, it is not the server's fault any more
const FULL_WAIT = 5_000;

/** The server has no room: it is not asked again at once. */
export const FULL = 1013;

/** We may not be in this room: the server is not asked again. */
export const FORBIDDEN = 3003;

/** @typedef {"connecting" | "open" | "waiting" | "offline" | "closed"} State */

/**
 * @typedef {object} Options
 * @property {() => string} url asked for every attempt
 * @property {() => Promise<void>} prepare done before every attempt; if it fails, so does the attempt
 * @property {(frame: import("./wire.js").Frame) => void} onframe
 * @property {(state: State, next: number) => void} onstate next: the time of the next attempt, or 0
 * @property {(code: number, reason: string) => void} onlost before the new state is told
 */

export class Connection {
  /** @type {Options} */ #options;
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {State} */ #state = "closed";
  #wanted = false;
  #attempt = 0; // the number of the current one, so that what is left of earlier ones is ignored
  #timer = 0;
  #backoff = new Backoff();

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    addEventListener("online", () => this.#wake());
    addEventListener("pageshow", () => this.#wake());
    // A page that is left is not here any more, even if the browser keeps it for "back".
    addEventListener("pagehide", () => { if (this.#wanted) this.#leave("waiting"); });
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.#wake(); });
    addEventListener("offline", () => { if (this.#wanted) this.#lose(0, ""); });
  }

  connect() {
    this.#wanted = true;
    this.#try();
  }

  disconnect() {
    this.#wanted = false;
    this.#leave("closed");
  }

  /** @param {State} state */
  #leave(state) {
    this.#drop();
    this.#options.onlost(1000, "");
    this.#show(state);
  }

  /** Ends a connection that does not answer, and begins another. */
  restart() {
    if (this.#wanted) this.#lose(0, "");
  }

  /** @param {object} frame @returns {boolean} whether it is on its way */
  send(frame) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /** Something has changed: the next attempt need not wait. */
  #wake() {
    if (this.#state === "waiting" || this.#state === "offline") this.#try();
  }

  async #try() {
    this.#drop();
    const attempt = this.#attempt;
    // While there is no network, attempts are made quietly: a server on this very
    // machine can be reached without.
    this.#show(this.#state === "offline" && !navigator.onLine ? "offline" : "connecting");
    try {
      await this.#options.prepare();
    } catch {
      if (attempt === this.#attempt) this.#lose(0, "");
      return;
    }
    if (attempt === this.#attempt) this.#open();
  }

  #open() {
    const socket = this.#socket = new WebSocket(this.#options.url(), SUBPROTOCOL);
    this.#timer = setTimeout(() => this.#lose(0, ""), OPEN_WITHIN);
    socket.onmessage = (event) => { if (socket === this.#socket) this.#receive(event.data); };
    socket.onclose = (event) => { if (socket === this.#socket) this.#lose(event.code, event.reason); };
  }

  /** @param {unknown} data */
  #receive(data) {
    const frame = parse(data);
    if (frame === null) {
      console.warn("a frame that is not understood is ignored:", data);
      return;
    }
    this.#options.onframe(frame);
    if (frame.type !== "welcome" || this.#state === "open" || this.#socket === null) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#backoff.reset(), STEADY);
    this.#show("open");
  }

  /** Waits for the next attempt, if there is any use in it. @param {number} code @param {string} reason */
  #lose(code, reason) {
    this.#drop();
    this.#options.onlost(code, reason);
    if (code === FORBIDDEN) {
      this.#wanted = false;
      return this.#show("closed");
    }
    const wait = this.#backoff.next(code === FULL ? FULL_WAIT : 0);
    this.#timer = setTimeout(() => this.#try(), wait);
    this.#show(navigator.onLine ? "waiting" : "offline", Date.now() + wait);
  }

  /** Forgets the socket, the timers and the attempt that there is. */
  #drop() {
    this.#attempt++;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
  }

  /** @param {State} state */
  #show(state, next = 0) {
    this.#state = state;
    this.#options.onstate(state, next);
  }
}
