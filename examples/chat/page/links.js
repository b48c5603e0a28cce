// Text with links, made of text nodes, so that no user's text becomes markup.

// The last character of a link must not be one that ends a sentence. Searching it from
// the end takes time linear in the length of the link, whatever the text.
const LINK = /\bhttps?:\/\/[^\s<>"'`]*[^\s<>"'`.,:;!?)\]}*_~。，！？；：）】」』、]/giu;

/** @param {HTMLElement} element @param {string} text */
export function showText(element, text) {
  element.replaceChildren();
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const address = match[0];
    if (!URL.canParse(address)) continue;
    element.append(text.slice(end, match.index), link(address));
    end = match.index + address.length;
  }
  element.append(text.slice(end));
}

/** @param {string} address */
function link(address) {
  const a = document.createElement("a");
  a.href = address;
  a.textContent = address;
  a.target = "_blank";
  a.rel = "noopener noreferrer nofollow ugc";
  return a;
}
