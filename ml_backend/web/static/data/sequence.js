// Sequence: what comes before and after a clip, in the order of the table: for one of several
// selected clips these, as far as they pass the filters, else all that pass. Fires "change" when
// that order does.

import { clipData } from "./clip_data.js";
import { state } from "./state.js";

class Sequence extends EventTarget {
  /** @type {Uint32Array} */
  #rows = new Uint32Array(0); // of the table, in its order
  #places = new Int32Array(0); // row → place in the table, or -1
  /** @type {{ selection: number[] | null, ids: number[], places: Map<number, number> }} the selection in that order */
  #chosen = { selection: null, ids: [], places: new Map() };
  #isOfSelection = false;
  #last = 0; // where the focus was when it was last in the sequence

  /** Take over the table's order: rows of the frame that pass the filters.
   * @param {Uint32Array} rows */
  follow(rows) {
    this.#rows = rows;
    this.#places = new Int32Array(clipData.frame.n).fill(-1);
    for (const [place, row] of rows.entries()) this.#places[row] = place;
    this.#chosen.selection = null;
    this.dispatchEvent(new Event("change"));
  }

  /** Place of a task in the table, or -1.
   * @param {number | null} taskId */
  placeOf(taskId) {
    return taskId === null ? -1 : (this.#places[clipData.rowOf(taskId)] ?? -1);
  }

  /** The first chosen task, or the first of all; null where there is none. */
  first() {
    return this.chosen()[0] ?? (this.#rows.length > 0 ? clipData.ids[this.#rows[0]] : null);
  }

  /** Where a task stands: `{ place, n }`, place -1 where it is not in the sequence.
   * @param {number} taskId */
  position(taskId) {
    const isChosen = this.#sorted(state.get().selection).places.has(taskId);
    // What has left the sequence leaves it as it was.
    if (this.chosen().length < 2) this.#isOfSelection = false;
    else if (isChosen || this.placeOf(taskId) >= 0) this.#isOfSelection = isChosen;
    const { n, placeOf } = this.#now();
    const place = placeOf(taskId);
    if (place >= 0) this.#last = place;
    return { place, n, isOfSelection: this.#isOfSelection };
  }

  /** The task `step` further on, or null at the ends.
   * @param {number} taskId @param {number} step */
  neighbor(taskId, step) {
    const { place } = this.position(taskId);
    // What has left the sequence (a label can do that) leaves its place to the one after it.
    return this.#now().at(place < 0 ? this.#last + (step > 0 ? step - 1 : step) : place + step);
  }

  /** The selected tasks that pass the filters, in the order of the table. */
  chosen() {
    return this.#sorted(state.get().selection).ids;
  }

  #now() {
    if (!this.#isOfSelection) {
      const at = (/** @type {number} */ place) => (place in this.#rows ? clipData.ids[this.#rows[place]] : null);
      return { n: this.#rows.length, at, placeOf: (/** @type {number} */ taskId) => this.placeOf(taskId) };
    }
    const { ids, places } = this.#sorted(state.get().selection);
    const at = (/** @type {number} */ place) => ids[place] ?? null;
    return { n: ids.length, at, placeOf: (/** @type {number} */ taskId) => places.get(taskId) ?? -1 };
  }

  /** @param {number[]} selection */
  #sorted(selection) {
    if (this.#chosen.selection === selection) return this.#chosen;
    const placed = selection.map((taskId) => ({ taskId, place: this.placeOf(taskId) }));
    const shown = placed.filter(({ place }) => place >= 0).sort((a, b) => a.place - b.place);
    const ids = shown.map(({ taskId }) => taskId);
    this.#chosen = { selection, ids, places: new Map(ids.map((taskId, place) => [taskId, place])) };
    return this.#chosen;
  }
}

export const sequence = new Sequence();
