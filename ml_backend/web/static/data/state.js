// What the visitor looks at: one state, shared by map, table, filters and inspector.
//
//   color      name of the column that colors the map, or null for the default
//   locality   0 (local) … 3 (global), or null for the server's choice
//   filters    column name → filter (see address.js); "hour of day" is the column `<date>@hour`
//   selection  task ids, ascending
//   focus      the task that is listened to, or null
//   sort       { name, isDescending } of the column that sorts the table, or null; not in the address
//   visible    Uint8Array, 1 for each row of the frame that passes the filters; null = all.
//              Computed from `filters` by filters.js; not in the address
//
//   state.get()                     the present state; never change it in place
//   state.set({ color: "entropy" }) change some of it
//   state.on(["color"], callback)   callback(state, keys that were set)
// All but `sort` and `visible` is kept in the page's address. The browser's Back undoes changes of
// color, locality and filters, one step each; `set(…, { isStep: false })` is nothing to go back to.

import { fromAddress, sortedIds, toAddress } from "./address.js";

/** @type {(keyof import("./address.js").View)[]} */
const IN_ADDRESS = ["color", "locality", "filters", "selection", "focus"];
/** @type {Key[]} */
const STEPS = ["color", "locality", "filters"];
const STEP_PAUSE_MS = 1000; // what follows sooner, such as a brush that moves on, is the same step
const ADDRESS_PAUSE_MS = 200; // browsers refuse addresses that change too often

/** @typedef {import("./address.js").View & { sort: { name: string, isDescending: boolean } | null,
 *   visible: Uint8Array | null }} Now */
/** @typedef {keyof Now} Key */
/** @typedef {(state: Now, named: Key[]) => void} Listener */

class State {
  /** @type {Now} */
  #now = { ...fromAddress(location.search, location.hash), sort: null, visible: null };
  /** @type {{ keys: Key[], callback: Listener }[]} */
  #listeners = [];
  /** @type {number | undefined} */
  #writing;
  #isNewStep = false; // to be written
  #steppedAt = -Infinity;

  constructor() {
    // The browser keeps more of a view than its address tells, such as the color of a dropped sound.
    addEventListener("popstate", ({ state: kept }) => this.#goTo(kept ?? fromAddress(location.search, location.hash)));
  }

  get() {
    return this.#now;
  }

  /** @param {Partial<Now>} patch */
  set(patch, { isStep = true } = {}) {
    const next = { ...this.#now, ...patch };
    if (patch.selection) next.selection = sortedIds(patch.selection);
    const named = /** @type {Key[]} */ (Object.keys(patch));
    const changed = named.filter((key) => !isSame(next[key], this.#now[key]));
    if (isStep && changed.some((key) => STEPS.includes(key))) this.#beginStep();
    if (IN_ADDRESS.some((key) => changed.includes(key))) {
      this.#writing ??= setTimeout(() => this.#keepInAddress(), ADDRESS_PAUSE_MS);
    }
    this.#change(next, changed, named);
  }

  /** @param {Now} next @param {Key[]} changed @param {Key[]} named */
  #change(next, changed, named) {
    this.#now = next;
    for (const { keys, callback } of this.#listeners) {
      if (keys.some((key) => changed.includes(key))) callback(this.#now, named);
    }
  }

  /** @param {Key[]} keys @param {Listener} callback */
  on(keys, callback) {
    this.#listeners.push({ keys, callback });
  }

  #beginStep() {
    const isSameStep = performance.now() - this.#steppedAt < STEP_PAUSE_MS;
    this.#steppedAt = performance.now();
    if (isSameStep) return;
    if (this.#writing !== undefined) this.#keepInAddress(); // as it was before the step
    this.#isNewStep = true;
  }

  #keepInAddress() {
    clearTimeout(this.#writing);
    const isNewStep = this.#isNewStep;
    [this.#writing, this.#isNewStep] = [undefined, false]; // also where the browser refuses
    const { sort, visible, ...view } = this.#now;
    const address = location.pathname + toAddress(view);
    if (isNewStep) history.pushState(view, "", address);
    else history.replaceState(view, "", address);
  }

  /** Show a view that the browser went back or forward to.
   * @param {import("./address.js").View} view */
  #goTo(view) {
    clearTimeout(this.#writing);
    [this.#writing, this.#isNewStep, this.#steppedAt] = [undefined, false, -Infinity];
    const changed = IN_ADDRESS.filter((key) => !isSame(view[key], this.#now[key]));
    this.#change({ ...this.#now, ...view }, changed, IN_ADDRESS);
  }
}

/** @param {unknown} a @param {unknown} b */
function isSame(a, b) {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return false;
  if (ArrayBuffer.isView(a) || ArrayBuffer.isView(b)) return false;
  return JSON.stringify(a) === JSON.stringify(b);
}

export const state = new State();
