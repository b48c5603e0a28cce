// Text with links in it, made of text nodes: nothing that anybody writes is markup.

// The last character is none that ends a sentence. To look for it from the end
// takes no longer than the link is, whatever it is made of.
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
