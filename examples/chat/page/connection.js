// The connection: opens a WebSocket, and another one after it has closed, until
// disconnect is called.

import { Backoff } from "./backoff.js";
import { parse, SUBPROTOCOL } from "./wire.js";

const OPEN_WITHIN = 15_000; // until the server's welcome; some networks drop everything silently
const STEADY = 10_000;      // a connection that was open for so long starts the backoff again
const FULL_WAIT = 5_000;

/** The server is over a limit: the page waits longer before the next attempt. */
export const FULL = 1013;

/** Access to this room is denied: the page does not try again. */
export const FORBIDDEN = 3003;

/** @typedef {"connecting" | "open" | "waiting" | "offline" | "closed"} State */

/**
 * @typedef {object} Options
 * @property {() => string} url called before each attempt
 * @property {() => Promise<void>} prepare called before each attempt, which fails if it fails
 * @property {(frame: import("./wire.js").Frame) => void} onframe
 * @property {(state: State, next: number) => void} onstate next: the time of the next attempt, or 0
 * @property {(code: number, reason: string) => void} onlost called before onstate
 */

export class Connection {
  /** @type {Options} */ #options;
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {State} */ #state = "closed";
  #wanted = false;
  #attempt = 0; // number of the current attempt: events of earlier ones are ignored
  #timer = 0;
  #backoff = new Backoff();

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    addEventListener("online", () => this.#wake());
    addEventListener("pageshow", () => this.#wake());
    // Leaving the page disconnects, even if the browser keeps the page for "back".
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

  /** Closes a connection that does not answer, and opens another. */
  restart() {
    if (this.#wanted) this.#lose(0, "");
  }

  /** @param {object} frame @returns {boolean} whether it was sent */
  send(frame) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /** Makes the next attempt now, because something has changed. */
  #wake() {
    if (this.#state === "waiting" || this.#state === "offline") this.#try();
  }

  async #try() {
    this.#drop();
    const attempt = this.#attempt;
    // Without a network the attempts go on, but the state stays "offline": a server on
    // this machine is reachable nevertheless.
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

  /** Schedules the next attempt, unless the code says not to. @param {number} code @param {string} reason */
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

  /** Drops the socket, the timers and the current attempt. */
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
