import { load } from "./load.js";

export async function create(element, { x, y, codes, palette }) {
  await load("bokeh.min.js");
  await load("bokeh-gl.min.js");
  await load("bokeh-api.min.js");
  const { Plotting, ColumnDataSource, Range1d, LinearColorMapper } = Bokeh;
  const source = new ColumnDataSource({ data: { x, y, code: Float32Array.from(codes) } });
  const figure = Plotting.figure({
    output_backend: "webgl",
    tools: "lasso_select,wheel_zoom",
    toolbar_location: null,
    width: element.clientWidth,
    height: element.clientHeight,
    x_range: new Range1d({ start: 0, end: 1 }),
    y_range: new Range1d({ start: 0, end: 1 }),
  });
  const transform = new LinearColorMapper({ palette, low: -0.5, high: 9.5 });
  const color = { field: "code", transform };
  figure.scatter(
    { field: "x" },
    { field: "y" },
    { source, size: 5, fill_color: color, line_color: null, fill_alpha: 0.85 },
  );
  const lasso = figure.toolbar.tools.find((tool) => tool.type === "LassoSelectTool");
  if (lasso) lasso.active = true;
  await Plotting.show(figure, element);
  return {
    recolor: (chosen) => {
      source.data = { x, y, code: Float32Array.from(chosen) };
    },
    look: (cx, cy, zoom) => {
      figure.x_range.setv({ start: cx - 0.5 / zoom, end: cx + 0.5 / zoom });
      figure.y_range.setv({ start: cy - 0.5 / zoom, end: cy + 0.5 / zoom });
    },
    onLasso: (tell) => source.selected.change.connect(() => tell(source.selected.indices.length)),
  };
}
