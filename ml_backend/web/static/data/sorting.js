// Sorting: the order of the rows by a column (as packed.js decodes it). Pure functions of arrays.

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** @typedef {import("./packed.js").Column} Column */

/** Give every row a number to sort by; NaN = missing. Names sort as people sort them.
 * @param {Column} column */
export function sortKeys({ values, codes, names }) {
  if (values) return values;
  if (!names) return Float64Array.from(codes, (code) => (code < 0 ? NaN : code));
  const places = new Float64Array(names.length);
  const byName = Uint32Array.from(names.keys());
  byName.sort((a, b) => collator.compare(names[a], names[b]) || a - b);
  for (const [place, code] of byName.entries()) places[code] = place;
  return Float64Array.from(codes, (code) => (code < 0 ? NaN : places[code]));
}

/** Order the rows: ties keep the order of the rows, missing values come last either way.
 * @param {ArrayLike<number>} keys @param {boolean} isDescending */
export function sortedRows(keys, isDescending) {
  /** @type {number[][]} */
  const [present, absent] = [[], []];
  for (let row = 0; row < keys.length; row++) {
    (Number.isNaN(keys[row]) ? absent : present).push(row);
  }
  const sign = isDescending ? -1 : 1;
  const order = Uint32Array.from(present);
  order.sort((a, b) => sign * (keys[a] - keys[b]) || a - b);
  const rows = new Uint32Array(keys.length);
  rows.set(order);
  rows.set(absent, order.length);
  return rows;
}

/** Keep the rows that a mask lets through, in their order.
 * @param {Uint32Array} order @param {Uint8Array} mask */
export function visibleRows(order, mask) {
  const rows = new Uint32Array(order.length);
  let n = 0;
  for (const row of order) if (mask[row]) rows[n++] = row;
  return rows.subarray(0, n);
}
