// Masks: which rows pass a filter, and how many rows carry each value. Pure functions of arrays.
//
// Columns are as packed.js decodes them, filters as address.js reads them. A mask is a Uint8Array,
// one byte per row, 1 = passes. Without a value a row passes no filter, unless the filter names it:
//   { lo, hi, missing: true }   the range, and what has no value
//   { values: [null] }          what has no value; with `not: true` what has one
// A column with `classes` holds sets of these (its `members`); to pass, one of a set is enough.

import { membersAt, nameOf } from "./packed.js";

/** @typedef {import("./address.js").Filter} Filter */
/** @typedef {import("./address.js").Range} Range */
/** @typedef {import("./address.js").Values} Values */
/** @typedef {import("./packed.js").Column} Column */
/** @typedef {import("./packed.js").Codes} Codes */
/** @typedef {import("./packed.js").Numbers} Numbers */

const DAY_S = 86400;
const HOUR_S = 3600;
const HOUR_KEY = "@hour";

/** Key in `state.filters` of a date column's hour of day.
 * @param {string} name */
export const hourKey = (name) => name + HOUR_KEY;

/** Name of the column that a key in `state.filters` speaks of.
 * @param {string} key */
export const columnOf = (key) => (isHourKey(key) ? key.slice(0, -HOUR_KEY.length) : key);

/** @param {string} key */
const isHourKey = (key) => key.endsWith(HOUR_KEY);

/** Mark the rows that pass a filter; null where it says nothing about a column of this kind.
 * @param {string} key @param {Column} column @param {Filter} filter */
export function filterMask(key, column, filter) {
  if ("values" in filter) return column.codes ? codesMask(column, filter) : presenceMask(column, filter);
  if ("words" in filter) return column.codes ? wordsMask(column, filter.words) : null;
  if (!column.values) return null;
  if (isHourKey(key)) return hoursMask(column.values, filter);
  return rangeMask(column.values, rangeEnds(column.kind, filter), filter.missing);
}

/** The ends of a range as numbers, dates in seconds; open ends are infinite.
 * @param {string} kind @param {Range} range */
export function rangeEnds(kind, { lo, hi }) {
  const number = kind === "date" ? secondsOf : (/** @type {import("./address.js").End} */ end) => Number(end);
  return {
    low: lo === null || lo === "" ? -Infinity : number(lo, false),
    high: hi === null || hi === "" ? Infinity : number(hi, true),
  };
}

/** Read an ISO date as UTC; a mere day as the end of a range means the whole day.
 * @param {import("./address.js").End} date */
export function secondsOf(date, isEnd = false) {
  const text = String(date);
  const isDay = /^\d{4}(-\d\d)?(-\d\d)?$/.test(text);
  const seconds = Date.parse(isDay || /Z$/.test(text) ? text : `${text}Z`) / 1000;
  return seconds + (isDay && isEnd ? DAY_S - 1 : 0);
}

/** Write seconds since 1970 as an ISO date in UTC, to the minute or, where it counts, the second.
 * @param {number} seconds */
export function isoOf(seconds) {
  const text = new Date(seconds * 1000).toISOString();
  return text.slice(17, 19) === "00" ? text.slice(0, 16) : text.slice(0, 19);
}

/** @param {Numbers["values"]} values @param {{ low: number, high: number }} ends */
function rangeMask(values, { low, high }, missing = false) {
  // A typed 0.1 must meet the 0.1 that was rounded to 32 bits.
  const is32 = values instanceof Float32Array;
  const least = is32 ? Math.fround(low) : low;
  const most = is32 ? Math.fround(high) : high;
  const mask = new Uint8Array(values.length);
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    mask[row] = Number.isNaN(value) ? Number(missing) : Number(value >= least && value <= most);
  }
  return mask;
}

/** From `lo` to `hi` o'clock, over midnight where `lo` is the later of the two.
 * @param {Numbers["values"]} values @param {Range} range */
function hoursMask(values, { lo, hi, missing = false }) {
  const from = Number(lo ?? 0) * HOUR_S;
  const to = Number(hi ?? 24) * HOUR_S;
  const wraps = from > to;
  const mask = new Uint8Array(values.length);
  for (let row = 0; row < values.length; row++) {
    const time = values[row];
    const inDay = time - Math.floor(time / DAY_S) * DAY_S;
    const passes = wraps ? inDay >= from || inDay < to : inDay >= from && inDay < to;
    mask[row] = Number(Number.isNaN(time) ? missing : passes);
  }
  return mask;
}

/** @param {Codes} column @param {Values} filter */
function codesMask(column, { values, not = false }) {
  const { codes, names } = column;
  const wanted = new Set(values.map((value) => storedName(column, value)));
  const passes = (/** @type {(string | null)[]} */ those) => Number(those.some((one) => wanted.has(one)) !== not);
  const missing = passes([null]);
  const byCode = names?.map((_, code) => passes(valuesAt(column, code)));
  return Uint8Array.from(codes, (code) => (code < 0 ? missing : (byCode?.[code] ?? passes([String(code)]))));
}

/** What a filter may ask for to meet a code: its name; where classes are asked for, these, too.
 * @param {Codes} column @param {number} code */
export const valuesAt = (column, code) =>
  column.classes ? [...new Set([nameOf(column, code), ...membersAt(column, code)])] : [nameOf(column, code)];

/** What a column calls a value: addresses say `true` and `false` of booleans, people read their names.
 * @param {Codes} column @param {string | null} value */
function storedName({ kind, names }, value) {
  const code = kind === "boolean" ? ["false", "true"].indexOf(String(value)) : -1;
  return names?.[code] ?? value;
}

/** @param {Numbers} column @param {Values} filter */
function presenceMask({ values }, filter) {
  const wantsMissing = filter.values.includes(null) !== Boolean(filter.not);
  return Uint8Array.from(values, (value) => Number(Number.isNaN(value) === wantsMissing));
}

/** @param {Codes} column @param {string} text */
function wordsMask({ codes, names }, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const holds = (/** @type {string} */ name) => words.every((word) => name.toLowerCase().includes(word));
  const byCode = names?.map((name) => Number(holds(name)));
  return Uint8Array.from(codes, (code) => (code < 0 ? 0 : (byCode?.[code] ?? Number(holds(String(code))))));
}

/** Count the rows of each code; the last count is of the rows without a value.
 * @param {ArrayLike<number>} codes @param {number} nCodes @param {Uint8Array | null} mask */
export function countCodes(codes, nCodes, mask = null) {
  const counts = new Uint32Array(nCodes + 1);
  for (let row = 0; row < codes.length; row++) {
    if (mask !== null && !mask[row]) continue;
    const code = codes[row];
    counts[code < 0 || code > nCodes ? nCodes : code]++;
  }
  return counts;
}

/** Count the rows that a mask lets through.
 * @param {Uint8Array} mask */
export function countRows(mask) {
  let count = 0;
  for (let row = 0; row < mask.length; row++) count += mask[row];
  return count;
}

/** Keeps the masks of all filters, so that a change of one costs one pass over the rows. */
export class MaskSet {
  /** @param {number} nRows */
  constructor(nRows) {
    /** @type {Map<string, Uint8Array>} */
    this.masks = new Map();
    this.failures = new Uint8Array(nRows); // filters that each row fails
  }

  /** Put, replace or (with null) take away the mask of a key.
   * @param {string} key @param {Uint8Array | null} mask */
  set(key, mask) {
    const before = this.masks.get(key);
    if (before) this.#count(before, -1);
    if (mask) this.#count(mask, 1);
    if (mask) this.masks.set(key, mask);
    else this.masks.delete(key);
  }

  /** Mark the rows that pass every filter, or every one but those of some keys.
   * @param {string[]} exceptKeys */
  passing(exceptKeys = []) {
    const except = exceptKeys.flatMap((key) => this.masks.get(key) ?? []);
    const passes = new Uint8Array(this.failures.length);
    for (let row = 0; row < passes.length; row++) {
      let failures = this.failures[row];
      for (const mask of except) failures -= 1 - mask[row];
      passes[row] = Number(failures === 0);
    }
    return passes;
  }

  /** @param {Uint8Array} mask @param {number} sign */
  #count(mask, sign) {
    const { failures } = this;
    for (let row = 0; row < failures.length; row++) failures[row] += sign * (1 - mask[row]);
  }
}
