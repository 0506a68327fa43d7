// The control of a number, a date or an hour of day: histogram with brush, and two fields to type in.

import { countCodes, hourKey, isoOf, rangeEnds, secondsOf } from "../data/masks.js";
import { clips, count, dateText, numberText } from "../data/wording.js";
import { make } from "../ui/elements.js";
import { binRange, binRows, chooseBins, rangeOnAxis } from "./bins.js";
import { Histogram } from "./histogram.js";

const DAY_S = 86400;
const HOUR_S = 3600;
const HOUR_BINS = { start: 0, step: 1, n: 24, isWhole: false };

/** One range of a column. `change(filter or null)` is called with what was chosen. */
class RangeControl {
  #change;
  #values;
  #bins;
  #binOfRow;
  #all;
  #filter = null;

  constructor({ title, values, kind, change }) {
    [this.#change, this.#values, this.kind] = [change, values, kind];
    const isHour = kind === "hour";
    this.#bins = isHour ? HOUR_BINS : chooseBins(values, kind);
    this.#binOfRow = binRows(values, this.#bins);
    this.#all = countCodes(this.#binOfRow, this.#bins.n);
    this.histogram = new Histogram({
      n: this.#bins.n,
      title,
      wraps: isHour,
      edgeText: (bin, isEnd) => this.#edgeText(bin, isEnd),
      choose: (first, last) => this.#brushed(first, last),
    });
    this.fields = ["from", "to"].map((end) => this.#makeField(end, title));
    const [from, to] = this.fields;
    const dash = make("span", { "aria-hidden": "true" }, "to");
    const row = make("div", { class: `ends ends-${kind}` }, from, dash, to, isHour ? "o’clock" : null);
    this.element = make("div", { class: "range-control" }, this.histogram.element, row);
    const nMissing = this.#all[this.#bins.n];
    if (nMissing > 0 && !isHour) this.element.append(this.#makeMissing(nMissing));
  }

  /** Show the filter that holds now. */
  show(filter) {
    this.#filter = filter;
    const [lo, hi] = [filter?.lo ?? null, filter?.hi ?? null];
    this.fields[0].value = this.#typed(lo, false);
    this.fields[1].value = this.#typed(hi, true);
    if (this.missing) this.missing.checked = !filter || Boolean(filter.missing);
    this.histogram.brush(lo === null && hi === null ? null : this.#place(lo, hi));
  }

  /** Count again, under the mask of the other filters (null = all rows). */
  count(mask) {
    this.histogram.show(this.#all, countCodes(this.#binOfRow, this.#bins.n, mask));
  }

  /** What a field shows of an end; a date's field knows no mere day. */
  #typed(end, isEnd) {
    if (end === null) return "";
    return this.kind === "date" ? isoOf(secondsOf(end, isEnd)) : String(end);
  }

  #place(lo, hi) {
    const { low, high } = rangeEnds(this.kind, { lo, hi });
    return rangeOnAxis(this.#bins, Number.isFinite(low) ? low : null, Number.isFinite(high) ? high : null);
  }

  #brushed(first, last) {
    if (first === null || (first === 0 && last === this.#bins.n - 1)) return this.#set(null, null);
    if (this.kind === "hour") return this.#set(first, last + 1);
    const { low } = binRange(this.#bins, first, first);
    const { high } = binRange(this.#bins, last, last);
    const write = this.kind === "date" ? isoOf : (number) => number;
    // The outermost bins reach beyond the values: leave the range open there.
    return this.#set(first === 0 ? null : write(low), last === this.#bins.n - 1 ? null : write(high));
  }

  #set(lo, hi) {
    const missing = Boolean(this.#filter?.missing);
    if (lo === null && hi === null) return this.#change(null);
    return this.#change(missing ? { lo, hi, missing } : { lo, hi });
  }

  #makeField(end, title) {
    const isDate = this.kind === "date";
    const attributes = isDate ? { type: "datetime-local" } : { type: "number", step: "any" };
    if (this.kind === "hour") Object.assign(attributes, { min: 0, max: 24, step: 1 });
    const placeholder = isDate ? null : this.#extreme(end);
    return make("input", {
      ...attributes,
      placeholder,
      "aria-label": `${title}, ${end}`,
      change: ({ target }) => {
        if (target.validity.badInput) return this.show(this.#filter); // half a number, or half a date
        const [lo, hi] = this.fields.map((field) =>
          field.value === "" ? null : isDate ? field.value : Number(field.value),
        );
        const { low, high } = rangeEnds(this.kind, { lo, hi });
        const isReversed = this.kind !== "hour" && low > high;
        return isReversed ? this.#set(hi, lo) : this.#set(lo, hi);
      },
    });
  }

  #extreme(end) {
    if (this.kind === "hour") return end === "from" ? "0" : "24";
    let [low, high] = [Infinity, -Infinity];
    for (const value of this.#values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return low > high ? "" : numberText(end === "from" ? low : high);
  }

  #makeMissing(nMissing) {
    this.missing = make("input", {
      type: "checkbox",
      change: () => {
        const { lo = null, hi = null } = this.#filter ?? {};
        const isOpen = lo === null && hi === null;
        if (!this.missing.checked) this.#change({ lo, hi });
        else this.#change(isOpen ? null : { lo, hi, missing: true });
      },
    });
    const text = `and ${clips(nMissing)} without a value`;
    return make("label", { class: "check" }, this.missing, make("span", {}, text));
  }

  #edgeText(bin, isEnd) {
    const { low, high } = binRange(this.#bins, bin, bin);
    const value = isEnd ? high : low;
    if (this.kind === "hour") return `${count(value)} o’clock`;
    return this.kind === "date" ? dateText(value) : numberText(value);
  }
}

/** The control of a number column. */
export function numberControl({ name, title }, column, change) {
  const range = new RangeControl({
    title,
    values: column.values,
    kind: "number",
    change: (filter) => change(name, filter),
  });
  return {
    element: range.element,
    show: (filters) => range.show(rangeOf(filters[name])),
    count: (maskFor) => range.count(maskFor([name])),
  };
}

/** The control of a date column: when, and at what hour of the day. */
export function dateControl({ name, title }, column, change) {
  const key = hourKey(name);
  const dates = new RangeControl({
    title,
    values: column.values,
    kind: "date",
    change: (filter) => change(name, filter),
  });
  const hours = new RangeControl({
    title: `${title}, hour of day`,
    values: column.values.map((seconds) => (seconds - Math.floor(seconds / DAY_S) * DAY_S) / HOUR_S),
    kind: "hour",
    change: (filter) => change(key, filter),
  });
  const heading = make("p", { class: "faint small" }, "Hour of day (may pass midnight: 20 to 4)");
  return {
    element: make("div", {}, dates.element, heading, hours.element),
    show: (filters) => {
      dates.show(rangeOf(filters[name]));
      hours.show(rangeOf(filters[key]));
    },
    count: (maskFor) => {
      dates.count(maskFor([name]));
      hours.count(maskFor([key]));
    },
  };
}

const rangeOf = (filter) => (filter && "lo" in filter ? filter : null);
