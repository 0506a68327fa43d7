// Wording: values, counts and filters as people read them. Pure functions.

import { constants } from "./constants.js";

const LOCALE = "en-US";
const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const plain = new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: 4, useGrouping: false });

/** @typedef {import("./address.js").Filter} Filter */

/** A count: `1,260`.
 * @param {number} number */
export const count = (number) => whole.format(number);

/** A count with its noun: `1 clip`, `1,260 clips`.
 * @param {number} number */
export const clips = (number) => `${count(number)} clip${number === 1 ? "" : "s"}`;

const graphemes = new Intl.Segmenter();
const JOINED = /[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Thai}]/u;
const [TAIL_LEAST, TAIL_USUAL, TAIL_MOST, FILE_MOST] = [6, 8, 14, 22];

/** A long name in two, of which the second is shown whole: `[".../very_long_", "clip_17.wav"]`.
 *
 * Parted before a sign if there is one near the end; letters that are written joined stay together.
 * @param {string} text */
export function splitName(text) {
  if (text.length <= 2 * TAIL_USUAL) return [text];
  const signs = Array.from(graphemes.segment(text), ({ segment }) => segment);
  const isNear = (/** @type {number} */ i, /** @type {number} */ most) =>
    i >= signs.length - most && i <= signs.length - TAIL_LEAST;
  const slash = signs.findLastIndex((one, i) => isNear(i, FILE_MOST) && one === "/");
  const sign = slash < 0 ? signs.findIndex((one, i) => isNear(i, TAIL_MOST) && /[\s_.:-]/.test(one)) : slash;
  if (sign < 0 && (JOINED.test(text) || signs.length <= 2 * TAIL_USUAL)) return [text];
  const at = sign < 0 ? signs.length - TAIL_USUAL : sign;
  return [signs.slice(0, at).join(""), signs.slice(at).join("")];
}

/** Where a clip may have several labels: what it is said to have when it has none. */
export const NONE_OF_THEM = constants.none_of_them;

/** The same as a button says it. */
export const NONE_ON_BUTTON = NONE_OF_THEM.charAt(0).toUpperCase() + NONE_OF_THEM.slice(1);

/** A number: four digits, whole ones in full.
 * @param {number} number */
export function numberText(number) {
  return Number.isInteger(number) ? String(number) : plain.format(number);
}

/** A probability to two digits; next to nothing and next to certain say so.
 * @param {number} probability */
export function probabilityText(probability) {
  if (probability < 0.005) return "< 0.01";
  return probability >= 0.995 ? "> 0.99" : probability.toFixed(2);
}

/** Seconds since 1970 as `2024-05-01 20:15` (UTC, as the metadata gave it).
 * @param {number} seconds */
export function dateText(seconds) {
  const text = new Date(seconds * 1000).toISOString();
  const time = text.slice(17, 19) === "00" ? text.slice(11, 16) : text.slice(11, 19);
  return time === "00:00" ? text.slice(0, 10) : `${text.slice(0, 10)} ${time}`;
}

/** What a column holds at a row; empty where it holds nothing.
 * @param {import("./packed.js").Column} column @param {number} row */
export function valueText({ kind, values, codes, names }, row) {
  if (codes) return codes[row] < 0 ? "" : (names?.[codes[row]] ?? String(codes[row]));
  const value = values[row];
  if (Number.isNaN(value)) return "";
  return kind === "date" ? dateText(value) : value.toFixed(decimalsOf(values));
}

const decimals = new WeakMap(); // values → decimals, the same for a whole column

/** As many decimals as the values have, but no more than four digits for the largest.
 * @param {import("./packed.js").Numbers["values"]} values */
function decimalsOf(values) {
  if (!decimals.has(values)) decimals.set(values, countDecimals(values));
  return decimals.get(values);
}

/** @param {import("./packed.js").Numbers["values"]} values */
function countDecimals(values) {
  const known = values.filter((value) => Number.isFinite(value));
  let largest = 0;
  for (const value of known) largest = Math.max(largest, Math.abs(value));
  largest ||= 1;
  const power = Math.log10(largest);
  const most = Math.max(0, Math.min(8, 3 - (largest < 1 ? Math.ceil(power) : Math.floor(power))));
  let n = 0;
  for (const value of known) {
    // Rounded to 32 bits, 0.1 is 0.10000000149.
    while (n < most && Math.abs(value - Number(value.toFixed(n))) > 1e-6 * Math.abs(value)) n++;
    if (n === most) break;
  }
  return n;
}

/** A name among others: quoted where it holds a comma, so that it is not taken for two.
 * @param {string} name */
export const quoted = (name) => (name.includes(",") ? `“${name}”` : name);

/** Several labels as one; among several, a name that holds a comma is quoted (as in snapshot/columns.py).
 * @param {string[]} labels */
export const labelsText = (labels) => (labels.length < 2 ? labels : labels.map(quoted)).join(", ");

/** An answer: its labels, or that the clip was skipped (null).
 * @param {string[] | null} labels */
export const answerText = (labels) => (labels === null ? "skipped" : labelsText(labels) || NONE_OF_THEM);

/** Why clips were refused, each reason once.
 * @param {{ reason: string }[]} refused */
export const reasonsText = (refused) => [...new Set(refused.map(({ reason }) => reason))].join(" ");

/** A filter in a few words: `1 to 2`, `siren, other`, `with a value`.
 * @param {Filter} filter @param {string} key */
export function filterText(filter, key) {
  if ("words" in filter) return `“${filter.words}”`;
  if ("values" in filter) return valuesText(filter);
  const { lo, hi, missing } = filter;
  const unit = key.endsWith("@hour") ? " h" : "";
  const [from, to] = [lo, hi].map((end) => (end === null ? null : String(end).replace("T", " ") + unit));
  let text = "with a value";
  if (from !== null && to !== null) text = from === to ? from : `${from} to ${to}`;
  else if (from !== null) text = `from ${from}`;
  else if (to !== null) text = `up to ${to}`;
  return missing ? `${text}, or no value` : text;
}

/** @param {import("./address.js").Values} filter */
function valuesText({ values, not }) {
  if (not && values.length === 1 && values[0] === null) return "with a value";
  const named = values.map((value) => (values.length > 1 ? quoted(value ?? "no value") : (value ?? "no value")));
  const shown = named.length > 3 ? [...named.slice(0, 2), `${named.length - 2} more`] : named;
  return (not ? "not " : "") + shown.join(", ");
}

/** A time in a clip: `0:03.2`.
 * @param {number} seconds */
export function clockText(seconds) {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  const rest = tenths % 600;
  return `${Math.floor(tenths / 600)}:${String(Math.floor(rest / 10)).padStart(2, "0")}.${rest % 10}`;
}

/** Round times from 0 to the end of a clip, at most `most + 1` of them.
 * @param {number} duration_s @param {number} most */
export function timeTicks(duration_s, most) {
  const least = duration_s / most;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = power * Number([1, 2, 5, 10].find((factor) => factor * power >= least * (1 - 1e-9)));
  const n = Math.floor(duration_s / step + 1e-6) + 1;
  return Array.from({ length: n }, (_, i) => Number((i * step).toFixed(6)));
}
