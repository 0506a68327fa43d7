// What is asked for first, before all else: told in few words, and dropped.

import { send } from "../data/server.js";
import { count } from "../data/wording.js";
import { ask, fail, notice } from "../ui/dialogs.js";
import { make } from "../ui/elements.js";

const DETAILS = "Label Studio then asks for all clips in the usual order. What is labeled stays labeled.";

/** Ask whether to drop it, then do so; tells whether it was dropped. */
export async function dropRequested() {
  const isSure = await ask("Drop what is asked for first?", { yes: "Drop it", details: DETAILS });
  if (isSure === null || !(await forgetRequested())) return false;
  document.getElementById("main").focus({ preventScroll: true }); // the button goes
  return true;
}

/** Drop it at once; tells whether that went well. */
export async function forgetRequested() {
  try {
    await send("DELETE", "queue");
  } catch (error) {
    fail(`The order is as it was. ${error.message}`);
    return false;
  }
  notice("Label Studio asks in the usual order again.");
  return true;
}

/** Add a line to a bar that tells what is asked for, and a button that drops it.
 *
 * Answers with a function to call with what the server says of it; null hides both,
 * and undefined, said while it counts, leaves them as they are.
 */
export function mountRequestedFirst(bar) {
  const words = make("span", { class: "requested-first faint small" });
  const drop = make("button", { type: "button", class: "small quiet" }, "Drop");
  drop.setAttribute("aria-label", "Drop what is asked for first");
  bar.append(words, drop);
  const show = (asked) => {
    if (asked === undefined) return;
    words.hidden = drop.hidden = !asked;
    if (!asked) return;
    words.textContent = askedText(asked);
    words.title = askedTitle(asked);
  };
  drop.addEventListener("click", async () => {
    if (await dropRequested()) show(null);
  });
  show(null);
  return show;
}

/** `12 asked for first, 3 labeled`. */
function askedText({ n, n_labeled: nLabeled, error }) {
  if (error) return "What is asked for first fits no more";
  const done = n > 0 && nLabeled === n ? "all" : count(nLabeled);
  return `${count(n)} asked for first, ${done} labeled`;
}

function askedTitle({ where, requested_by: by, error }) {
  const what = where ?? "Chosen clips";
  return [by ? `${what}, asked for by ${by}` : what, error].filter(Boolean).join(". ");
}
