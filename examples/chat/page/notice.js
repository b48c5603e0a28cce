// What somebody must know now: it is read aloud at once, and goes by itself.

const STAYS = 12_000;
const element = /** @type {HTMLElement} */ (document.getElementById("notice"));
let timer = 0;

/** @param {string} text */
export function notice(text) {
  if (element.textContent !== text) element.textContent = text; // or it would be read aloud again
  clearTimeout(timer);
  timer = setTimeout(clearNotice, STAYS);
}

export function clearNotice() {
  element.textContent = "";
}
