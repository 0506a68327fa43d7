// The controls of a category, a boolean and a text: checkboxes with counts, or words to type.

import { countCodes, valuesAt } from "../data/masks.js";
import { count } from "../data/wording.js";
import { cut, make } from "../ui/elements.js";

const N_SHOWN = 12;
const MOST_SHOWN = 500;
const PAUSE_MS = 200;
const collator = new Intl.Collator(undefined, { numeric: true });

/** Checkboxes for the values of a category or boolean column, those without a value among them. */
export class ValuesControl {
  #name;
  #column;
  #change;
  #names; // of what is chosen from: classes, where the column holds sets of them
  #nCodes;
  #all;
  #order;
  #filter = null;
  #passing;
  #boxes = new Map(); // code → { box, counts }

  constructor({ name, title }, column, change) {
    [this.#name, this.#column, this.#change] = [name, column, change];
    this.#names = column.classes ?? column.names;
    this.#nCodes = this.#names?.length ?? countNames(column);
    this.#all = this.#passing = this.#tally(null);
    this.#order = this.#codesInOrder();
    this.list = make("div", { class: "values", role: "group", "aria-label": title });
    this.element = make("div", {}, this.list);
    if (this.#order.length > N_SHOWN) this.#addSearch(title);
    this.#list();
  }

  show(filters) {
    const filter = filters[this.#name];
    this.#filter = filter && "values" in filter ? filter : null;
    const before = this.#boxes.size;
    if (this.#chosenCodes().some((code) => !this.#boxes.has(code)) || before === 0) this.#list();
    for (const [code, { box }] of this.#boxes) box.checked = this.#isChosen(code);
  }

  count(maskFor) {
    this.#passing = this.#tally(maskFor([this.#name]));
    for (const [code, { counts }] of this.#boxes) this.#showCounts(code, counts);
  }

  #codesInOrder() {
    const codes = [...Array(this.#nCodes).keys()];
    if (codes.length <= N_SHOWN)
      return this.#withMissing(codes.filter((code) => this.#all[code] > 0 || this.#column.kind !== "text"));
    codes.sort((a, b) => this.#all[b] - this.#all[a] || collator.compare(this.#text(a), this.#text(b)));
    return this.#withMissing(codes.filter((code) => this.#all[code] > 0));
  }

  // The last count is of the rows without a value.
  #withMissing(codes) {
    return this.#all[this.#nCodes] > 0 ? [...codes, this.#nCodes] : codes;
  }

  #addSearch(title) {
    this.search = make("input", {
      type: "search",
      placeholder: `Search ${count(this.#order.length)} values`,
      "aria-label": `Search the values of ${title}`,
      input: () => this.#list(),
    });
    this.more = make("button", {
      type: "button",
      class: "quiet small",
      click: () => this.#showAll(),
    });
    this.nothing = make("p", { class: "faint", role: "status" });
    this.element.prepend(this.search);
    this.element.append(this.nothing, this.more);
  }

  #showAll() {
    this.isOpen = !this.isOpen;
    this.#list();
  }

  #list() {
    const wanted = (this.search?.value ?? "").trim().toLowerCase();
    const found = this.#order.filter((code) => this.#label(code).toLowerCase().includes(wanted));
    const limit = this.isOpen || this.#order.length <= N_SHOWN + 1 ? MOST_SHOWN : N_SHOWN;
    const shown = found.slice(0, limit);
    const chosen = this.#chosenCodes().filter((code) => !shown.includes(code));
    this.#boxes.clear();
    this.list.replaceChildren(...[...chosen, ...shown].map((code) => this.#makeBox(code)));
    if (!this.more) return;
    const isNothing = found.length === 0;
    this.nothing.textContent = isNothing ? `No value holds “${this.search.value.trim()}”` : "";
    const nHidden = found.length - shown.length;
    this.more.hidden = nHidden === 0 && !this.isOpen;
    if (this.isOpen) this.more.textContent = nHidden ? `${count(nHidden)} more: search. Show fewer` : "Show fewer";
    else this.more.textContent = `Show all ${count(found.length)}`;
    this.more.setAttribute("aria-expanded", String(Boolean(this.isOpen)));
  }

  #makeBox(code) {
    const box = make("input", { type: "checkbox", change: () => this.#toggle(code) });
    box.checked = this.#isChosen(code);
    const counts = make("span", { class: "counts" });
    this.#boxes.set(code, { box, counts });
    this.#showCounts(code, counts);
    const isMissing = code === this.#nCodes;
    const text = cut(this.#label(code), { class: isMissing ? "value cut faint" : "value cut" });
    return make("label", { class: "check" }, box, text, counts);
  }

  #showCounts(code, counts) {
    const [passing, all] = [this.#passing[code], this.#all[code]];
    counts.textContent = passing === all ? count(all) : `${count(passing)} of ${count(all)}`;
  }

  #chosenCodes() {
    if (!this.#filter || this.#filter.not) return [];
    return this.#order.filter((code) => this.#isChosen(code));
  }

  #isChosen(code) {
    if (!this.#filter) return false;
    return this.#filter.values.includes(this.#value(code)) !== Boolean(this.#filter.not);
  }

  #toggle(code) {
    const { values = [], not = false } = this.#filter ?? {};
    const value = this.#value(code);
    const next = values.includes(value) ? values.filter((one) => one !== value) : [...values, value];
    if (next.length === 0) this.#change(this.#name, null);
    else this.#change(this.#name, not ? { values: next, not } : { values: next });
  }

  /** What the address says of a value: `true` and `false` of booleans, null of a missing one. */
  #value(code) {
    if (code === this.#nCodes) return null;
    return this.#column.kind === "boolean" ? ["false", "true"][code] : this.#text(code);
  }

  #label(code) {
    return code === this.#nCodes ? "no value" : this.#text(code);
  }

  #text(code) {
    return this.#names?.[code] ?? String(code);
  }

  /** Count the rows of every name, those without a value last. */
  #tally(mask) {
    const { codes, names, classes } = this.#column;
    if (!classes) return countCodes(codes, this.#nCodes, mask);
    const counts = countCodes(codes, names.length, mask);
    const byClass = new Uint32Array(classes.length + 1);
    byClass[classes.length] = counts[names.length];
    names.forEach((_, code) => {
      for (const one of valuesAt(this.#column, code)) {
        if (classes.includes(one)) byClass[classes.indexOf(one)] += counts[code];
      }
    });
    return byClass;
  }
}

const countNames = ({ codes }) => 1 + codes.reduce((most, code) => Math.max(most, code), -1);

/** A field for words that must all occur in a text. */
export class WordsControl {
  #name;
  #timer = null;

  constructor({ name, title }, _, change) {
    this.#name = name;
    this.field = make("input", {
      type: "search",
      placeholder: "Words",
      "aria-label": `${title} holds the words`,
      input: () => {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => {
          const words = this.field.value.trim();
          change(name, words ? { words } : null);
        }, PAUSE_MS);
      },
    });
    this.element = make("div", {}, this.field);
  }

  show(filters) {
    const words = filters[this.#name]?.words ?? "";
    if (this.field.value.trim() !== words) this.field.value = words;
  }

  count() {}
}
