// Filtering: from `state.filters` to `state.visible`. Fetches the columns that filters name.
//
//   await filtering.start()
//   filtering.change(key, filter)     put, replace or (with null) take away a filter
//   filtering.others(keys)            mask of the rows that pass all filters but those; null = all
//   filtering.addEventListener("trouble", …)   event.detail = { key, message }

import { clipData } from "./clip_data.js";
import { columnOf, filterMask, MaskSet } from "./masks.js";
import { state } from "./state.js";

const OF_CLASSES = ["label", "predicted"];

/** @typedef {import("./packed.js").Column} Column */
/** @typedef {import("./address.js").Filter} Filter */

class Filtering extends EventTarget {
  #masks = new MaskSet(0);
  /** @type {Map<string, { filter: Filter, column?: Column | null }>} key → what its mask was made of */
  #made = new Map();
  /** @type {Map<string, { frame: unknown, column: Column | null }>} name → column; null where it cannot be had */
  #loaded = new Map();
  #run = 0;

  /** Apply the filters of the address, then follow every change. */
  async start() {
    state.on(["filters"], () => this.#apply());
    clipData.addEventListener("revision", () => this.#apply());
    await this.#apply();
  }

  /** @param {string} key @param {Filter | null} filter */
  change(key, filter) {
    this.changeAll({ [key]: filter });
  }

  /** Change several filters at once; null takes one away.
   * @param {Record<string, Filter | null>} patch */
  changeAll(patch) {
    const filters = { ...state.get().filters };
    for (const [key, filter] of Object.entries(patch)) {
      if (filter === null) delete filters[key];
      else filters[key] = filter;
    }
    state.set({ filters });
  }

  /** @param {string[]} keys */
  others(keys) {
    const rest = [...this.#made.keys()].filter((key) => !keys.includes(key));
    return rest.length === 0 ? null : this.#masks.passing(keys);
  }

  async #apply() {
    const run = ++this.#run;
    const { filters, visible } = state.get();
    if (visible !== null && visible.length !== clipData.frame.n) state.set({ visible: null });
    const names = Object.keys(filters).map(columnOf);
    // What is at hand is applied at once, so that a brush follows the hand.
    const wanted = names.filter((name) => this.#atHand(name) === undefined);
    if (wanted.length > 0) await Promise.all(wanted.map((name) => this.#load(name)));
    if (run !== this.#run) return;
    this.#makeMasks(filters);
    state.set({ visible: this.#made.size === 0 ? null : this.#masks.passing() });
  }

  /** @param {string} name */
  #atHand(name) {
    const own = clipData.frame.columns.get(name);
    if (own?.values || own?.names) return own;
    const known = this.#loaded.get(name);
    return known?.frame === clipData.frame ? known.column : undefined;
  }

  /** @param {string} name */
  async #load(name) {
    const { frame } = clipData;
    let column = null;
    try {
      column = await clipData.column(name);
    } catch (error) {
      const detail = { key: name, message: error.message };
      this.dispatchEvent(new CustomEvent("trouble", { detail }));
    }
    this.#loaded.set(name, { frame, column });
  }

  /** The column as filters see it: where clips may have several labels, they ask for the classes.
   * @param {Column} column @returns {Column} */
  asFiltered(column) {
    const { multi_label: isMulti, class_names: classes } = clipData.frame;
    return isMulti && column.codes && OF_CLASSES.includes(column.name) ? { ...column, classes } : column;
  }

  /** @param {Record<string, Filter>} filters */
  #makeMasks(filters) {
    if (this.#masks.failures.length !== clipData.frame.n) {
      this.#masks = new MaskSet(clipData.frame.n);
      this.#made.clear();
    }
    for (const key of [...this.#made.keys()]) if (!(key in filters)) this.#put(key, null);
    for (const [key, filter] of Object.entries(filters)) {
      const column = this.#atHand(columnOf(key));
      const made = this.#made.get(key);
      if (made?.filter === filter && made.column === column) continue;
      this.#put(key, column && filterMask(key, this.asFiltered(column), filter), {
        filter,
        column,
      });
    }
  }

  /** @param {string} key @param {Uint8Array | null | undefined} mask
   * @param {{ filter: Filter, column?: Column | null }} [made] */
  #put(key, mask, made) {
    this.#masks.set(key, mask ?? null);
    if (mask && made) this.#made.set(key, made);
    else this.#made.delete(key);
  }
}

export const filtering = new Filtering();
