// A notice that screen readers announce at once, and that disappears by itself.

const STAYS = 12_000;
const element = /** @type {HTMLElement} */ (document.getElementById("notice"));
let timer = 0;

/** @param {string} text @param {boolean} [stays] whether it stays until it is cleared */
export function notice(text, stays = false) {
  if (element.textContent !== text) element.textContent = text; // or screen readers would announce it again
  clearTimeout(timer);
  if (!stays) timer = setTimeout(clearNotice, STAYS);
}

export function clearNotice() {
  clearTimeout(timer);
  element.textContent = "";
}
