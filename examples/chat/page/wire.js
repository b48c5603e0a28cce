// The frames of the subprotocol wye.chat.json. Frames from the server are checked here,
// so that the other modules can rely on their shape.

/** @typedef {{id: string, name: string}} Who */
/** @typedef {{seq: number, from: Who, to?: Who, text: string, at: number, tag?: string}} Message */
/**
 * @typedef {{type: "welcome", room: string, you: Who, people: Who[] | null, fresh: boolean, messages: Message[], more: boolean}} Welcome
 * @typedef {{type: "message"} & Message} Said
 * @typedef {{type: "older", messages: Message[], more: boolean}} Older
 * @typedef {{type: "join" | "leave" | "typing", who: Who}} Presence
 * @typedef {{type: "refused", reason: string, text: string, tag?: string, retry?: number}} Refused
 * @typedef {{type: "text", text: string}} Foreign
 * @typedef {Welcome | Said | Older | Presence | Refused | Foreign} Frame
 */

export const SUBPROTOCOL = "wye.chat.json";

/** The longest message, in characters. */
export const LONGEST = 2000;

const LAST_DATE = 8.64e15; // the largest time of a Date

const isText = (/** @type {unknown} */ v) => typeof v === "string";
const isFlag = (/** @type {unknown} */ v) => typeof v === "boolean";
const isWho = (/** @type {any} */ v) => isObject(v) && isText(v.id) && v.id !== "" && isText(v.name);
const isMessage = (/** @type {any} */ v) => isObject(v) &&
  Number.isSafeInteger(v.seq) && v.seq > 0 &&
  isWho(v.from) && (v.to === undefined || isWho(v.to)) && isText(v.text) &&
  Number.isFinite(v.at) && Math.abs(v.at) <= LAST_DATE &&
  (v.tag === undefined || isText(v.tag));

/** @param {unknown} v @returns {v is Record<string, any>} */
function isObject(v) {
  return typeof v === "object" && v !== null;
}

/** @param {unknown} v @param {(v: any) => boolean} is */
function isListOf(v, is) {
  return Array.isArray(v) && v.every(is);
}

/** @type {Record<string, (frame: any) => boolean>} */
const shapes = {
  welcome: (f) => isText(f.room) && isWho(f.you) && (f.people === null || isListOf(f.people, isWho)) &&
    isFlag(f.fresh) && isListOf(f.messages, isMessage) && isFlag(f.more),
  message: isMessage,
  older: (f) => isListOf(f.messages, isMessage) && isFlag(f.more),
  join: (f) => isWho(f.who),
  leave: (f) => isWho(f.who),
  typing: (f) => isWho(f.who),
  refused: (f) => isText(f.reason) && isText(f.text) &&
    (f.tag === undefined || isText(f.tag)) && (f.retry === undefined || Number.isFinite(f.retry)),
  text: (f) => isText(f.text),
};

/**
 * @param {unknown} data of a WebSocket message
 * @returns {Frame | null} null for frames that this page does not know
 */
export function parse(data) {
  try {
    const frame = JSON.parse(/** @type {string} */ (data));
    const known = isObject(frame) && isText(frame.type) && Object.hasOwn(shapes, frame.type);
    return known && shapes[frame.type](frame) ? /** @type {any} */ (frame) : null;
  } catch {
    return null;
  }
}
