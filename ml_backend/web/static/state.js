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
//   state.on(["color"], callback)   callback(state, changed keys); answers with a way to stop
// All but `sort` and `visible` is kept in the page's address.

import { fromAddress, sortedIds, toAddress } from "./address.js";

const NOT_IN_ADDRESS = ["sort", "visible"];
const ADDRESS_PAUSE_MS = 200; // browsers refuse addresses that change too often

class State {
  #now = { ...fromAddress(location.search, location.hash), sort: null, visible: null };
  #listeners = new Set();
  #writing = null;

  get() {
    return this.#now;
  }

  set(patch) {
    const next = { ...this.#now, ...patch };
    if (patch.selection) next.selection = sortedIds(patch.selection);
    const changed = Object.keys(patch).filter((key) => !isSame(next[key], this.#now[key]));
    if (changed.length === 0) return;
    this.#now = next;
    if (changed.some((key) => !NOT_IN_ADDRESS.includes(key))) this.#keepInAddress();
    for (const { keys, callback } of [...this.#listeners]) {
      if (keys.some((key) => changed.includes(key))) callback(this.#now, changed);
    }
  }

  on(keys, callback) {
    const listener = { keys, callback };
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #keepInAddress() {
    this.#writing ??= setTimeout(() => {
      this.#writing = null;
      history.replaceState(null, "", location.pathname + toAddress(this.#now));
    }, ADDRESS_PAUSE_MS);
  }
}

function isSame(a, b) {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return false;
  if (ArrayBuffer.isView(a) || ArrayBuffer.isView(b)) return false;
  return JSON.stringify(a) === JSON.stringify(b);
}

export const state = new State();
