// The buttons on the map: what dragging does, zoom, whole map, selection; and their keys.

import { clipData } from "../data/clip_data.js";
import { make, makeSvg } from "../ui/elements.js";
import { keyOf } from "../ui/keys.js";

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
  ["pan", "Move the map", ". With Shift or Alt, a drag draws a lasso"],
  ["lasso", "Lasso", ". Shift adds, Alt takes away"],
  ["box", "Box", ". Shift adds, Alt takes away"],
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
  const retitles = [];
  const add = (icon, command, title, act, more = "") => {
    const picture = makeSvg(
      "svg",
      { viewBox: "0 0 16 16", "aria-hidden": "true" },
      makeSvg("path", { d: PATHS[icon] }),
    );
    const button = make("button", { type: "button", click: act }, picture);
    retitles.push(() => {
      const key = keyOf(command).toUpperCase();
      button.title = `${title}${key && ` (${key})`}${more}`;
      button.setAttribute("aria-label", button.title);
    });
    element.append(button);
    return button;
  };
  const retitle = () => {
    for (const one of retitles) one();
  };

  for (const [tool, title, more] of TOOLS)
    toggles.set(
      tool,
      add(tool, tool, title, () => choose(tool), more),
    );
  element.append(make("hr"));
  const acts = {
    ...Object.fromEntries(TOOLS.map(([tool]) => [tool, () => choose(tool)])),
    zoomIn: () => mapView.zoom(ZOOM_STEP),
    zoomOut: () => mapView.zoom(1 / ZOOM_STEP),
    showAll: () => mapView.showAll(),
    showSelection: () => mapView.showRows(rowsOfSelection()),
  };
  add("in", "zoomIn", "Zoom in", acts.zoomIn);
  add("out", "zoomOut", "Zoom out", acts.zoomOut);
  add("all", "showAll", "Show the whole map", acts.showAll);
  add("near", "showSelection", "Show the selection from near", acts.showSelection);
  retitle();
  clipData.addEventListener("revision", retitle);
  choose("pan");
  return { element, tool: () => current, acts };
}
