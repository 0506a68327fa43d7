import { load } from "./load.js";

export async function create(element, { x, y, codes, palette }) {
  await load("regl-scatterplot.min.js");
  const canvas = document.createElement("canvas");
  canvas.className = "fill";
  element.append(canvas);
  const { default: createScatterplot } = ReglScatterplot;
  const { width, height } = element.getBoundingClientRect();
  const plot = createScatterplot({
    canvas,
    width,
    height,
    pointSize: 5,
    opacity: 0.85,
    pointColor: palette,
    colorBy: "valueA",
    mouseMode: "lasso",
  });
  const points = (chosen) => ({ x: x.map((v) => 2 * v - 1), y: y.map((v) => 2 * v - 1), valueA: chosen });
  await plot.draw(points(codes));
  return {
    recolor: (chosen) => plot.draw(points(chosen)),
    look: (cx, cy, zoom) => {
      const [tx, ty] = [zoom * (1 - 2 * cx), zoom * (1 - 2 * cy)];
      plot.view(Float32Array.of(zoom, 0, 0, 0, 0, zoom, 0, 0, 0, 0, 1, 0, tx, ty, 0, 1), { preventEvent: true });
    },
    onLasso: (tell) => plot.subscribe("select", ({ points: rows }) => tell(rows.length)),
  };
}
