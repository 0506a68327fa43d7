// The address of a view, so that it can be sent to a colleague:
//   ?color=entropy&locality=1&f.label=siren,other&f.meta:salience=1..2&f.clip=~bark&sel=12,15&focus=12
//
// A filter is one of
//   { values: [text or null, …] }   categories and booleans; null (`-`) = missing
//   { values: […], not: true }      all but these (`!-` = whatever has a value)
//   { lo, hi }                      numbers, or dates as ISO texts; either may be null
//   { lo, hi, missing: true }       the same, and what has no value (`1..2,-`)
//   { words }                       texts that hold these words
// Columns of the page's own, such as the similarity to a dropped sound, stay out of it.
// A long selection moves behind the `#`, which servers never see and so never refuse.

import { constants } from "./constants.js";

/** @typedef {{ values: (string | null)[], not?: boolean }} Values */
/** @typedef {{ lo: End, hi: End, missing?: boolean }} Range */
/** @typedef {string | number | null} End */
/** @typedef {Values | Range | { words: string }} Filter */
/** @typedef {{ color: string | null, locality: number | null, filters: Record<string, Filter>, selection: number[],
 *   focus: number | null }} View */

const OF_THIS_PAGE = ["similarity"];
const NUMBER_OR_DATE = /^(-?\d+(\.\d+)?(e[+-]?\d+)?|\d{4}-\d\d(-\d\d(T[\d:.]+Z?)?)?)?$/i;

/** Write a view as a query (with `#sel=…` behind it where it would be too long).
 * @param {Partial<View>} view */
export function toAddress({ color, locality, filters = {}, selection = [], focus = null }) {
  const parts = [];
  if (color && !OF_THIS_PAGE.includes(color)) parts.push(`color=${encode(color)}`);
  if (locality !== null && locality !== undefined) parts.push(`locality=${locality}`);
  const told = Object.keys(filters).filter((column) => !OF_THIS_PAGE.includes(column));
  for (const column of told.sort()) {
    parts.push(`f.${encode(column)}=${writeFilter(filters[column])}`);
  }
  if (focus !== null) parts.push(`focus=${focus}`);
  const selected = selection.length > 0 ? `sel=${selection.join(",")}` : "";
  const query = parts.length > 0 ? `?${parts.join("&")}` : "";
  if (!selected) return query;
  if (query.length + selected.length > constants.longest_address) return `${query}#${selected}`;
  return query ? `${query}&${selected}` : `?${selected}`;
}

/** Read a query and what stands behind `#`; what is not understood is left out.
 * @param {string} query @returns {View} */
export function fromAddress(query, hash = "") {
  /** @type {View} */
  const view = { color: null, locality: null, filters: {}, selection: [], focus: null };
  for (const part of [...split(query, "?"), ...split(hash, "#")]) {
    const cut = part.indexOf("=");
    if (cut < 1) continue;
    const [name, value] = [decode(part.slice(0, cut)), part.slice(cut + 1)];
    if (name === "color") view.color = decode(value);
    else if (name === "locality") view.locality = wholeNumber(value, 3);
    else if (name === "focus") view.focus = wholeNumber(value);
    else if (name === "sel")
      view.selection = sortedIds(
        decode(value)
          .split(",")
          .map((id) => wholeNumber(id)),
      );
    else if (name.startsWith("f.") && name.length > 2) view.filters[name.slice(2)] = readFilter(value);
  }
  return view;
}

/** Task ids in ascending order, each once.
 * @param {(number | null)[]} ids @returns {number[]} */
export function sortedIds(ids) {
  return [...new Set(ids)].filter((id) => id !== null).sort((a, b) => a - b);
}

/** @param {Filter} filter */
function writeFilter(filter) {
  if ("words" in filter) return `~${encode(filter.words)}`;
  if ("values" in filter) return (filter.not ? "!" : "") + filter.values.map(writeValue).join(",");
  return `${filter.lo ?? ""}..${filter.hi ?? ""}${filter.missing ? ",-" : ""}`;
}

/** @param {string} value @returns {Filter} */
function readFilter(value) {
  if (value.startsWith("~")) return { words: decode(value.slice(1)) };
  const missing = value.endsWith(",-");
  const ends = decode(missing ? value.slice(0, -2) : value).split("..");
  if (ends.length === 2 && value.includes("..") && ends.every((end) => NUMBER_OR_DATE.test(end))) {
    return { lo: end(ends[0]), hi: end(ends[1]), ...(missing && { missing }) };
  }
  const not = value.startsWith("!");
  const texts = (not ? value.slice(1) : value).split(",");
  const values = texts[0] === "" && texts.length === 1 ? [] : texts.map(readValue);
  return not ? { values, not } : { values };
}

/** @param {string} text */
const end = (text) => (text === "" ? null : Number.isNaN(Number(text)) ? text : Number(text));

// A category may be called "-", "!", "~a" or "1..2".
/** @param {string | null} value */
const writeValue = (value) =>
  value === null
    ? "-"
    : encode(value).replaceAll(".", "%2E").replaceAll("~", "%7E").replace(/^-$/, "%2D").replace(/^!/, "%21");

/** @param {string} text */
const readValue = (text) => (text === "-" ? null : decode(text));

/** @param {string} text */
const encode = (text) => encodeURIComponent(text).replaceAll("%3A", ":").replaceAll("%40", "@");

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text; // a lone % is taken as it stands
  }
}

/** @param {string} text */
function wholeNumber(text, largest = Number.MAX_SAFE_INTEGER) {
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  return number <= largest ? number : null;
}

/** @param {string} text @param {string} sign */
const split = (text, sign) => (text.startsWith(sign) ? text.slice(1) : text).split("&");
