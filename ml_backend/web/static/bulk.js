// The question before several clips are labeled at once: which of them have an answer already, and
// whether these shall keep it.

import { ask } from "./ask.js";
import { textAt } from "./packed.js";
import { pool } from "./pool.js";
import { state } from "./state.js";
import { clips, count } from "./wording.js";

const N_NAMED = 4;
const LABELED = "labeled"; // a state's name, as the column tells it
const POOL = "in the pool";
const UNANSWERED = [POOL, "failed"];

/** Ask; answers with `{ taskIds, onlyUnanswered }`, or null when it was called off. `nHidden` clips
 * are selected, too, and not in sight.
 */
export async function askForMany(taskIds, labels, what, nHidden = state.get().selection.length - taskIds.length) {
  const { free, told } = answersOf(taskIds);
  const verb = labels === null ? "Skip" : "Label";
  const as = labels === null ? "" : ` as ${what}`;
  const which = taskIds.length === 1 ? "the selected clip" : `these ${clips(taskIds.length)}`;
  const question = `${verb} ${which}${as}?`;
  const nAnswered = taskIds.length - free.length;
  const details = [told, "It is written to Label Studio under your name, and can be undone."];
  if (nAnswered > 0)
    details.push("Labeling all changes the answers that are yours; what others said stays, and yours stands beside it.");
  if (nHidden > 0) details.push(`${clips(nHidden)} more are selected, but the filters hide them.`);
  const all = { taskIds, onlyUnanswered: false };
  if (nAnswered === 0 || free.length === 0) {
    const yes = nAnswered === 0 ? `${verb} ${clips(taskIds.length)}` : `Change ${clips(nAnswered)}`;
    const answer = await ask(question, { yes, details: details.filter(Boolean), isCareful: nAnswered > 0 });
    return answer && { ...all, onlyUnanswered: nAnswered === 0 };
  }
  const yes = `${verb} only the ${count(free.length)} without an answer`;
  const answer = await ask(question, { yes, other: `${verb} all ${count(taskIds.length)}, changing ${count(nAnswered)}`, details });
  if (answer === "other") return all;
  return answer && { taskIds: free, onlyUnanswered: true };
}

/** Which tasks have no answer, and a sentence about those that have: `10 of them are labeled
 * already: 8 siren, 2 bark. 1 is skipped. 2 are tied.`
 */
function answersOf(taskIds) {
  const [label, stated] = ["label", "state"].map((name) => pool.frame.columns.get(name));
  const [labels, states] = [new Map(), new Map()];
  const add = (counts, name) => counts.set(name, (counts.get(name) ?? 0) + 1);
  const free = taskIds.filter((taskId) => {
    const row = pool.rowOf(taskId);
    const is = row < 0 ? POOL : textAt(stated, row);
    if (UNANSWERED.includes(is)) return true;
    if (is === LABELED) add(labels, textAt(label, row));
    else add(states, is);
    return false;
  });
  return { free, told: tellAnswers(labels, states) };
}

/** Say how many clips have which label, the most frequent ones by name, and how many are in which
 * other state.
 */
export function tellAnswers(labels, states) {
  const sorted = [...labels].sort((a, b) => b[1] - a[1]);
  const n = sorted.reduce((sum, [, number]) => sum + number, 0);
  const named = sorted.slice(0, N_NAMED).map(([name, number]) => `${count(number)} ${name}`);
  const nRest = sorted.slice(N_NAMED).reduce((sum, [, number]) => sum + number, 0);
  if (nRest > 0) named.push(`${count(nRest)} something else`);
  const are = (number, isFirst) => `${count(number)}${isFirst ? " of them" : ""} ${number === 1 ? "is" : "are"}`;
  const told = n > 0 ? [`${are(n, true)} labeled already: ${named.join(", ")}.`] : [];
  for (const [name, number] of states) told.push(`${are(number, told.length === 0)} ${name}.`);
  return told.join(" ");
}
