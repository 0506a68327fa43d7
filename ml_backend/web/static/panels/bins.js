// Bins: equal steps of round numbers that hold all values of a column. Pure functions of arrays.

const MAX_BINS = 40;
const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86400;
const DATE_STEPS_S = [
  1,
  5,
  15,
  30,
  ...[1, 5, 15, 30].map((minutes) => minutes * MINUTE_S),
  ...[1, 3, 6, 12].map((hours) => hours * HOUR_S),
  ...[1, 2, 7, 14, 30, 91, 182, 365, 1825, 3650].map((days) => days * DAY_S),
];

/** Choose bins: `{ start, step, n, isWhole }`; bin i begins at `start + i * step`.
 *
 * Whole numbers get whole steps, so that a bin's last value is one below the next bin's first.
 */
export function chooseBins(numbers, kind) {
  let low = Infinity;
  let high = -Infinity;
  let isWhole = kind !== "date";
  for (const number of numbers) {
    if (number < low) low = number;
    if (number > high) high = number;
    if (isWhole && number % 1 !== 0 && !Number.isNaN(number)) isWhole = false;
  }
  if (low > high) return { start: 0, step: 1, n: 1, isWhole };
  const step = chooseStep((high - low) / MAX_BINS, kind, isWhole);
  const start = roundTo(Math.floor(low / step) * step, step);
  // The largest real value belongs to the last bin, not to one of its own.
  const span = (high - start) / step;
  const n = isWhole ? Math.floor(span) + 1 : Math.max(1, Math.ceil(span - 1e-9));
  return { start, step, n, isWhole };
}

function chooseStep(least, kind, isWhole) {
  if (kind === "date") return DATE_STEPS_S.find((step) => step >= least) ?? least;
  if (isWhole && least < 1) return 1;
  if (least === 0) return 1;
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least * (1 - 1e-9));
}

// 3 * 0.1 is 0.30000000000000004: cut what the step cannot tell apart.
function roundTo(number, step) {
  const digits = Math.max(0, Math.min(100, 2 - Math.floor(Math.log10(step))));
  return Number(number.toFixed(digits));
}

/** Find the bin of every row; missing values get the number of bins. */
export function binRows(numbers, { start, step, n }) {
  const rows = new Uint8Array(numbers.length);
  for (let row = 0; row < numbers.length; row++) {
    const number = numbers[row];
    const bin = Math.floor((number - start) / step + 1e-6);
    rows[row] = Number.isNaN(number) ? n : Math.max(0, Math.min(n - 1, bin));
  }
  return rows;
}

/** Say which values the bins from `first` to `last` hold, ends included. */
export function binRange({ start, step, isWhole }, first, last) {
  const low = roundTo(start + first * step, step);
  const high = roundTo(start + (last + 1) * step, step);
  return { low, high: isWhole ? high - 1 : high };
}

/** Find the bins that a range of values covers, as fractions of the whole width. */
export function rangeOnAxis({ start, step, n, isWhole }, low, high) {
  const place = (value) => Math.max(0, Math.min(1, (value - start) / (step * n)));
  return {
    left: low === null ? 0 : place(low),
    right: high === null ? 1 : place(isWhole ? high + 1 : high),
  };
}
