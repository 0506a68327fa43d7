// The legend: categories that filter on a click, or a color bar with its ends.

import { cut, make, makeSvg } from "../ui/elements.js";
import { hex, N_CATEGORIES, numberColor } from "./palette.js";

const BAR_STEPS = 12;
const N_SHORT = 6; // entries that have room on a small map

/** Build the legend's content; `onToggle(value)` filters, `onPoint(value or undefined)` highlights. */
export function drawLegend(element, legend, { title, about, theme, filter, onToggle, onPoint }) {
  element.replaceChildren(make("h3", {}, title));
  if (about) element.append(note(about));
  element.classList.toggle("long", legend.kind === "category" && legend.entries.length > N_SHORT);
  if (legend.kind === "number") return element.append(...bar(legend, theme));
  const entries = legend.entries.map((entry) => {
    const isOff = Boolean(filter?.values) && filter.values.includes(entry.value) === Boolean(filter.not);
    const count = entry.count.toLocaleString("en");
    const attributes = {
      type: "button",
      class: "entry",
      title: `${entry.title}: ${count} clips. Click to filter`,
      "aria-pressed": String(!isOff),
      click: () => onToggle(entry.value),
      pointerenter: () => onPoint(entry.value),
      focus: () => onPoint(entry.value),
      pointerleave: () => onPoint(undefined),
      blur: () => onPoint(undefined),
    };
    const name = cut(entry.title);
    return make(
      "li",
      {},
      make("button", attributes, swatch(entry.color), name, make("span", { class: "count" }, count)),
    );
  });
  element.append(make("ul", { class: "entries" }, ...entries));
  if (legend.more > 0) element.append(note(`and ${legend.more.toLocaleString("en")} more`));
  if (legend.repeats) element.append(note(`Colors repeat after ${N_CATEGORIES}: point at a name to see its clips.`));
  return undefined;
}

function bar({ low, high, isDate, missing, isReversed }, theme) {
  const steps = Array.from({ length: BAR_STEPS }, (_, step) => {
    const share = step / (BAR_STEPS - 1);
    const fill = hex(numberColor(isReversed ? 1 - share : share, theme));
    return makeSvg("rect", { x: step, y: 0, width: 1.02, height: 1, fill });
  });
  const viewBox = `0 0 ${BAR_STEPS} 1`;
  const strip = makeSvg("svg", { class: "bar", viewBox, preserveAspectRatio: "none", "aria-hidden": "true" }, ...steps);
  const ends = [low, high].map((value) => make("span", {}, numberText(value, isDate, high - low)));
  const parts = [strip, make("div", { class: "ends" }, ...ends)];
  if (missing > 0) parts.push(note(`none: ${missing.toLocaleString("en")} clips, gray`));
  return parts;
}

/** A number of a column in words, as exact as its range asks for. */
function numberText(value, isDate, span = Math.abs(value)) {
  if (isDate) {
    const text = new Date(value * 1000).toISOString();
    return span < 3 * 86400 ? text.slice(0, 16).replace("T", " ") : text.slice(0, 10);
  }
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const digits = Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(span || 1))));
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

const note = (text) => make("p", { class: "faint small" }, text);

const swatch = (color) =>
  makeSvg(
    "svg",
    { class: "swatch", viewBox: "0 0 10 10", "aria-hidden": "true" },
    makeSvg("circle", { cx: 5, cy: 5, r: 4.5, fill: hex(color) }),
  );
