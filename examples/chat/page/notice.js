// What somebody must know now: it is read aloud at once, and goes by itself.

const STAYS = 12_000;
const element = /** @type {HTMLElement} */ (document.getElementById("notice"));
let timer = 0;

/** @param {string} text @param {boolean} [stays] until it is cleared */
export function notice(text, stays = false) {
  if (element.textContent !== text) element.textContent = text; // or it would be read aloud again
  clearTimeout(timer);
  if (!stays) timer = setTimeout(clearNotice, STAYS);
}

export function clearNotice() {
  clearTimeout(timer);
  element.textContent = "";
}
