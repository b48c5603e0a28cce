// The dialogs for the name: the user chooses it once, and may give it up.

import { leaveName, Refusal, takeName, whoAmI } from "./me.js";
import { words } from "./words.js";

/** @typedef {import("./wire.js").Who} Who */

const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("name-dialog"));
const form = /** @type {HTMLFormElement} */ (document.getElementById("name-form"));
const input = /** @type {HTMLInputElement} */ (document.getElementById("name"));
const complaint = /** @type {HTMLElement} */ (document.getElementById("name-error"));
const leaving = /** @type {HTMLDialogElement} */ (document.getElementById("leave-dialog"));

/** @type {Promise<Who> | null} */
let asking = null;

/** Asks until there is a name. Concurrent calls get the same promise. */
export function askName() {
  asking ??= ask().finally(() => { asking = null; });
  return asking;
}

/** @returns {Promise<Who>} */
function ask() {
  const { promise, resolve } = answer();
  form.onsubmit = async (event) => {
    event.preventDefault();
    const name = input.value.trim();
    if (name === "") return complain(words.nameBad);
    form.inert = true;
    try {
      resolve(await take(name));
      dialog.onclose = null;
      dialog.close();
    } catch (error) {
      complain(sentence(error));
    } finally {
      form.inert = false;
      if (dialog.open) input.focus();
    }
  };
  // The dialog cannot be cancelled. Browsers close it at the second Escape.
  dialog.oncancel = (event) => event.preventDefault();
  dialog.onclose = () => dialog.showModal();
  dialog.showModal();
  input.focus();
  return promise;
}

/** Promise.withResolvers is too new for some browsers. */
function answer() {
  /** @type {(who: Who) => void} */
  let resolve = () => {};
  /** @type {Promise<Who>} */
  const promise = new Promise((r) => { resolve = r; });
  return { promise, resolve };
}

/** @param {string} name @returns {Promise<Who>} */
async function take(name) {
  try {
    return await takeName(name);
  } catch (error) {
    // Another tab has set the name.
    const there = error instanceof Refusal && error.reason === "named" ? await whoAmI() : null;
    if (there) return there;
    throw error;
  }
}

/** @param {string} text */
function complain(text) {
  complaint.textContent = text;
  input.setAttribute("aria-invalid", "true");
}

/** @param {unknown} error */
function sentence(error) {
  if (!(error instanceof Refusal)) return words.unreachable;
  switch (error.reason) {
    case "taken": return words.nameTaken;
    case "bad": return words.nameBad;
    case "store": return words.nameStore;
    case "long": return words.nameLong;
    case "guest": return words.nameGuest;
    case "mixed": return words.nameMixed;
    case "slow": return words.nameSlow;
    case "tries":
    case "names": return words.nameMany;
    default: return error.message;
  }
}

input.addEventListener("input", () => {
  complaint.textContent = "";
  input.removeAttribute("aria-invalid");
});

/** Asks whether to give up the name, gives it up, and reloads the page. */
export function offerLeaving() {
  leaving.returnValue = "";
  leaving.onclose = async () => {
    if (leaving.returnValue !== "leave") return;
    await leaveName();
    location.reload();
  };
  leaving.showModal();
}
