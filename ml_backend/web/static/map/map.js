// The similarity map: joins picture, gestures, legend and tools to the shared state.

import { clipData } from "../data/clip_data.js";
import { state } from "../data/state.js";
import { fail } from "../ui/dialogs.js";
import { make, makeSvg } from "../ui/elements.js";
import { colorChoices, defaultColor, makeColorBox, titleOf } from "./color_menu.js";
import { paint } from "./coloring.js";
import { inPolygon, NOWHERE } from "./geometry.js";
import { attachGestures } from "./gestures.js";
import { makeHoverCard } from "./hovercard.js";
import { drawLegend } from "./legend.js";
import { makeLocalitySlider, makeProgressLine } from "./locality.js";
import { MapView } from "./map_view.js";
import { combine, marksOf, positionsOf, toggleValue, withOpened } from "./marks.js";
import { makeSoundSearch, makeWordBox } from "./search.js";
import { makeToolbar } from "./toolbar.js";

const ABOUT =
  "Map of all clips: similar ones lie close. Arrows move it, plus and minus zoom, Enter opens the clip in the middle";
const NOTHING = "No clip yet: clips appear here once they are embedded.";

/** Fill `element` with the map. Returns what keys do to it. */
export function mountMap(element) {
  const { stage, canvas, lasso, legend, bar, empty } = build(element);
  const mapView = new MapView(canvas);
  const card = makeHoverCard(stage);
  const theme = () => (document.documentElement.dataset.theme === "dark" ? "dark" : "light");
  let painted = null; // { column, legend } on show
  let emphasized; // value of the legend under the pointer
  let turn = 0;

  const mark = () => {
    const highlight = emphasized === undefined ? null : { column: painted.column, value: emphasized };
    mapView.mark(marksOf(clipData, state.get(), highlight));
  };

  const drawKey = () => {
    const name = painted.column.name;
    const isCategory = painted.legend.kind === "category";
    drawLegend(legend, painted.legend, {
      title: titleOf(clipData.frame, name),
      about: name.startsWith("word:") ? "Probability from 0 to 1 that AudioSet's classifier gives this name" : "",
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
    const name = state.get().color ?? defaultColor(clipData.frame);
    let column;
    try {
      column = await clipData.column(name);
    } catch (error) {
      if (mine !== turn) return;
      if (state.get().color === null) throw error;
      fail(`The map cannot be colored by ${titleOf(clipData.frame, name)}. ${error.message}`);
      state.set({ color: null }, { isStep: false });
      await show();
      return;
    }
    if (mine !== turn) return; // another color was chosen meanwhile
    const { colors, legend: key } = paint(column, theme());
    painted = { column, legend: key };
    if (mapView.ids !== clipData.ids || mapView.frame !== clipData.frame) {
      mapView.frame = clipData.frame;
      const xy = positionsOf(clipData.frame);
      empty.hidden = xy.some((value) => value !== NOWHERE);
      mapView.place(clipData.ids, xy);
    }
    emphasized = undefined;
    mapView.paint(colors);
    mark();
    drawKey();
    colorBox.show(titleOf(clipData.frame, column.name));
    element.dataset.color = column.name;
    offer(column);
  };

  /** Have filters and table offer what no list of the server has: a word, a dropped sound. */
  const offer = ({ name, kind }) => {
    const group = name.startsWith("word:") ? "words" : name === "similarity" ? "page" : null;
    const isOffered = colorChoices(clipData.frame).some(({ value }) => value === name);
    if (group && !isOffered) clipData.list({ name, title: titleOf(clipData.frame, name), kind, group });
  };

  const select = (rows, how, focus = null) => {
    const picked = rows.map((row) => mapView.ids[row]);
    const now = state.get();
    // Whoever adds a first clip to the one that is open means both.
    const before = focus !== null && how === "add" ? withOpened(now) : now.selection;
    const selection = combine(before, picked, how);
    const focused = focus ?? now.focus;
    state.set({ selection, focus: selection.includes(focused) ? focused : (selection[0] ?? null) });
  };

  const tools = makeToolbar({
    mapView,
    rowsOfSelection: () =>
      state
        .get()
        .selection.map((id) => clipData.rowOf(id))
        .filter((row) => row >= 0),
  });
  const colorBox = makeColorBox(
    () => clipData.frame,
    (name) => state.set({ color: name }),
  );
  const sound = makeSoundSearch(stage);
  bar.append(
    field("Color by", colorBox.element),
    makeWordBox().element,
    sound.button,
    sound.picker,
    make("span", { class: "grow" }),
    makeLocalitySlider(),
  );
  stage.before(tools.element); // beside the map: what lies under tools cannot be reached
  stage.append(makeProgressLine());

  attachGestures(mapView, lasso, {
    tool: tools.tool,
    onHover: (row, px, py) => card.show(row < 0 ? null : mapView.ids[row], px, py),
    onPick: (row, how) => {
      if (how === "replace") state.set(row < 0 ? { selection: [] } : { focus: mapView.ids[row] });
      else if (row >= 0) select([row], how, mapView.ids[row]);
    },
    onEnclose: (polygon, how) =>
      select(
        inPolygon(mapView.xy, polygon).filter((row) => !mapView.isFaded(row)),
        how,
      ),
  });

  mapView.wear(theme());
  document.addEventListener("themechange", () => {
    mapView.wear(theme());
    show();
  });
  state.on(["color"], show);
  state.on(["selection", "focus", "visible"], mark);
  state.on(["filters"], () => painted && drawKey());
  clipData.addEventListener("revision", show);
  const ready = show();
  return {
    ready,
    acts: {
      ...tools.acts,
      color: () => {
        colorBox.input.focus();
        colorBox.input.click(); // which opens the list
      },
      clear: () => state.set({ selection: [], focus: null }),
    },
  };
}

function build(element) {
  const canvas = make("canvas", { tabindex: 0, role: "application", "aria-label": ABOUT });
  const lasso = makeSvg("polygon");
  const overlay = makeSvg("svg", { class: "lasso", "aria-hidden": "true" }, lasso);
  const empty = make("p", { class: "map-empty faint", hidden: true }, NOTHING);
  const stage = make("div", { class: "map-stage" }, canvas, overlay, empty);
  const legend = make("div", { class: "legend", role: "group", "aria-label": "Legend" });
  const bar = make("div", { class: "map-bar" });
  element.replaceChildren(bar, make("div", { class: "map-body" }, stage, legend));
  return { stage, canvas, lasso, legend, bar, empty };
}

// The box says its title itself.
const field = (title, content) =>
  make("div", { class: "map-field" }, make("span", { class: "faint", "aria-hidden": "true" }, title), content);
