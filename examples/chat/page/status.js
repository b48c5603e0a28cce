// The state of the connection, in words and buttons. The countdown is an element of its
// own, so that screen readers do not announce it every second.

import { words } from "./words.js";

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const state = byId("state"), countdown = byId("countdown"), connect = byId("connect"), disconnect = byId("disconnect");

let ticking = 0;

/**
 * @param {import("./connection.js").State} now
 * @param {number} next when the next attempt is, or 0
 */
export function showState(now, next) {
  if (state.dataset.state !== now || state.textContent !== words[now]) {
    state.dataset.state = now;
    state.textContent = words[now];
  }
  const focused = document.activeElement;
  connect.hidden = now === "open" || now === "connecting";
  disconnect.hidden = now === "closed";
  connect.textContent = now === "closed" ? words.connect : words.reconnect;
  // If the focused button disappears, the other one gets the focus.
  if (focused === connect && connect.hidden) disconnect.focus();
  if (focused === disconnect && disconnect.hidden) connect.focus();
  clearInterval(ticking);
  countdown.textContent = "";
  if (now !== "waiting") return;
  const tick = () => {
    const seconds = Math.ceil((next - Date.now()) / 1000);
    countdown.textContent = seconds > 0 ? words.again(seconds) : "";
  };
  tick();
  ticking = setInterval(tick, 1000);
}
