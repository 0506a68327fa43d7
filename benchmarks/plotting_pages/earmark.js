// Our own layer: ml_backend/web/static/map/map_view.js and gestures.js.

import { inPolygon } from "../static/map/geometry.js";
import { attachGestures } from "../static/map/gestures.js";
import { MapView } from "../static/map/map_view.js";
import { rgb } from "../static/map/palette.js";

export async function create(element, { x, y, codes, palette, n }) {
  const canvas = document.createElement("canvas");
  canvas.className = "fill";
  const lasso = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
  element.append(canvas);
  const view = new MapView(canvas);
  view.size = { width: element.clientWidth, height: element.clientHeight };
  const xy = new Float32Array(2 * n);
  for (let row = 0; row < n; row++) xy.set([x[row], y[row]], 2 * row);
  const inks = palette.map(rgb);
  const recolor = (chosen) => {
    const colors = new Uint8Array(4 * n);
    for (let row = 0; row < n; row++) colors.set([...inks[chosen[row]], 215], 4 * row);
    view.paint(colors);
  };
  view.place(
    Int32Array.from(x, (_, row) => row),
    xy,
  );
  recolor(codes);
  return {
    recolor,
    look: (cx, cy, zoom) => {
      view.view = { x: cx, y: cy, zoom };
      view.redraw();
    },
    onLasso: (tell) =>
      attachGestures(view, lasso, {
        tool: () => "lasso",
        onHover() {},
        onPick() {},
        onEnclose: (polygon) => tell(inPolygon(view.xy, polygon).length),
      }),
  };
}
