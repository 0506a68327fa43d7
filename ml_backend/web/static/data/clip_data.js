// The clips as the server knows them. One object, `clipData`, is shared by all parts of the page:
//
//   await clipData.open()           load the frame, then watch for revisions
//   clipData.frame                  { n, revision, class_names, map, available, columns: Map, … }
//   await clipData.column(name)     a decoded column (see packed.js), one value per row of the frame
//   clipData.ids                    task ids, ascending, one per row
//   clipData.rowOf(taskId)          row number, or -1
//   clipData.nameOf(taskId)         what the clip is called, as far as that is at hand
//   clipData.mark(changes)          show labels before the server has them (see below)
//   clipData.unmark(taskIds)        show what the server says after all
//   clipData.addEventListener("revision", …)   the frame, marks or the list of columns changed: ask again
//   clipData.addEventListener("standing", …)   clipData.standing, what the server last said of itself
//   clipData.addEventListener("trouble", …)    event.detail is a sentence, or null when all is well
//   clipData.provide(name, column)  a column of the page's own, such as the similarity to a dropped sound
//   clipData.list(described)        offer a column to filters and table, too

import { codesOf, numbersOf, textAt } from "./packed.js";
import { labelsAt, withMarks } from "./pending_labels.js";
import { getJson, getPacked } from "./server.js";

const POLL_MS = 1000;
const MARKED_MS = 15_000; // for so long a mark may be ahead of the server

/** @typedef {import("./packed.js").Column} Column */
/** @typedef {import("./packed.js").Codes} Codes */
/** @typedef {import("./pending_labels.js").Labels} Labels */
/** @typedef {{ name: string, title: string, kind: string | null, group: string }} Described a column that can be asked for */
/** @typedef {import("./packed.js").Packed & { revision: string, query: string, class_names: string[],
 *   hotkeys: string[], multi_label: boolean, model_version: string | null, why_no_words: string,
 *   available: Described[], map: { kind: string, locality: number, progress: number, state: string } }} Frame */

class ClipData extends EventTarget {
  /** @type {Frame} */
  frame = /** @type {any} */ (null); // until it is opened
  /** @type {import("./packed.js").Numbers["values"]} */
  ids = new Int32Array(0);
  /** @type {any} */
  standing = null;
  /** @type {Map<string, Described>} name → what the server does not list */
  #listed = new Map();
  /** @type {Map<string, { ids: ArrayLike<number>, column: import("./packed.js").Numbers }>} */
  #provided = new Map();
  /** @type {Map<string, Promise<Column>>} those asked for, of the present revision */
  #columns = new Map();
  /** @type {Map<string, { etag?: string | null, column: Column }>} as last sent */
  #kept = new Map();
  /** @type {Map<string, Codes>} label, skipped and state as the server says */
  #said = new Map();
  /** @type {import("./pending_labels.js").Marks} where the server does not say so yet */
  #marks = new Map();
  /** @type {number | null} */
  #locality = null;

  /** Load the frame at a locality (0 local … 3 global; null = the server's choice).
   * @param {number | null} locality */
  async open(locality = null) {
    this.#locality = locality;
    await this.#load();
    setTimeout(() => this.#watch(), POLL_MS);
  }

  /** Show the map at another locality: new positions, same clips.
   * @param {number | null} locality */
  async setLocality(locality) {
    if (locality === this.#locality) return;
    this.#locality = locality;
    await this.#load();
  }

  /** Row of a task in the frame, or -1.
   * @param {number} taskId */
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

  /** What a clip is called, as far as that is at hand.
   * @param {number} taskId */
  nameOf(taskId) {
    const row = this.rowOf(taskId);
    const clip = this.#columns.has("clip") ? this.#kept.get("clip")?.column : null;
    const isAtHand = clip?.codes && row >= 0 && clip.codes.length === this.frame.n;
    return (isAtHand && textAt(clip, row)) || `Clip ${taskId}`;
  }

  /** A column by name: from the frame, or asked for once per revision.
   * @param {string} name @returns {Promise<Column>} */
  async column(name) {
    const provided = this.#provided.get(name);
    if (provided) return this.#realigned(provided);
    const own = this.frame.columns.get(name);
    if (own?.names || own?.values) return own;
    const asked = this.#columns.get(name) ?? this.#ask(name);
    this.#columns.set(name, asked);
    return asked;
  }

  /** Show labels at once: `changes` maps a task id to its labels, or to null for a skip.
   *
   * They stay until the server says the same, or has had its time. Returns a function that
   * marks what was there before.
   * @param {Map<number, Labels>} changes @returns {() => void}
   */
  mark(changes) {
    const before = new Map();
    const until = Date.now() + MARKED_MS;
    for (const [taskId, labels] of changes) {
      const row = this.rowOf(taskId);
      if (row < 0) continue;
      before.set(taskId, labelsAt(this.frame.columns, row));
      this.#marks.set(taskId, { labels, until });
    }
    this.#showMarks();
    setTimeout(() => this.#marks.size > 0 && this.#showMarks(), MARKED_MS + 1);
    return () => this.mark(before);
  }

  /** Take marks away: the server's word holds.
   * @param {number[]} taskIds */
  unmark(taskIds) {
    for (const taskId of taskIds) this.#marks.delete(taskId);
    this.#showMarks();
  }

  #showMarks() {
    this.#putMarks();
    this.dispatchEvent(new Event("revision"));
  }

  #putMarks() {
    const shown = withMarks(this.#said, this.#marks, (taskId) => this.rowOf(taskId), Date.now());
    for (const [name, column] of shown) this.frame.columns.set(name, column);
  }

  /** Keep a column of the page's own.
   * @param {string} name @param {import("./packed.js").Numbers} column */
  provide(name, column) {
    const isAnother = this.#provided.has(name);
    this.#provided.set(name, { ids: this.ids, column: { ...column, name } });
    if (!isAnother) return;
    this.frame = { ...this.frame }; // what others hold of it has the column from before
    this.dispatchEvent(new Event("revision"));
  }

  /** List a column among those available.
   * @param {Described} described */
  list(described) {
    if (this.frame.available.some(({ name }) => name === described.name)) return;
    this.#listed.set(described.name, described);
    this.#addListed();
    this.dispatchEvent(new Event("revision"));
  }

  #addListed() {
    const { available } = this.frame;
    const known = new Set(available.map(({ name }) => name));
    available.push(...[...this.#listed.values()].filter(({ name }) => !known.has(name)));
  }

  /** A provided column in the rows of the present frame; clips it does not know are missing.
   * @param {{ ids: ArrayLike<number>, column: import("./packed.js").Numbers }} provided */
  #realigned({ ids, column }) {
    if (ids === this.ids) return column;
    const valueById = new Map(Array.from(ids, (id, row) => [id, column.values[row]]));
    return { ...column, values: Float64Array.from(this.ids, (id) => valueById.get(id) ?? NaN) };
  }

  /** @param {string} name */
  async #ask(name) {
    const asked = this.#columns;
    try {
      const kept = this.#kept.get(name);
      const packed = await getPacked(`column?name=${encodeURIComponent(name)}`, kept?.etag);
      if (packed === null) return /** @type {Column} */ (kept?.column);
      const [column] = packed.columns.values();
      const named = { ...column, name };
      this.#kept.set(name, { etag: packed.etag, column: named });
      return named;
    } catch (error) {
      asked.delete(name); // so that the next one to want it asks again
      throw error;
    }
  }

  get #query() {
    return this.#locality === null ? "" : `?locality=${this.#locality}`;
  }

  /** @returns {Promise<void>} */
  async #load() {
    const query = this.#query;
    const before = this.frame?.query === query ? this.frame.etag : null;
    const frame = /** @type {Frame | null} */ (await getPacked(`frame${query}`, before));
    if (frame === null) return;
    if (query !== this.#query) return this.#load(); // another locality was chosen meanwhile
    frame.query = query;
    const isFirst = this.frame === null;
    this.frame = frame;
    this.ids = numbersOf(frame.columns, "task_id");
    this.#columns = new Map();
    this.#addListed();
    this.#said = new Map(["label", "skipped", "state"].map((name) => [name, codesOf(frame.columns, name)]));
    this.#putMarks();
    if (!isFirst) this.dispatchEvent(new Event("revision"));
  }

  async #watch() {
    try {
      if (!document.hidden) {
        this.standing = await getJson(`revision${this.#query}`);
        if (this.standing.revision !== this.frame.revision) await this.#load();
        this.dispatchEvent(new Event("standing"));
        this.#tell(null);
      }
    } catch (error) {
      this.#tell(error.message);
    }
    setTimeout(() => this.#watch(), POLL_MS);
  }

  /** @param {string | null} sentence */
  #tell(sentence) {
    this.dispatchEvent(new CustomEvent("trouble", { detail: sentence }));
  }
}

export const clipData = new ClipData();
