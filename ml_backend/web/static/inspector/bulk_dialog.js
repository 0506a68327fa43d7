// The question before several clips are labeled at once: which of them have an answer already, and
// whether these shall keep it.

import { clipData } from "../data/clip_data.js";
import { constants } from "../data/constants.js";
import { textAt } from "../data/packed.js";
import { state } from "../data/state.js";
import { clips, count, quoted } from "../data/wording.js";
import { ask } from "../ui/dialogs.js";

const N_NAMED = 4;
const { states } = constants;
const WITHOUT_ANSWER = [states.pool, states.failed]; // states that no annotation makes

/** Ask; returns `{ taskIds, onlyUnanswered }`, or null when it was called off. `nHidden` clips
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
    details.push(
      `${labels === null ? "Skipping" : "Labeling"} all changes the answers that are yours. Annotations of others stay; where they differ from yours, the clip may be tied.`,
    );
  if (nHidden > 0) details.push(`${clips(nHidden)} more are selected, but the filters hide them.`);
  const all = { taskIds, onlyUnanswered: false };
  if (nAnswered === 0 || free.length === 0) {
    const yes = nAnswered === 0 ? `${verb} ${clips(taskIds.length)}` : `${verb} all ${count(nAnswered)} again`;
    const answer = await ask(question, { yes, details: details.filter(Boolean), isCareful: nAnswered > 0 });
    return answer && { ...all, onlyUnanswered: nAnswered === 0 };
  }
  const yes = `${verb} only the ${count(free.length)} without an answer`;
  const answer = await ask(question, { yes, other: `${verb} all ${count(taskIds.length)}`, details });
  if (answer === "other") return all;
  return answer && { taskIds: free, onlyUnanswered: true };
}

/** What is said of a clip: `{ state, label }`, the label where it is labeled; null where nobody has
 * answered.
 */
export function answerOf(taskId) {
  const row = clipData.rowOf(taskId);
  const { columns } = clipData.frame;
  const said = row < 0 ? null : textAt(columns.get("state"), row);
  if (said === null || WITHOUT_ANSWER.includes(said)) return null;
  return { state: said, label: said === states.labeled ? (textAt(columns.get("label"), row) ?? said) : null };
}

/** Which tasks have no answer, as the server understands it: nobody has annotated or skipped them.
 * And a sentence about those that have: `10 of them are labeled already: 8 siren, 2 bark. 1 is skipped.`
 */
function answersOf(taskIds) {
  const [byLabel, byState] = [new Map(), new Map()];
  const free = taskIds.filter((taskId) => {
    const answer = answerOf(taskId);
    if (answer === null) return true;
    const [counts, key] = answer.label === null ? [byState, answer.state] : [byLabel, answer.label];
    counts.set(key, (counts.get(key) ?? 0) + 1);
    return false;
  });
  return { free, told: tellAnswers(byLabel, byState) };
}

/** Say how many clips have which label, the most frequent ones by name, and how many have none. */
function tellAnswers(byLabel, byState) {
  const sorted = [...byLabel].sort((a, b) => b[1] - a[1]);
  const n = sorted.reduce((sum, [, number]) => sum + number, 0);
  const named = sorted.slice(0, N_NAMED).map(([name, number]) => `${count(number)} ${quoted(name)}`);
  const nRest = sorted.slice(N_NAMED).reduce((sum, [, number]) => sum + number, 0);
  if (nRest > 0) named.push(`${count(nRest)} something else`);
  const verb = (number) => (number === 1 ? "is" : "are");
  const labeled = n > 0 ? `${count(n)} of them ${verb(n)} labeled already: ${named.join(", ")}.` : "";
  const others = [...byState].map(([said, number], i) => {
    const ofThem = n === 0 && i === 0 ? "of them " : "";
    return `${count(number)} ${ofThem}${verb(number)} ${said}`;
  });
  return [labeled, others.length > 0 ? `${others.join(", ")}.` : ""].filter(Boolean).join(" ");
}
