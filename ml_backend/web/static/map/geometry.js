// Which points: the nearest, those in a box, those in a lasso. `xy` is x0, y0, x1, y1, …

/** Coordinate of clips without a place: no view reaches it. */
export const NOWHERE = -9;

const isSomewhere = (xy, row) => xy[2 * row] > NOWHERE / 2;

/** Row of the point nearest to (x, y) within `radius`, among rows that `passes`; -1 if none. */
export function nearest(xy, x, y, radius, passes = () => true) {
  let best = -1;
  let least = radius * radius;
  for (let row = 0, n = xy.length / 2; row < n; row++) {
    const dx = xy[2 * row] - x;
    const dy = xy[2 * row + 1] - y;
    const distance = dx * dx + dy * dy;
    if (distance <= least && isSomewhere(xy, row) && passes(row)) {
      least = distance;
      best = row;
    }
  }
  return best;
}

/** Rows inside a closed polygon [[x, y], …] (even-odd rule). */
export function inPolygon(xy, polygon) {
  if (polygon.length < 3) return [];
  const px = Float64Array.from(polygon, ([x]) => x);
  const py = Float64Array.from(polygon, ([, y]) => y);
  const [left, right, bottom, top] = [Math.min(...px), Math.max(...px), Math.min(...py), Math.max(...py)];
  const rows = [];
  for (let row = 0, n = xy.length / 2; row < n; row++) {
    const [x, y] = [xy[2 * row], xy[2 * row + 1]];
    if (x < left || x > right || y < bottom || y > top) continue;
    let isInside = false;
    for (let i = 0, j = px.length - 1; i < px.length; j = i++) {
      if (py[i] > y !== py[j] > y && x < ((px[j] - px[i]) * (y - py[i])) / (py[j] - py[i]) + px[i]) {
        isInside = !isInside;
      }
    }
    if (isInside) rows.push(row);
  }
  return rows;
}

/** The corners of a box between two points, as a polygon. */
export const boxBetween = ([x0, y0], [x1, y1]) => [
  [x0, y0],
  [x1, y0],
  [x1, y1],
  [x0, y1],
];

/** The box around some rows, or null where none has a place. */
export function boxAround(xy, rows) {
  const box = { left: Infinity, right: -Infinity, bottom: Infinity, top: -Infinity };
  for (const row of rows) {
    if (!isSomewhere(xy, row)) continue;
    box.left = Math.min(box.left, xy[2 * row]);
    box.right = Math.max(box.right, xy[2 * row]);
    box.bottom = Math.min(box.bottom, xy[2 * row + 1]);
    box.top = Math.max(box.top, xy[2 * row + 1]);
  }
  return box.left <= box.right ? box : null;
}
