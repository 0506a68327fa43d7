// Elements: made with text, never with markup, so that a name with HTML in it is shown as text.

import { onReturn } from "../data/outage.js";
import { splitName } from "../data/wording.js";

/** Make an element: functions become listeners, true and false set or leave out an attribute.
 *
 *     make("button", { class: "quiet", click: save, disabled: false }, "Save")
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A name that is cut in the middle where there is no room for it: what tells names apart is mostly
 * at their ends.
 */
export function cut(text, attributes = {}) {
  const parts = splitName(text).map((part, i) => make("span", { class: i === 0 ? "head" : "tail" }, part));
  const label = parts.length > 1 ? { "aria-label": text } : {}; // or it is read with a gap in it
  return make("span", { class: "name cut", dir: "auto", title: text, ...label, ...attributes }, ...parts);
}

/** Make an SVG element. */
export function makeSvg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** How long to wait before asking a busy server again, time after time. */
export const RETRIES_MS = [300, 700, 1500, 3000, 5000];

/** Show a picture, hidden until it is there; a server busy with others is asked again.
 *
 * Where it is not to be had, the image fires "missing", and is asked for again when a server that
 * was away is back.
 */
export function showPicture(image, source) {
  let tries = 0;
  const tryAgain = () => {
    if (image.dataset.source === source) image.src = `${source}?again=${tries}`;
  };
  image.classList.add("awaited");
  image.dataset.source = source;
  image.onload = () => image.classList.remove("awaited");
  image.onerror = () => {
    const pause_ms = RETRIES_MS[tries++];
    if (pause_ms !== undefined) {
      setTimeout(tryAgain, pause_ms);
      return;
    }
    image.dispatchEvent(new Event("missing"));
    onReturn(image, tryAgain);
  };
  image.src = source;
}

/** Call a function at the next picture, once, however often it is asked for. */
export function oncePerFrame(callback) {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      callback();
    });
  };
}

/** Tell everybody, screen readers too, what just happened. */
export function say(sentence) {
  const said = document.getElementById("said");
  if (said) said.textContent = sentence;
}

/** Something small to remember for this browser: `remembered("autoplay", false)`. */
export function remembered(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(`earmark.${name}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(`earmark.${name}`, JSON.stringify(value));
  } catch {
    // storage is refused: it lasts as long as the page
  }
}
