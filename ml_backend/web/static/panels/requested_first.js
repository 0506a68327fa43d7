// The clips that are requested first: told in a few words, and withdrawn.

import { send } from "../data/server.js";
import { count } from "../data/wording.js";
import { ask, fail, notice } from "../ui/dialogs.js";
import { make } from "../ui/elements.js";

const DETAILS = "Label Studio then serves all clips by their rank. Labels stay.";

/** Withdraw the request, after a question; returns whether it was withdrawn. */
export async function dropRequested() {
  const isSure = await ask("Withdraw the request?", { yes: "Withdraw it", details: DETAILS });
  if (isSure === null || !(await forgetRequested())) return false;
  document.getElementById("main").focus({ preventScroll: true }); // the button goes
  return true;
}

/** Withdraw the request at once; returns whether that worked. */
export async function forgetRequested() {
  try {
    await send("DELETE", "queue");
  } catch (error) {
    fail(`The request was not withdrawn. ${error.message}`);
    return false;
  }
  notice("The request is withdrawn: clips come by their rank again.");
  return true;
}

/** Add a line to a bar that tells what is requested first, and a button that withdraws it.
 *
 * Returns a function to call with what the server says of it; null hides both,
 * and undefined, said while it counts, leaves them as they are.
 */
export function mountRequestedFirst(bar) {
  const words = make("span", { class: "requested-first faint small" });
  const drop = make("button", { type: "button", class: "small quiet" }, "Withdraw");
  drop.setAttribute("aria-label", "Withdraw the request");
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

/** `12 requested first, 3 labeled`. */
function askedText({ n, n_labeled: nLabeled, error }) {
  if (error) return "The request no longer fits the clips";
  const done = n > 0 && nLabeled === n ? "all" : count(nLabeled);
  return `${count(n)} requested first, ${done} labeled`;
}

function askedTitle({ where, requested_by: by, error }) {
  const what = where ?? "Chosen clips";
  return [by ? `${what}, requested by ${by}` : what, error].filter(Boolean).join(". ");
}
