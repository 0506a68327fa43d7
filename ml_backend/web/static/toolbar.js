// The buttons on the map: what dragging does, zoom, whole map, selection; and their keys.

import { make, makeSvg } from "./elements.js";

const PATHS = {
  pan: "M8 2v12M2 8h12M8 2 6 4M8 2l2 2M8 14l-2-2M8 14l2-2M2 8l2-2M2 8l2 2M14 8l-2-2M14 8l-2 2",
  lasso: "M8 3c3.5 0 6 1.6 6 3.600S11.5 10.2 8 10.2 2 8.6 2 6.6 4.5 3 8 3ZM5 10c-1 .8-1 2 0 2.400s1.5 1 .8 2",
  box: "M2.5 3.500h11v9h-11z",
  in: "M8 3v10M3 8h10",
  out: "M3 8h10",
  all: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
  near: "M8 1v3M8 12v3M1 8h3M12 8h3M8 5a3 3 0 1 0 0 6 3 3 0 1 0 0-6Z",
};
const TOOLS = [
  ["pan", "Move the map (V). With Shift or Alt, a drag draws a lasso"],
  ["lasso", "Lasso (L). Shift adds, Alt takes away"],
  ["box", "Box (B). Shift adds, Alt takes away"],
];
const ZOOM_STEP = 1.6;

/** Build the toolbar; `tool()` tells what dragging does now. */
export function makeToolbar({ mapView, rowsOfSelection }) {
  const said = { role: "toolbar", "aria-label": "Map tools", "aria-orientation": "vertical" };
  const element = make("div", { class: "map-tools", ...said });
  let current = "pan";
  const toggles = new Map();

  const choose = (tool) => {
    current = tool;
    for (const [name, button] of toggles) button.setAttribute("aria-pressed", String(name === tool));
    mapView.canvas.dataset.tool = tool;
  };
  const add = (icon, title, act) => {
    const picture = makeSvg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, makeSvg("path", { d: PATHS[icon] }));
    const button = make("button", { type: "button", title, "aria-label": title, click: act }, picture);
    element.append(button);
    return button;
  };

  for (const [tool, title] of TOOLS) toggles.set(tool, add(tool, title, () => choose(tool)));
  element.append(make("hr"));
  const zoomIn = () => mapView.zoom(ZOOM_STEP);
  const zoomOut = () => mapView.zoom(1 / ZOOM_STEP);
  const near = () => mapView.showRows(rowsOfSelection());
  add("in", "Zoom in (+)", zoomIn);
  add("out", "Zoom out (−)", zoomOut);
  add("all", "Show the whole map (F)", () => mapView.showAll());
  add("near", "Show the selection from near (Z)", near);
  choose("pan");

  const keys = {
    v: () => choose("pan"), l: () => choose("lasso"), b: () => choose("box"),
    "+": zoomIn, "=": zoomIn, "-": zoomOut, f: () => mapView.showAll(), z: near,
  };
  return { element, tool: () => current, keys };
}
