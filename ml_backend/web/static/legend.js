// The legend: categories that filter on a click, or a color bar with its ends.

import { hex, numberColor } from "./palette.js";

const BAR_STEPS = 12;

/** Build the legend's content; `onToggle(value)` filters, `onPoint(value or undefined)` highlights. */
export function drawLegend(element, legend, { title, theme, filter, onToggle, onPoint }) {
  element.replaceChildren(make("h3", "", title));
  if (legend.kind === "number") return element.append(...bar(legend, theme));
  const list = make("ul", "entries");
  for (const entry of legend.entries) {
    const button = make("button", "entry");
    button.type = "button";
    const isOff = Boolean(filter?.values) && filter.values.includes(entry.value) === Boolean(filter.not);
    button.setAttribute("aria-pressed", String(!isOff));
    button.title = `${entry.title}: ${entry.count.toLocaleString("en")} clips. Click to filter`;
    button.append(swatch(entry.color), make("span", "name", entry.title), make("span", "count", entry.count.toLocaleString("en")));
    button.addEventListener("click", () => onToggle(entry.value));
    for (const name of ["pointerenter", "focus"]) button.addEventListener(name, () => onPoint(entry.value));
    for (const name of ["pointerleave", "blur"]) button.addEventListener(name, () => onPoint(undefined));
    const item = make("li");
    item.append(button);
    list.append(item);
  }
  element.append(list);
  if (legend.more > 0) element.append(make("p", "faint small", `and ${legend.more.toLocaleString("en")} more, whose colors repeat`));
}

function bar({ low, high, isDate, missing, isReversed }, theme) {
  const strip = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  strip.setAttribute("class", "bar");
  strip.setAttribute("viewBox", `0 0 ${BAR_STEPS} 1`);
  strip.setAttribute("preserveAspectRatio", "none");
  strip.setAttribute("aria-hidden", "true");
  for (let step = 0; step < BAR_STEPS; step++) {
    const share = step / (BAR_STEPS - 1);
    const part = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const color = hex(numberColor(isReversed ? 1 - share : share, theme));
    for (const [name, value] of Object.entries({ x: step, y: 0, width: 1.02, height: 1, fill: color })) {
      part.setAttribute(name, value);
    }
    strip.append(part);
  }
  const ends = make("div", "ends");
  ends.append(make("span", "", say(low, isDate, high - low)), make("span", "", say(high, isDate, high - low)));
  const parts = [strip, ends];
  if (missing > 0) parts.push(make("p", "faint small", `none: ${missing.toLocaleString("en")} clips, gray`));
  return parts;
}

/** A number of a column in words, as exact as its range asks for. */
export function say(value, isDate, span = Math.abs(value)) {
  if (value === null || Number.isNaN(value)) return "none";
  if (isDate) {
    const text = new Date(value * 1000).toISOString();
    return span < 3 * 86400 ? text.slice(0, 16).replace("T", " ") : text.slice(0, 10);
  }
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const digits = Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(span || 1))));
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

function swatch(color) {
  const mark = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  mark.setAttribute("class", "swatch");
  mark.setAttribute("viewBox", "0 0 10 10");
  mark.setAttribute("aria-hidden", "true");
  const disc = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  for (const [name, value] of Object.entries({ cx: 5, cy: 5, r: 4.5, fill: hex(color) })) disc.setAttribute(name, value);
  mark.append(disc);
  return mark;
}

function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}
