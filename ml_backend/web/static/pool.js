// The clips as the server knows them. One object, `pool`, is shared by all parts of the page:
//
//   await pool.open()           load the frame, then watch for revisions
//   pool.frame                  { n, revision, class_names, map, available, columns: Map, … }
//   await pool.column(name)     a decoded column (see packed.js), one value per row of the frame
//   pool.ids                    task ids, ascending, one per row
//   pool.rowOf(taskId)          row number, or -1
//   pool.addEventListener("revision", …)   the frame was replaced; fetch columns anew
//   pool.addEventListener("trouble", …)    event.detail is a sentence, or null when all is well

import { getJson, getPacked } from "./server.js";

const POLL_MS = 1000;

class Pool extends EventTarget {
  frame = null;
  ids = new Int32Array(0);
  #columns = new Map(); // name → promise of a column, of the present revision
  #locality = null;

  /** Load the frame at a locality (0 local … 3 global; null = the server's choice). */
  async open(locality = null) {
    this.#locality = locality;
    await this.#load();
    setTimeout(() => this.#watch(), POLL_MS);
  }

  /** Show the map at another locality: new positions, same clips. */
  async setLocality(locality) {
    if (locality === this.#locality) return;
    this.#locality = locality;
    await this.#load();
  }

  /** Row of a task in the frame, or -1. */
  rowOf(taskId) {
    let low = 0;
    let high = this.ids.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (this.ids[middle] === taskId) return middle;
      if (this.ids[middle] < taskId) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** A column by name: from the frame, or asked for once per revision. */
  async column(name) {
    const own = this.frame.columns.get(name);
    if (own?.names || own?.values) return own;
    if (!this.#columns.has(name)) this.#columns.set(name, this.#ask(name));
    return this.#columns.get(name);
  }

  async #ask(name) {
    const asked = this.#columns;
    try {
      const packed = await getPacked(`column?name=${encodeURIComponent(name)}`);
      const [column] = packed.columns.values();
      return { ...column, name };
    } catch (error) {
      asked.delete(name); // so that the next one to want it asks again
      throw error;
    }
  }

  async #load() {
    const query = this.#locality === null ? "" : `?locality=${this.#locality}`;
    const frame = await getPacked(`frame${query}`, this.frame?.query === query ? this.frame.etag : null);
    if (frame === null) return;
    frame.query = query;
    const isFirst = this.frame === null;
    this.frame = frame;
    this.ids = frame.columns.get("task_id").values;
    this.#columns = new Map();
    if (!isFirst) this.dispatchEvent(new Event("revision"));
  }

  async #watch() {
    try {
      if (!document.hidden) {
        const { revision } = await getJson("revision");
        if (revision !== this.frame.revision) await this.#load();
        this.#tell(null);
      }
    } catch (error) {
      this.#tell(error.message);
    }
    setTimeout(() => this.#watch(), POLL_MS);
  }

  #tell(sentence) {
    this.dispatchEvent(new CustomEvent("trouble", { detail: sentence }));
  }
}

export const pool = new Pool();
