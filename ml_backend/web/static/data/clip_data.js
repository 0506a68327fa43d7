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
//   clipData.addEventListener("revision", …)   the frame, marks or the list of columns changed: ask anew
//   clipData.addEventListener("standing", …)   clipData.standing, what the server last said of itself
//   clipData.addEventListener("trouble", …)    event.detail is a sentence, or null when all is well
//   clipData.provide(name, column)  a column of the page's own, such as the similarity to a dropped sound
//   clipData.list(described)        offer a column to filters and table, too

import { membersAt, textAt } from "./packed.js";
import { getJson, getPacked } from "./server.js";
import { labelsText } from "./wording.js";

const POLL_MS = 1000;
const MARKED_MS = 15_000; // for so long a mark may be ahead of the server

class ClipData extends EventTarget {
  frame = null;
  ids = new Int32Array(0);
  standing = null;
  #listed = new Map(); // name → description of what the server does not list
  #provided = new Map(); // name → { ids, column }
  #columns = new Map(); // name → promise of a column, of the present revision
  #kept = new Map(); // name → { etag, column } as last sent
  #said = null; // label, skipped and state as the server says
  #marks = new Map(); // task id → { labels, until } where it does not say so yet
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

  /** What a clip is called, as far as that is at hand. */
  nameOf(taskId) {
    const row = this.rowOf(taskId);
    const clip = this.#columns.has("clip") ? this.#kept.get("clip")?.column : null;
    const isAtHand = clip?.names && row >= 0 && clip.codes.length === this.frame.n;
    return (isAtHand && textAt(clip, row)) || `Clip ${taskId}`;
  }

  /** A column by name: from the frame, or asked for once per revision. */
  async column(name) {
    if (this.#provided.has(name)) return this.#realigned(this.#provided.get(name));
    const own = this.frame.columns.get(name);
    if (own?.names || own?.values) return own;
    if (!this.#columns.has(name)) this.#columns.set(name, this.#ask(name));
    return this.#columns.get(name);
  }

  /** Show labels at once: `changes` maps a task id to its labels, or to null for a skip.
   *
   * They stay until the server says the same, or has had its time. Answers with a function that
   * marks what was there before.
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

  /** Take marks away: the server's word holds. */
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

  /** Keep a column of the page's own. */
  provide(name, column) {
    const isAnother = this.#provided.has(name);
    this.#provided.set(name, { ids: this.ids, column: { ...column, name } });
    if (!isAnother) return;
    this.frame = { ...this.frame }; // what others hold of it has the column from before
    this.dispatchEvent(new Event("revision"));
  }

  /** List a column among those available: `{ name, title, kind, group }`. */
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

  /** A provided column in the rows of the present frame; clips it does not know are missing. */
  #realigned({ ids, column }) {
    if (ids === this.ids) return column;
    const valueById = new Map(Array.from(ids, (id, row) => [id, column.values[row]]));
    return { ...column, values: Float64Array.from(this.ids, (id) => valueById.get(id) ?? NaN) };
  }

  async #ask(name) {
    const asked = this.#columns;
    try {
      const kept = this.#kept.get(name);
      const packed = await getPacked(`column?name=${encodeURIComponent(name)}`, kept?.etag);
      if (packed === null) return kept.column;
      const [column] = packed.columns.values();
      this.#kept.set(name, { etag: packed.etag, column: { ...column, name } });
      return this.#kept.get(name).column;
    } catch (error) {
      asked.delete(name); // so that the next one to want it asks again
      throw error;
    }
  }

  get #query() {
    return this.#locality === null ? "" : `?locality=${this.#locality}`;
  }

  async #load() {
    const query = this.#query;
    const frame = await getPacked(`frame${query}`, this.frame?.query === query ? this.frame.etag : null);
    if (frame === null) return;
    if (query !== this.#query) return this.#load(); // another locality was chosen meanwhile
    frame.query = query;
    const isFirst = this.frame === null;
    this.frame = frame;
    this.ids = frame.columns.get("task_id").values;
    this.#columns = new Map();
    this.#addListed();
    this.#said = new Map(["label", "skipped", "state"].map((name) => [name, frame.columns.get(name)]));
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

  #tell(sentence) {
    this.dispatchEvent(new CustomEvent("trouble", { detail: sentence }));
  }
}

/** The labels that a row shows; null for a skip. */
function labelsAt(columns, row) {
  if (columns.get("skipped").codes[row] === 1) return null;
  const label = columns.get("label");
  return label.codes[row] < 0 ? [] : membersAt(label, label.codes[row]);
}

/** Label, skipped and state as the server says, with marks over them; marks that it has met go. */
export function withMarks(said, marks, rowOf, now) {
  const shown = new Map(said);
  for (const [taskId, { labels, until }] of marks) {
    const row = rowOf(taskId);
    if (row < 0 || now > until || isSaid(labelsAt(said, row), labels)) marks.delete(taskId);
  }
  if (marks.size === 0) return shown;
  for (const [name, column] of said) {
    const names = [...(column.names ?? [])];
    const members = names.map((_, code) => membersAt(column, code));
    shown.set(name, { ...column, codes: column.codes.slice(), names, members });
  }
  const [label, skipped, state] = ["label", "skipped", "state"].map((name) => shown.get(name));
  for (const [taskId, { labels }] of marks) {
    const row = rowOf(taskId);
    skipped.codes[row] = labels === null ? 1 : 0;
    label.codes[row] = labels === null || labels.length === 0 ? -1 : codeOf(label, labels);
    const stated = labels === null ? "skipped" : labels.length > 0 ? "labeled" : "in the pool";
    state.codes[row] = state.names.indexOf(stated);
  }
  return shown;
}

const isSaid = (said, labels) => said === labels || (said !== null && labels !== null && isSame(said, labels));

const isSame = (some, others) => some.length === others.length && some.every((one) => others.includes(one));

function codeOf({ names, members }, labels) {
  const code = members.findIndex((one) => isSame(one, labels));
  if (code >= 0) return code;
  members.push(labels);
  return names.push(labelsText(labels)) - 1;
}

export const clipData = new ClipData();
