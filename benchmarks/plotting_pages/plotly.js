import { load } from "./load.js";

export async function create(element, { x, y, codes, palette }) {
  await load("plotly.min.js");
  const colorscale = palette.map((color, i) => [i / (palette.length - 1), color]);
  const marker = { color: codes, colorscale, cmin: 0, cmax: 9, size: 5, opacity: 0.85 };
  const axis = { range: [0, 1], showticklabels: false };
  const layout = { dragmode: "lasso", margin: { l: 0, r: 0, t: 0, b: 0 }, xaxis: axis, yaxis: { ...axis } };
  const trace = { type: "scattergl", mode: "markers", x, y, marker, hoverinfo: "none" };
  await Plotly.newPlot(element, [trace], layout, { scrollZoom: true });
  return {
    recolor: (chosen) => Plotly.restyle(element, { "marker.color": [chosen] }),
    look: (cx, cy, zoom) =>
      Plotly.relayout(element, {
        "xaxis.range": [cx - 0.5 / zoom, cx + 0.5 / zoom],
        "yaxis.range": [cy - 0.5 / zoom, cy + 0.5 / zoom],
      }),
    onLasso: (tell) => element.on("plotly_selected", (event) => event && tell(event.points.length)),
  };
}
