// The table of the filtered clips: sorted, with a choice of columns, and the selection in common
// with map and inspector. Draws only the rows in sight (see grid.js).

import { clipData } from "../data/clip_data.js";
import { sequence } from "../data/sequence.js";
import { sortedRows, sortKeys, visibleRows } from "../data/sorting.js";
import { state } from "../data/state.js";
import { clips, count, valueText } from "../data/wording.js";
import { fail } from "../ui/dialogs.js";
import { make, oncePerFrame, remember, remembered, say } from "../ui/elements.js";
import { Grid } from "./grid.js";
import { mountQueueing } from "./queue_buttons.js";
import { mountGridButton } from "./thumbnail_grid.js";

const DEFAULT_COLUMNS = ["clip", "label", "predicted", "entropy", "rank", "recording"];

class Table {
  #columns = new Map(); // name → decoded column, or null where it cannot be had
  #wanted = remembered("columns", DEFAULT_COLUMNS); // names of columns, those too that come later
  #names = []; // those of them that there are
  #order = new Uint32Array(0); // all rows, sorted
  #arranged = []; // what they were sorted by
  #rows = new Uint32Array(0); // those that pass the filters

  constructor(panel) {
    this.counts = make("p", { class: "counts-line", role: "status" });
    this.menu = make("details", { class: "menu", keydown: (event) => this.#closeMenu(event) });
    const head = make(
      "header",
      { class: "panel-head" },
      make("h2", {}, "Clips"),
      this.counts,
      make("span", { class: "grow" }),
    );
    mountGridButton(head);
    this.showQueueing = mountQueueing(head, () => this.#ids());
    head.append(this.menu);
    this.grid = new Grid({
      label: "Clips that pass the filters",
      cellText: (name, place) => this.#cellText(name, place),
      sortBy: (name) => this.#sortBy(name),
      idAt: (place) => clipData.ids[this.#rows[place]],
      placeOf: (taskId) => sequence.placeOf(taskId),
      ids: () => this.#ids(),
    });
    panel.replaceChildren(head, this.grid.element);
    document.addEventListener("pointerdown", ({ target }) => {
      if (!this.menu.contains(target)) this.menu.open = false;
    });
    clipData.addEventListener("revision", () => this.#renew());
    state.on(
      ["visible"],
      oncePerFrame(() => this.#filter()),
    );
    state.on(
      ["selection", "focus"],
      oncePerFrame(() => this.#mark()),
    );
    state.on(["sort"], () => this.#sorted());
    this.#renew();
  }

  /** Fetch the shown columns again; the old values stay until the new ones are there. */
  #renew() {
    const known = new Map([["clip", { name: "clip", title: "Clip", kind: "text" }]]);
    for (const described of clipData.frame.available) known.set(described.name, described);
    this.described = known;
    for (const name of [...this.#columns.keys()]) if (!known.has(name)) this.#columns.delete(name);
    this.#showColumns();
    this.#showMenu();
  }

  /** Show the wanted columns, and the one that sorts them. */
  #showColumns() {
    const { sort } = state.get();
    const names = sort === null ? this.#wanted : new Set([...this.#wanted, sort.name]);
    this.#names = [...names].filter((name) => this.described.has(name));
    this.grid.setColumns(
      this.#names.map((name) => this.described.get(name)),
      sort,
    );
    for (const name of this.#names) this.#fetch(name);
    this.#arrange();
  }

  async #fetch(name) {
    const { frame } = clipData;
    try {
      const column = await clipData.column(name);
      if (frame !== clipData.frame || this.#columns.get(name) === column) return;
      this.#columns.set(name, column);
      if (state.get().sort?.name === name) this.#arrange();
      else this.grid.refresh();
    } catch (error) {
      if (frame !== clipData.frame) return;
      if (this.#columns.has(name)) return; // it was told before, or its old values stay
      this.#columns.set(name, null);
      fail(`The column ${this.described.get(name).title} cannot be shown. ${error.message}`);
    }
  }

  #cellText(name, place) {
    const column = this.#columns.get(name);
    const row = this.#rows[place];
    return column && row < (column.codes ?? column.values).length ? valueText(column, row) : "";
  }

  #sortBy(name) {
    const before = state.get().sort;
    if (name !== before?.name) state.set({ sort: { name, isDescending: false } });
    else state.set({ sort: before.isDescending ? null : { name, isDescending: true } });
  }

  #sorted() {
    const { sort } = state.get();
    const how = sort?.isDescending ? "descending" : "ascending";
    const title = this.described.get(sort?.name)?.title;
    say(title === undefined ? "Sorted as imported" : `Sorted by ${title}, ${how}`);
    this.#showColumns();
    this.grid.scrollToTop();
  }

  #arrange() {
    const { sort } = state.get();
    const column = this.#columns.get(sort?.name);
    const key = [column, sort?.isDescending, clipData.frame.n];
    if (key.every((part, i) => part === this.#arranged[i])) return this.#filter();
    this.#arranged = key;
    const isReady = column && (column.codes ?? column.values).length === clipData.frame.n;
    this.#order = isReady
      ? sortedRows(sortKeys(column), sort.isDescending)
      : Uint32Array.from({ length: clipData.frame.n }, (_, row) => row);
    return this.#filter();
  }

  #filter() {
    const { visible } = state.get();
    const fits = visible !== null && visible.length === this.#order.length;
    this.#rows = fits ? visibleRows(this.#order, visible) : this.#order;
    sequence.follow(this.#rows);
    this.grid.setRows(
      this.#rows.length,
      clipData.frame.n === 0 ? "There are no clips yet." : "No clip passes the filters.",
    );
    this.#mark();
  }

  #mark() {
    const { selection, focus } = state.get();
    const n = selection.length;
    const nHidden = n - sequence.chosen().length;
    const hidden = nHidden > 0 ? `, ${count(nHidden)} of them hidden by the filters` : "";
    const selected = n > 0 ? `, ${count(n)} selected${hidden}` : "";
    this.counts.textContent = clips(this.#rows.length) + selected;
    this.showQueueing(this.#rows.length);
    this.grid.mark(new Set(selection), focus, sequence.placeOf(focus));
  }

  #ids() {
    return Array.from(this.#rows, (row) => clipData.ids[row]);
  }

  #showMenu() {
    const boxes = [...this.described.values()].map(({ name, title }) => {
      const box = make("input", {
        type: "checkbox",
        change: () => this.#choose(name, box.checked),
      });
      box.checked = this.#names.includes(name);
      return make("label", { class: "check" }, box, make("span", { class: "value" }, title));
    });
    const list = make("div", { class: "menu-list", role: "group", "aria-label": "Columns of the table" }, ...boxes);
    if (!this.menu.hasChildNodes()) this.menu.append(make("summary", { class: "button" }, "Columns"));
    this.menu.lastChild.tagName === "DIV" ? this.menu.lastChild.replaceWith(list) : this.menu.append(list);
  }

  #choose(name, isWanted) {
    const names = [...this.described.keys()];
    const chosen = this.#wanted.filter((one) => one !== name);
    this.#wanted = isWanted ? [...chosen, name].sort((a, b) => names.indexOf(a) - names.indexOf(b)) : chosen;
    remember("columns", this.#wanted);
    this.#showColumns();
  }

  #closeMenu(event) {
    if (event.key !== "Escape" || !this.menu.open) return;
    this.menu.open = false;
    this.menu.querySelector("summary").focus();
    event.stopPropagation();
  }
}

export const mountTable = (panel) => new Table(panel);
