// From seeing to labeling: "Label these next" and "Make a tab", for what is selected and in sight or,
// when nothing is, for all clips that pass the filters.

import { clipData } from "../data/clip_data.js";
import { constants } from "../data/constants.js";
import { sequence } from "../data/sequence.js";
import { send } from "../data/server.js";
import { state } from "../data/state.js";
import { clips, count, filterText } from "../data/wording.js";
import { ask, fail, notice } from "../ui/dialogs.js";
import { make } from "../ui/elements.js";
import { forgetRequested, mountRequestedFirst } from "./requested_first.js";

/** Add to a bar what is requested first already, and the two buttons; `filteredIds()` gives the ids
 * of all clips that pass.
 *
 * Returns a function to call when the selection, or the number of those clips, has changed.
 */
export function mountQueueing(bar, filteredIds) {
  const chosen = () => {
    const selected = sequence.chosen();
    return selected.length > 0 ? selected : filteredIds();
  };
  const showRequested = mountRequestedFirst(bar);
  clipData.addEventListener("standing", () => showRequested(clipData.standing.requested_first));
  const next = make("button", { type: "button", click: () => labelNext(chosen(), showRequested) });
  const tab = make("button", { type: "button", click: () => makeTab(chosen()) });
  next.title = "Request the selected clips, or all that pass the filters: Label Studio serves them first";
  tab.title = "A tab in Label Studio's Data Manager with exactly these clips";
  bar.append(next, tab);
  return (nFiltered) => {
    const nSelected = sequence.chosen().length;
    const isAll = nSelected === 0 && Object.keys(state.get().filters).length === 0;
    const n = isAll ? 0 : nSelected || nFiltered;
    next.disabled = tab.disabled = n === 0;
    next.textContent = n === 0 ? "Label next" : `Label ${n === 1 ? "this one" : `these ${count(n)}`} next`;
    tab.textContent = n === 0 ? "Make a tab" : `Make a tab of ${count(n)}`;
  };
}

async function labelNext(taskIds, showRequested) {
  try {
    const asked = await send("POST", "queue", { task_ids: taskIds });
    showRequested(asked);
    const forget = async () => (await forgetRequested()) && showRequested(null);
    const clear = make("button", { type: "button", click: forget }, "Undo");
    const nDone = asked.n - asked.n_left;
    if (asked.n_left === 0) return notice("None of them is left to label.", clear);
    const rest = nDone > 0 ? ` Left out, since not in the pool: ${count(nDone)}.` : "";
    return notice(`Requested first: ${clips(asked.n_left)}.${rest}`, clear);
  } catch (error) {
    return fail(`The clips were not put at the head of the queue. ${error.message}`);
  }
}

async function makeTab(taskIds) {
  const field = { label: "Title", value: suggestTitle(taskIds.length) };
  const title = await ask(`Make a tab with ${clips(taskIds.length)}`, {
    yes: "Make the tab",
    field,
  });
  if (!title) return undefined;
  try {
    const { address } = await send("POST", "tab", { title, task_ids: taskIds });
    const link = make(
      "a",
      { class: "button", href: address, target: "_blank", rel: "noopener" },
      "Open it in Label Studio",
    );
    const box = notice(`The tab “${title}” holds ${clips(taskIds.length)}.`, link);
    link.focus();
    return box;
  } catch (error) {
    return fail(`The tab was not made. ${error.message}`);
  }
}

/** Name a tab after the filters: `label: siren; entropy: from 0.8`. */
function suggestTitle(n) {
  const { filters } = state.get();
  if (sequence.chosen().length > 0) return `${clips(n)} from the map`;
  const parts = Object.entries(filters).map(
    ([key, filter]) => `${key.replace(/^meta:/, "")}: ${filterText(filter, key)}`,
  );
  return parts.join("; ").slice(0, constants.max_title) || "All clips";
}
