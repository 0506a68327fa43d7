// Sequence: what comes before and after a clip. The selection, if there are several, else the
// filtered clips; both in the order of the table.

import { pool } from "./pool.js";
import { state } from "./state.js";

class Sequence {
  #rows = new Uint32Array(0);
  #places = new Int32Array(0); // row → place in the table's order, or -1
  #last = 0; // where the focus was when it was last in the sequence

  /** Take over the table's order: rows of the frame that pass the filters. */
  follow(rows) {
    this.#rows = rows;
    this.#places = new Int32Array(pool.frame.n).fill(-1);
    rows.forEach((row, place) => (this.#places[row] = place));
  }

  /** Place of a task in the table's order, or -1. */
  placeOf(taskId) {
    return taskId === null ? -1 : (this.#places[pool.rowOf(taskId)] ?? -1);
  }

  /** Task ids in order. */
  ids() {
    const { selection } = state.get();
    if (selection.length <= 1) return Array.from(this.#rows, (row) => pool.ids[row]);
    const last = this.#rows.length; // what the filters hide comes last
    const placed = selection.map((taskId) => ({ taskId, place: this.placeOf(taskId) }));
    const rank = ({ place }) => (place < 0 ? last : place);
    return placed.sort((a, b) => rank(a) - rank(b) || a.taskId - b.taskId).map(({ taskId }) => taskId);
  }

  /** Where a task stands: `{ place, n }`, place -1 where it is not in the sequence. */
  position(taskId) {
    const { selection } = state.get();
    if (selection.length > 1) {
      const ids = this.ids();
      return { place: this.#remember(ids.indexOf(taskId)), n: ids.length };
    }
    return { place: this.#remember(this.placeOf(taskId)), n: this.#rows.length };
  }

  /** The task `step` further on, or null at the ends. */
  neighbor(taskId, step) {
    const { place, n } = this.position(taskId);
    // What has left the sequence (a label can do that) leaves its place to the one after it.
    const wanted = place < 0 ? this.#last + (step > 0 ? step - 1 : step) : place + step;
    if (wanted < 0 || wanted >= n) return null;
    return state.get().selection.length > 1 ? this.ids()[wanted] : pool.ids[this.#rows[wanted]];
  }

  #remember(place) {
    if (place >= 0) this.#last = place;
    return place;
  }
}

export const sequence = new Sequence();
