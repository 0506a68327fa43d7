// Asking again about clips without a usable label, a few at a time, with what came of it.

import { send } from "../data/server.js";
import { clips, count, reasonsText } from "../data/wording.js";
import { ask, fail, notice } from "../ui/dialogs.js";

const QUESTIONS = {
  no_label: {
    title: (n) => `Ask about ${clips(n)} again?`,
    details:
      "The annotations of these clips hold no label. They are deleted in Label Studio under your name, whoever submitted them, so that Label Studio asks about the clips again. An annotation that holds anything is kept. This cannot be undone.",
    yes: "Delete and ask again",
  },
  skipped: {
    title: (n) => `Take back the skips of ${clips(n)}?`,
    details:
      "The skips are deleted in Label Studio under your name, whoever skipped, so that Label Studio asks about the clips again. A skip that holds what somebody entered is kept. This cannot be undone.",
    yes: "Take them back",
  },
};

/** Ask, then do it for every clip in the state; `isFree` tells that nothing is requested first yet. */
export async function askAgain(state, n, isFree) {
  const { title, details, yes } = QUESTIONS[state];
  if ((await ask(title(n), { yes, details })) === null) return;
  const [done, refused] = [[], []];
  try {
    for (let after = 0; after !== null; ) {
      const answer = await send("POST", "again", { state, after });
      done.push(...answer.task_ids);
      refused.push(...answer.refused);
      after = answer.after;
      if (after !== null) notice(`${count(done.length)} of ${clips(n)} so far …`);
    }
    if (isFree && done.length > 0) await send("POST", "queue", { task_ids: done });
  } catch (error) {
    fail(`${clips(done.length)} will be asked about again; then: ${error.message}`);
    return;
  }
  if (refused.length === 0) notice(`${clips(done.length)} will be asked about again${isFree ? " first" : ""}.`);
  else fail(`${clips(done.length)} will be asked about again, ${count(refused.length)} not. ${reasonsText(refused)}`);
}
