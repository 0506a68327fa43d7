// Labels that the page shows before the server has them, as marks over what the server says. Pure functions.

import { constants } from "./constants.js";
import { codesOf, membersAt } from "./packed.js";
import { labelsText } from "./wording.js";

/** @typedef {import("./packed.js").Codes} Codes */
/** @typedef {string[] | null} Labels null for a skip */
/** @typedef {Codes & { names: string[], members: string[][] }} Copied a column that marks are written in */
/** @typedef {Map<number, { labels: Labels, until: number }>} Marks by task id */

/** The labels that a row shows; null for a skip.
 * @param {Map<string, import("./packed.js").Column>} columns @param {number} row @returns {Labels} */
export function labelsAt(columns, row) {
  if (codesOf(columns, "skipped").codes[row] === 1) return null;
  const label = codesOf(columns, "label");
  return label.codes[row] < 0 ? [] : membersAt(label, label.codes[row]);
}

/** Label, skipped and state as the server says, with marks over them; marks that it has met go.
 * @param {Map<string, Codes>} said @param {Marks} marks @param {(taskId: number) => number} rowOf
 * @param {number} now */
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
  const [label, skipped, state] = ["label", "skipped", "state"].map((name) => /** @type {Copied} */ (shown.get(name)));
  for (const [taskId, { labels }] of marks) {
    const row = rowOf(taskId);
    skipped.codes[row] = labels === null ? 1 : 0;
    label.codes[row] = labels === null || labels.length === 0 ? -1 : codeOf(label, labels);
    const stated = labels === null ? "skipped" : labels.length > 0 ? "labeled" : "pool";
    state.codes[row] = state.names.indexOf(constants.states[stated]);
  }
  return shown;
}

/** @param {Labels} said @param {Labels} labels */
const isSaid = (said, labels) => said === labels || (said !== null && labels !== null && isSame(said, labels));

/** @param {string[]} some @param {string[]} others */
const isSame = (some, others) => some.length === others.length && some.every((one) => others.includes(one));

/** @param {Copied} column @param {string[]} labels */
function codeOf({ names, members }, labels) {
  const code = members.findIndex((one) => isSame(one, labels));
  if (code >= 0) return code;
  members.push(labels);
  return names.push(labelsText(labels)) - 1;
}
