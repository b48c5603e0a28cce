// The user of the page, whom the server knows by the signed cookie.

/** @typedef {import("./wire.js").Who} Who */

/** A refusal by the server. */
export class Refusal extends Error {
  /** @param {string} reason @param {string} text */
  constructor(reason, text) {
    super(text);
    this.reason = reason;
  }
}

/** @returns {Promise<Who | null>} null if there is no name yet */
export async function whoAmI() {
  const answer = await fetch("/me", { cache: "no-store" });
  if (answer.status === 204) return null;
  if (!answer.ok) throw new Error(`GET /me: ${answer.status}`);
  return who(await answer.json());
}

/** @param {string} name */
export async function takeName(name) {
  const answer = await fetch("/me", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name }),
  });
  const body = await answer.json();
  if (!answer.ok) throw new Refusal(String(body?.reason), String(body?.text));
  return who(body);
}

export async function leaveName() {
  const answer = await fetch("/me", { method: "DELETE" });
  if (!answer.ok) throw new Error(`DELETE /me: ${answer.status}`);
}

/** @param {any} v @returns {Who} */
function who(v) {
  if (typeof v?.id !== "string" || typeof v.name !== "string") throw new Error("/me: no name in the answer");
  return { id: v.id, name: v.name };
}
