// From a column to colors: what each point is painted, and what the legend says about it.
//
// A coloring is { colors: Uint8Array(4n), legend }; a legend is one of
//   { kind: "category", entries: [{ value, title, color, count }], more, repeats }   value null = missing
//   { kind: "number", low, high, isDate, missing, isReversed }

import { categoryColor, N_CATEGORIES, numberColor, ramp } from "./palette.js";

const OPAQUE = 215;
const FAINT = 150; // missing values
const N_LISTED = 60; // of categories, in the legend
const TAIL = 0.005; // of the values lie beyond each end of the bar; outliers must not flatten it
const UNIT_RANGE = /^(entropy|disagreement|probability:)/;

/** Paint a column in a theme ("light" or "dark"). */
export function paint(column, theme) {
  return column.codes ? paintCategories(column, theme) : paintNumbers(column, theme);
}

function paintCategories({ codes, names }, theme) {
  const counts = new Map();
  for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1);
  const missing = counts.get(-1) ?? 0;
  counts.delete(-1);
  const titleOf = (code) => names?.[code] ?? String(code);
  // Few categories keep their order (of the class names); among many, the frequent ones come first.
  const isMany = Math.max(counts.size, names?.length ?? 0) > N_CATEGORIES;
  const present = [...counts.keys()].sort((a, b) => (isMany ? counts.get(b) - counts.get(a) : 0) || a - b);
  const numberOf = new Map(present.map((code, place) => [code, isMany ? place : code]));

  const colors = new Uint8Array(4 * codes.length);
  const wheel = Array.from({ length: N_CATEGORIES }, (_, number) => categoryColor(number, theme));
  const none = categoryColor(-1, theme);
  for (let row = 0; row < codes.length; row++) {
    const code = codes[row];
    const color = code < 0 ? none : wheel[numberOf.get(code) % N_CATEGORIES];
    put(colors, row, color[0], color[1], color[2], code < 0 ? FAINT : OPAQUE);
  }
  const entries = present.slice(0, N_LISTED).map((code) => ({
    value: titleOf(code),
    title: titleOf(code),
    color: categoryColor(numberOf.get(code), theme),
    count: counts.get(code),
  }));
  if (missing > 0) entries.push({ value: null, title: "none", color: none, count: missing });
  return {
    colors,
    legend: {
      kind: "category",
      entries,
      more: present.length - entries.length + Number(missing > 0),
      repeats: present.length > N_CATEGORIES,
    },
  };
}

function paintNumbers({ name, kind, values }, theme) {
  const { low, high, missing } = span(name, values);
  const isReversed = name === "rank"; // the head of the order stands out
  const bytes = ramp(theme);
  const none = numberColor(NaN, theme);
  const colors = new Uint8Array(4 * values.length);
  const factor = high > low ? 255 / (high - low) : 0;
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    if (Number.isNaN(value)) {
      put(colors, row, none[0], none[1], none[2], FAINT);
      continue;
    }
    const step = Math.round(Math.min(255, Math.max(0, (value - low) * factor)));
    const at = 3 * (isReversed ? 255 - step : step);
    put(colors, row, bytes[at], bytes[at + 1], bytes[at + 2], OPAQUE);
  }
  return { colors, legend: { kind: "number", low, high, isDate: kind === "date", missing, isReversed } };
}

/** The values that the ends of the color bar stand for. */
export function span(name, values) {
  const known = values.filter((value) => !Number.isNaN(value)).sort();
  const missing = values.length - known.length;
  if (UNIT_RANGE.test(name)) return { low: 0, high: 1, missing };
  if (known.length > 0 && name.startsWith("word:"))
    return { low: 0, high: known[Math.round((1 - TAIL) * (known.length - 1))], missing };
  if (known.length === 0) return { low: 0, high: 0, missing };
  const at = (share) => known[Math.round(share * (known.length - 1))];
  const [low, high] = [at(TAIL), at(1 - TAIL)];
  return high > low ? { low, high, missing } : { low: known[0], high: known.at(-1), missing };
}

function put(colors, row, r, g, b, a) {
  const at = 4 * row;
  colors[at] = r;
  colors[at + 1] = g;
  colors[at + 2] = b;
  colors[at + 3] = a;
}
