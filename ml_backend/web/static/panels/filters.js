// The filters' panel: quick filters, and one control for every column, made when it is opened.

import { clipData } from "../data/clip_data.js";
import { grouped } from "../data/column_groups.js";
import { filtering } from "../data/filtering.js";
import { columnOf, countRows, hourKey } from "../data/masks.js";
import { state } from "../data/state.js";
import { clips, count, filterText } from "../data/wording.js";
import { countPlaced } from "../map/marks.js";
import { make, oncePerFrame, say } from "../ui/elements.js";
import { dateControl, numberControl } from "./range_control.js";
import { ValuesControl, WordsControl } from "./values_control.js";

const N_WITHOUT_SEARCH = 15;
const HIGH_ENTROPY_SHARE = 0.1;

const CONTROLS = {
  number: numberControl,
  date: dateControl,
  text: (...args) => new WordsControl(...args),
  category: (...args) => new ValuesControl(...args),
  boolean: (...args) => new ValuesControl(...args),
};

export function mountFilters(panel) {
  const total = make("p", { class: "total", role: "status" });
  const clear = make(
    "button",
    { type: "button", class: "small", click: () => state.set({ filters: {} }) },
    "Clear all",
  );
  const head = make(
    "header",
    { class: "panel-head" },
    make("h2", {}, "Filters"),
    make("span", { class: "grow" }),
    clear,
  );
  const quick = new QuickFilters();
  const sections = new Map();
  const columns = make("div", { class: "columns" });
  const search = make("input", {
    type: "search",
    placeholder: "Search columns",
    "aria-label": "Search columns",
  });
  panel.replaceChildren(head, total, quick.element, search, columns);

  const list = () => listSections(columns, sections, search.value);
  const show = () => {
    const { filters, visible } = state.get();
    const nVisible = visible === null ? clipData.frame.n : countRows(visible);
    const shown = visible === null ? `All ${clips(nVisible)}` : `${count(nVisible)} of ${clips(clipData.frame.n)}`;
    const nPlaced = countPlaced(clipData.frame);
    const placed = nPlaced < clipData.frame.n ? ` (${count(nPlaced)} of ${count(clipData.frame.n)} on the map)` : "";
    total.textContent = shown + placed;
    clear.disabled = Object.keys(filters).length === 0;
    quick.show(filters);
    for (const section of sections.values()) section.show(filters);
  };
  const renew = () => {
    quick.renew();
    search.hidden = clipData.frame.available.length <= N_WITHOUT_SEARCH;
    list();
    for (const section of sections.values()) section.renew();
    show();
  };
  search.addEventListener("input", list);
  clipData.addEventListener("revision", renew);
  state.on(["filters"], oncePerFrame(show));
  state.on(["visible"], oncePerFrame(show));
  filtering.addEventListener("trouble", ({ detail }) => sections.get(detail.key)?.complain(detail.message));
  renew();
}

function listSections(place, sections, search) {
  const wanted = search.trim().toLowerCase();
  const known = new Set(clipData.frame.available.map(({ name }) => name));
  const named = Object.keys(state.get().filters)
    .map(columnOf)
    .filter((name) => !known.has(name));
  const strangers = [...new Set(named)].map((name) => ({
    name,
    title: name,
    kind: null,
    group: "words",
  }));
  const shown = [...clipData.frame.available, ...strangers].filter(({ title }) => title.toLowerCase().includes(wanted));
  const nodes = [];
  for (const { heading, members } of grouped(shown)) {
    nodes.push(make("h3", {}, heading));
    for (const described of members) {
      if (!sections.has(described.name)) sections.set(described.name, new Section(described));
      nodes.push(sections.get(described.name).element);
    }
  }
  place.replaceChildren(...nodes);
}

/** A column that opens: its data are fetched and its control is made when it does. */
class Section {
  #described;
  #keys;
  #control = null;
  #isOpenedByHand = false; // not by the address

  constructor(described) {
    this.#described = described;
    this.#keys = [described.name, hourKey(described.name)];
    this.summed = make("span", { class: "chosen" });
    const isNamed = this.#keys.some((key) => key in state.get().filters);
    const text = described.name.replace(/^word:/, "");
    const title = make(
      "span",
      { class: "title", title: described.title },
      text === described.name ? described.title : text,
    );
    this.body = make("div", { class: "body" });
    this.reset = make(
      "button",
      {
        type: "button",
        class: "quiet small reset",
        "aria-label": `Clear the filter of ${described.title}`,
        click: () => filtering.changeAll(Object.fromEntries(this.#keys.map((key) => [key, null]))),
      },
      "×",
    );
    const details = make(
      "details",
      { toggle: () => this.#open().then(() => this.#reveal()) },
      make("summary", { click: () => (this.#isOpenedByHand = true) }, title, this.summed),
      this.body,
    );
    this.details = details;
    this.element = make("div", { class: "column-filter" }, details, this.reset);
    details.open = isNamed;
  }

  show(filters) {
    const chosen = this.#keys.filter((key) => key in filters);
    this.summed.textContent = chosen.map((key) => filterText(filters[key], key)).join("; ");
    this.reset.hidden = chosen.length === 0;
    if (!this.#control || !this.details.open) return;
    this.#control.show(filters);
    this.#control.count((keys) => filtering.others(keys));
  }

  #reveal() {
    if (this.details.open && this.#isOpenedByHand) this.element.scrollIntoView({ block: "nearest" });
  }

  /** Make the control again: the data have changed. */
  renew() {
    this.#control = null;
    if (this.details.open) this.#open();
  }

  complain(message) {
    this.body.replaceChildren(make("p", { class: "problem" }, message));
  }

  async #open() {
    if (!this.details.open || this.#control) return;
    const { frame } = clipData;
    if (!this.body.hasChildNodes()) this.body.append(make("p", { class: "faint" }, "Loading …"));
    try {
      const column = filtering.asFiltered(await clipData.column(this.#described.name));
      if (frame !== clipData.frame || this.#control) return;
      // Typing and dragging go on where a new revision changes nothing but counts.
      const hadFocus = this.body.contains(document.activeElement);
      const label = hadFocus ? document.activeElement.getAttribute("aria-label") : null;
      const kind = this.#described.kind ?? column.kind;
      this.#control = CONTROLS[kind](this.#described, column, (key, filter) => filtering.change(key, filter));
      this.body.replaceChildren(this.#control.element);
      this.show(state.get().filters);
      if (label) this.body.querySelector(`[aria-label="${CSS.escape(label)}"]`)?.focus();
    } catch (error) {
      this.complain(error.message);
    }
  }
}

/** Buttons for what is asked most. */
class QuickFilters {
  #buttons;
  #highEntropy = 1;

  constructor() {
    const known = { values: [null], not: true };
    this.#buttons = [
      this.#make("Labeled", "label", () => known),
      this.#make("Not labeled", "label", () => ({ values: [null] })),
      this.#make("Predicted", "predicted", () => known),
      this.#make("Skipped", "skipped", () => ({ values: ["true"] })),
      this.#make("High entropy", "entropy", () => ({ lo: this.#highEntropy, hi: null })),
    ];
    const buttons = this.#buttons.map(({ button }) => button);
    this.element = make("div", { class: "quick", role: "group", "aria-label": "Quick filters" }, ...buttons);
  }

  show(filters) {
    for (const { button, key, filter } of this.#buttons) {
      button.setAttribute("aria-pressed", String(isSame(filters[key], filter())));
    }
  }

  renew() {
    this.#highEntropy = highEntropy();
  }

  #make(text, key, filter) {
    const press = () => {
      const isOn = isSame(state.get().filters[key], filter());
      filtering.change(key, isOn ? null : filter());
      say(isOn ? `${text}: off` : `${text}: on`);
    };
    const button = make("button", { type: "button", class: "small", "aria-pressed": "false", click: press }, text);
    if (key === "entropy") button.title = "The tenth of the clips with the highest entropy";
    return { button, key, filter };
  }
}

const isSame = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** The entropy that a tenth of the clips reach; 1 before there is a classifier. */
function highEntropy() {
  const known = clipData.frame.columns.get("entropy")?.values.filter((value) => !Number.isNaN(value)) ?? [];
  if (known.length === 0) return 1;
  const sorted = Float32Array.from(known).sort();
  return Math.floor(sorted[Math.floor((1 - HIGH_ENTROPY_SHARE) * (sorted.length - 1))] * 100) / 100;
}
