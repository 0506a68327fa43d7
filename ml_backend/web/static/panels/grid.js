// A grid of any length that draws the rows in sight. A click, Up, Down, Page keys, Home and End open
// a clip, and change no tick; the box in front, X and Ctrl select it, Shift takes everything in
// between, Ctrl+A all, Escape none.

import { state } from "../data/state.js";
import { withOpened } from "../map/marks.js";
import { cut, make, oncePerFrame } from "../ui/elements.js";
import { commandOf } from "../ui/keys.js";
import { moveByKey, rowsInSight, scrollToRow, select } from "./viewport.js";

const ROW_PX = 28;
const WIDTHS = { number: [84, 0.6], date: [130, 0.8], boolean: [70, 0.5] }; // px, share of the rest
const TEXT_WIDTH = [110, 1];
const CLIP_WIDTH = [170, 2];
const TICK = "28px";
const HEAD_EM = 15; // a longer heading is cut off

export class Grid {
  #columns = [];
  #nRows = 0;
  #drawn = []; // row elements, reused: the row at a place is number place % length
  #selected = new Set();
  #focus = null;
  #place = -1; // of the focus
  #anchor = -1; // where a range selected with Shift begins

  constructor({ label, cellText, sortBy, idAt, placeOf, ids }) {
    Object.assign(this, { cellText, sortBy, idAt, placeOf, ids });
    this.head = make("div", { class: "grid-row grid-head", role: "row", "aria-rowindex": "1" });
    this.body = make("div", { class: "grid-body", role: "rowgroup" });
    this.empty = make("p", { class: "faint empty" });
    this.all = make("input", {
      type: "checkbox",
      "aria-label": "Select all that pass the filters, or none",
      title: "Select all that pass the filters, or none",
      change: () => state.set({ selection: this.#selected.size > 0 ? [] : this.ids() }),
    });
    this.grid = make(
      "div",
      {
        class: "grid",
        role: "grid",
        tabindex: "0",
        "aria-label": label,
        "aria-multiselectable": "true",
      },
      make("div", { role: "rowgroup", class: "grid-heads" }, this.head),
      this.body,
    );
    this.element = make("div", { class: "grid-frame" }, this.grid, this.empty);
    const draw = oncePerFrame(() => this.#draw());
    this.grid.addEventListener("scroll", draw, { passive: true });
    new ResizeObserver(draw).observe(this.grid);
    this.grid.addEventListener("keydown", (event) => this.#press(event));
    this.body.addEventListener("click", (event) => this.#click(event));
    this.refresh = draw;
  }

  setColumns(columns, sort) {
    this.#columns = columns;
    const focused = this.head.contains(document.activeElement) ? document.activeElement.dataset.column : null;
    const heads = columns.map((column, i) => {
      const isSorted = column.name === sort?.name;
      const isDescending = sort?.isDescending;
      const arrow = make("span", { class: "arrow", "aria-hidden": "true" }, isSorted ? (isDescending ? "▼" : "▲") : "");
      const attributes = {
        type: "button",
        class: "quiet",
        "data-column": column.name,
        title: `Sort by ${column.title}`,
      };
      const button = make("button", { ...attributes, click: () => this.sortBy(column.name) }, column.title, arrow);
      const order = isSorted ? (isDescending ? "descending" : "ascending") : "none";
      const kind = column.kind === "number" ? "grid-cell number" : "grid-cell";
      return make("div", { class: kind, role: "columnheader", "aria-sort": order, "aria-colindex": i + 2 }, button);
    });
    const mark = make("div", { class: "grid-cell tick", role: "columnheader", "aria-colindex": 1 }, this.all);
    this.head.replaceChildren(mark, ...heads);
    this.grid.setAttribute("aria-colcount", columns.length + 1);
    const widths = columns.map(widthOf);
    const tracks = widths.map(({ least, share }) => `minmax(${least}, ${share}fr)`);
    this.grid.style.setProperty("--columns", `${TICK} ${tracks.join(" ")}`);
    const leasts = [TICK, ...widths.map(({ least }) => least)];
    this.grid.style.setProperty("--least", `calc(${leasts.join(" + ")})`);
    for (const row of this.#drawn) row.element.remove();
    this.#drawn = [];
    if (focused) this.head.querySelector(`[data-column="${CSS.escape(focused)}"]`)?.focus();
    this.refresh();
  }

  /** Show so many rows; without any, a sentence says why. */
  setRows(nRows, whyNone) {
    this.empty.textContent = whyNone;
    this.#nRows = nRows;
    this.#anchor = Math.min(this.#anchor, nRows - 1);
    this.body.style.height = `${nRows * ROW_PX}px`;
    this.grid.setAttribute("aria-rowcount", nRows + 1);
    this.empty.hidden = nRows > 0;
    this.refresh();
  }

  /** Show what is selected, and the focus: a task id and its place (-1 where it is not here). */
  mark(selected, focus, place) {
    const isMoved = focus !== this.#focus || place !== this.#place;
    [this.#selected, this.#focus, this.#place] = [selected, focus, place];
    if (isMoved && place >= 0) this.#reveal(place);
    this.all.checked = selected.size > 0 && selected.size >= this.#nRows;
    this.all.indeterminate = selected.size > 0 && !this.all.checked;
    this.refresh();
  }

  scrollToTop() {
    this.grid.scrollTop = 0;
  }

  get #height() {
    return Math.max(ROW_PX, this.grid.clientHeight - this.head.offsetHeight);
  }

  #reveal(place) {
    this.grid.scrollTop = scrollToRow(place, this.grid.scrollTop, this.#height, ROW_PX);
  }

  #draw() {
    const { first, end } = rowsInSight(this.grid.scrollTop, this.#height, ROW_PX, this.#nRows);
    while (this.#drawn.length < end - first) this.#drawn.push(this.#makeRow());
    const size = this.#drawn.length;
    for (let i = 0; i < size; i++) {
      const place = first + ((((i - first) % size) + size) % size); // the one with place % size = i
      this.#drawRow(this.#drawn[i], place < end ? place : -1);
    }
    const isDrawn = this.#place >= first && this.#place < end;
    if (isDrawn) this.grid.setAttribute("aria-activedescendant", `clip-${this.#focus}`);
    else this.grid.removeAttribute("aria-activedescendant");
  }

  #makeRow() {
    const cells = this.#columns.map(({ kind }, i) =>
      make("div", {
        class: kind === "number" ? "grid-cell number" : "grid-cell",
        role: "gridcell",
        "aria-colindex": i + 2,
      }),
    );
    const box = make("span", { class: "tick-box", title: "Select" });
    const tick = make("div", { class: "grid-cell tick", role: "gridcell", "aria-colindex": 1 }, box);
    const element = make("div", { class: "grid-row", role: "row" }, tick, ...cells);
    this.body.append(element);
    return { element, cells, tick };
  }

  #drawRow({ element, cells, tick }, place) {
    element.hidden = place < 0;
    if (place < 0) return element.removeAttribute("id");
    const taskId = this.idAt(place);
    const isSelected = this.#selected.has(taskId);
    element.id = `clip-${taskId}`;
    element.dataset.place = place;
    element.style.transform = `translateY(${place * ROW_PX}px)`;
    element.setAttribute("aria-rowindex", place + 2);
    element.setAttribute("aria-selected", String(isSelected));
    element.classList.toggle("focused", taskId === this.#focus);
    element.setAttribute("aria-current", String(taskId === this.#focus));
    tick.firstChild.textContent = isSelected ? "✓" : "";
    cells.forEach((cell, i) => {
      const text = this.cellText(this.#columns[i].name, place);
      if (cell.textContent === text) return;
      if (cell.classList.contains("number")) cell.textContent = text;
      else cell.replaceChildren(cut(text));
    });
    return undefined;
  }

  #click(event) {
    const row = event.target.closest(".grid-row");
    if (!row) return;
    const place = Number(row.dataset.place);
    const isTick = event.target.closest(".tick") !== null;
    const isCtrl = event.ctrlKey || event.metaKey;
    if (isTick || isCtrl || event.shiftKey) {
      this.#select(place, { isShift: event.shiftKey, isCtrl: isCtrl || isTick }, !isTick);
    } else {
      this.#anchor = place;
      state.set({ focus: this.idAt(place) });
    }
  }

  #press(event) {
    if (event.target !== this.grid || event.altKey) return;
    this.#place = this.placeOf(state.get().focus); // keys may be quicker than pictures
    const nPerPage = Math.max(1, Math.floor(this.#height / ROW_PX) - 1);
    const place = moveByKey(event.key, this.#place, this.#nRows, nPerPage);
    const isAll = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "a";
    if (place !== null && event.shiftKey) {
      if (this.#anchor < 0) this.#anchor = Math.max(0, this.#place);
      this.#select(place, { isShift: true });
    } else if (place !== null) {
      this.#anchor = place;
      state.set({ focus: this.idAt(place) });
    } else if (isSelectKey(event) && this.#place >= 0) {
      this.#select(this.#place, { isShift: event.shiftKey, isCtrl: true }, false);
    } else if (isAll) state.set({ selection: this.ids() });
    else if (event.key === "Escape") state.set({ selection: [] });
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #select(place, keys, opens = true) {
    const { selection: ticked, focus } = state.get();
    const before = opens ? withOpened(state.get()) : ticked;
    const selection = select(this.ids(), before, place, this.#anchor, keys);
    if (!keys.isShift || this.#anchor < 0) this.#anchor = place;
    const taken = this.idAt(place);
    if (focus === null || (opens && selection.includes(taken))) state.set({ selection, focus: taken });
    else state.set({ selection, focus });
  }
}

/** Width of a column in the grid: its heading can be read, and clips' names get the most. */
function widthOf({ name, kind, title }) {
  const [px, share] = name === "clip" ? CLIP_WIDTH : (WIDTHS[kind] ?? TEXT_WIDTH);
  const head_em = Math.min(HEAD_EM, 0.6 * title.length + 2);
  return { least: `max(${px}px, ${head_em.toFixed(1)}em)`, share };
}

const isSelectKey = (event) => (event.ctrlKey || event.metaKey ? event.key === " " : commandOf(event) === "tick");
