// Where the visitor looks: the map is the unit square, y upwards; the screen is in CSS pixels.
//
// A view is { x, y, zoom }: the middle of the screen in map units; zoom 1 shows the whole map.

export const WHOLE = Object.freeze({ x: 0.5, y: 0.5, zoom: 1 });
const MAX_ZOOM = 400;
const MIN_ZOOM = 0.5;
const MARGIN = 0.94; // of the shorter side

/** Pixels per map unit. */
export const scaleOf = (view, size) => view.zoom * Math.min(size.width, size.height) * MARGIN;

/** Screen position of a point of the map. */
export function toScreen(view, size, x, y) {
  const scale = scaleOf(view, size);
  return [size.width / 2 + (x - view.x) * scale, size.height / 2 - (y - view.y) * scale];
}

/** Point of the map at a screen position. */
export function toMap(view, size, px, py) {
  const scale = scaleOf(view, size);
  return [view.x + (px - size.width / 2) / scale, view.y - (py - size.height / 2) / scale];
}

/** Move what is shown by some pixels. */
export function pan(view, size, dx, dy) {
  const scale = scaleOf(view, size);
  return bounded({ ...view, x: view.x - dx / scale, y: view.y + dy / scale });
}

/** Zoom by a factor; what lies under (px, py) stays there. */
export function zoomAt(view, size, factor, px = size.width / 2, py = size.height / 2) {
  const zoom = Math.min(MAX_ZOOM, Math.max(MIN_ZOOM, view.zoom * factor));
  const [x, y] = toMap(view, size, px, py);
  const held = view.zoom / zoom;
  return bounded({ x: x + (view.x - x) * held, y: y + (view.y - y) * held, zoom });
}

/** The view that shows all of some points, given as box. */
export function fit(box, size) {
  const side = Math.min(size.width, size.height);
  const wide = Math.max((box.right - box.left) * (side / size.width), 1e-4);
  const high = Math.max((box.top - box.bottom) * (side / size.height), 1e-4);
  const zoom = Math.min(MAX_ZOOM / 10, 0.8 / Math.max(wide, high));
  return { x: (box.left + box.right) / 2, y: (box.bottom + box.top) / 2, zoom: Math.max(zoom, 1) };
}

const bounded = (view) => ({ ...view, x: within01(view.x), y: within01(view.y) });
const within01 = (value) => Math.min(1.2, Math.max(-0.2, value));
