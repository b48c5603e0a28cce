// Storage that never fails: where it is full or forbidden (private windows), the page
// does not remember things, and works.

/**
 * @param {() => Storage} area called each time, because the access itself may throw
 */
function storage(area) {
  return {
    /** @param {string} key @returns {unknown} the stored value, or null */
    get(key) {
      try {
        return JSON.parse(area().getItem(key) ?? "null");
      } catch {
        return null;
      }
    },
    /** @param {string} key @param {unknown} value */
    set(key, value) {
      try {
        area().setItem(key, JSON.stringify(value));
      } catch { /* forgotten when the page is closed */ }
    },
    /** @param {string} key */
    remove(key) {
      try {
        area().removeItem(key);
      } catch { /* as above */ }
    },
  };
}

/** For this tab, until it is closed. */
export const tab = storage(() => window.sessionStorage);

/** For all tabs of this browser. */
export const browser = storage(() => window.localStorage);
