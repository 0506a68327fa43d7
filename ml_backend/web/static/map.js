// The similarity map: joins picture, gestures, legend and tools to the shared state.

import { paint } from "./coloring.js";
import { defaultColor, makeColorBox, titleOf } from "./colorby.js";
import { inPolygon, NOWHERE } from "./geometry.js";
import { attachGestures } from "./gestures.js";
import { makeHoverCard } from "./hovercard.js";
import { drawLegend } from "./legend.js";
import { makeLocalitySlider, makeProgressLine } from "./locality.js";
import { MapView } from "./mapview.js";
import { combine, marksOf, positionsOf, toggleValue } from "./marks.js";
import { pool } from "./pool.js";
import { makeSoundSearch, makeWordBox } from "./search.js";
import { state } from "./state.js";
import { makeToolbar } from "./toolbar.js";

/** Fill `element` with the map; `tell(sentence)` reaches the visitor. Answers with its keys. */
export function mountMap(element, tell) {
  const { stage, canvas, lasso, legend, bar, empty } = build(element);
  const mapView = new MapView(canvas);
  const card = makeHoverCard(stage);
  const theme = () => (document.documentElement.dataset.theme === "dark" ? "dark" : "light");
  let painted = null; // { column, legend } on show
  let emphasized; // value of the legend under the pointer
  let turn = 0;

  const mark = () => {
    const highlight = emphasized === undefined ? null : { column: painted.column, value: emphasized };
    mapView.mark(marksOf(pool, state.get(), highlight));
  };

  const drawKey = () => {
    const name = painted.column.name;
    const isCategory = painted.legend.kind === "category";
    drawLegend(legend, painted.legend, {
      title: titleOf(pool.frame, name),
      theme: theme(),
      filter: isCategory ? state.get().filters[name] : undefined,
      onToggle: (value) => state.set({ filters: toggleValue(state.get().filters, name, value) }),
      onPoint: (value) => {
        emphasized = value;
        mark();
      },
    });
  };

  // Everything of a new frame is shown in one step: places, colors and marks fit each other.
  const show = async () => {
    const mine = ++turn;
    const name = state.get().color ?? defaultColor(pool.frame);
    let column;
    try {
      column = await pool.column(name);
    } catch (error) {
      if (mine !== turn) return;
      tell(`The map cannot be colored by ${titleOf(pool.frame, name)}: ${error.message}`);
      column = await pool.column(defaultColor(pool.frame));
    }
    if (mine !== turn) return; // another color was chosen meanwhile
    const { colors, legend: key } = paint(column, theme());
    painted = { column, legend: key };
    if (mapView.ids !== pool.ids || mapView.frame !== pool.frame) {
      mapView.frame = pool.frame;
      const xy = positionsOf(pool.frame);
      empty.hidden = xy.some((value) => value !== NOWHERE);
      mapView.place(pool.ids, xy);
    }
    emphasized = undefined;
    mapView.paint(colors);
    mark();
    drawKey();
    colorBox.show(titleOf(pool.frame, column.name));
    element.dataset.color = column.name;
  };

  const select = (rows, how, focus = null) => {
    const picked = rows.map((row) => mapView.ids[row]);
    const selection = combine(state.get().selection, picked, how);
    const focused = focus ?? state.get().focus;
    state.set({ selection, focus: selection.includes(focused) ? focused : (selection[0] ?? null) });
  };

  const tools = makeToolbar({
    mapView,
    rowsOfSelection: () => state.get().selection.map((id) => pool.rowOf(id)).filter((row) => row >= 0),
  });
  const colorBox = makeColorBox(() => pool.frame, (name) => state.set({ color: name }));
  const sound = makeSoundSearch(stage, tell);
  bar.append(field("Color by", colorBox.element), makeWordBox().element, sound.button, sound.picker, grow(), makeLocalitySlider(tell));
  stage.append(tools.element, makeProgressLine());

  attachGestures(mapView, lasso, {
    tool: tools.tool,
    onHover: (row, px, py) => card.show(row < 0 ? null : mapView.ids[row], px, py),
    onPick: (row, how) => (row < 0 ? how === "replace" && select([], how) : select([row], how, mapView.ids[row])),
    onEnclose: (polygon, how) =>
      select(inPolygon(mapView.xy, polygon).filter((row) => !mapView.isFaded(row)), how),
  });

  mapView.wear(theme());
  document.addEventListener("themechange", () => {
    mapView.wear(theme());
    show();
  });
  state.on(["color"], show);
  state.on(["selection", "focus", "visible"], mark);
  state.on(["filters"], () => painted && drawKey());
  pool.addEventListener("revision", show);
  const ready = show();
  return {
    ready,
    keys: { ...tools.keys, c: () => colorBox.input.focus(), Escape: () => state.set({ selection: [], focus: null }) },
  };
}

function build(element) {
  element.replaceChildren();
  const bar = document.createElement("div");
  bar.className = "map-bar";
  const stage = document.createElement("div");
  stage.className = "map-stage";
  const canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "Map of all clips: similar ones lie close. Arrows move, plus and minus zoom, Enter chooses the clip in the middle");
  const overlay = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  overlay.setAttribute("class", "lasso");
  overlay.setAttribute("aria-hidden", "true");
  const lasso = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
  overlay.append(lasso);
  const legend = document.createElement("div");
  legend.className = "legend";
  legend.setAttribute("role", "group");
  legend.setAttribute("aria-label", "Legend");
  const empty = document.createElement("p");
  empty.className = "map-empty faint";
  empty.textContent = "Nothing to see yet: clips appear here once they have been heard.";
  stage.append(canvas, overlay, empty);
  const body = document.createElement("div");
  body.className = "map-body";
  body.append(stage, legend);
  element.append(bar, body);
  return { stage, canvas, lasso, legend, bar, empty };
}

function field(title, content) {
  const label = document.createElement("div");
  label.className = "map-field";
  const words = document.createElement("span");
  words.className = "faint";
  words.textContent = title;
  words.setAttribute("aria-hidden", "true"); // the box says it itself
  label.append(words, content);
  return label;
}

function grow() {
  const space = document.createElement("span");
  space.className = "grow";
  return space;
}
