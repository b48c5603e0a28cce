// The side of the page. On narrow screens it is a drawer over the log.

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const side = byId("side"), shade = byId("shade"), opener = byId("people-button"), closer = byId("people-close");
const main = /** @type {HTMLElement} */ (document.querySelector("main"));

function open() {
  set(true);
  closer.focus();
}

export function closeDrawer() {
  if (!side.classList.contains("open")) return;
  set(false);
  opener.focus();
}

/** @param {boolean} opened */
function set(opened) {
  side.classList.toggle("open", opened);
  shade.hidden = !opened;
  main.inert = opened;
  opener.setAttribute("aria-expanded", String(opened));
}

opener.addEventListener("click", open);
closer.addEventListener("click", closeDrawer);
shade.addEventListener("click", closeDrawer);
side.addEventListener("keydown", (event) => { if (event.key === "Escape") closeDrawer(); });
// The screen is wide again, so the drawer closes. The style sheet has the same width.
matchMedia("(min-width: 48rem)").addEventListener("change", () => set(false));
