// The colour and the initials of a person. The colour depends on the ID, which differs
// between people with the same name.

/** @param {string} id @returns {number} a hue in degrees */
function hue(id) {
  let hash = 2166136261; // FNV-1a
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 16777619);
  return (hash >>> 0) % 24 * 15; // in steps that differ visibly
}

/** @param {HTMLElement} element @param {string} id */
export function colour(element, id) {
  element.style.setProperty("--hue", String(hue(id))); // the style sheet adds lightness and chroma for contrast
}

/** @param {string} name */
export function initials(name) {
  const [first = "", second = ""] = name.trim().split(/[\s._-]+/u);
  const two = /^\p{Alphabetic}/u.test(first) && /^\p{Script=Latin}/u.test(second);
  return (letter(first) + (two ? letter(second) : "")).toUpperCase();
}

/** The first grapheme: emoji and accented letters are several code points. */
function letter(/** @type {string} */ word) {
  if (!("Segmenter" in Intl)) return [...word][0] ?? "";
  for (const { segment } of new Intl.Segmenter().segment(word)) return segment;
  return "";
}

/** @param {import("./wire.js").Who} who */
export function face(who) {
  const element = document.createElement("span");
  element.className = "avatar";
  element.ariaHidden = "true";
  show(element, who);
  return element;
}

/** @param {HTMLElement} element @param {import("./wire.js").Who} who */
export function show(element, who) {
  element.dataset.initials = initials(who.name); // drawn by the style sheet, so that it is not part of the text
  colour(element, who.id);
}
