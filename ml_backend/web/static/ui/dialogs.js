// Questions to the visitor, and short notices with something to press. Text only, never markup.

import { constants } from "../data/constants.js";
import { make, say } from "./elements.js";

const NOTICE_MS = 12_000;

/** Ask in a dialog. Returns what was typed (or true), or null when it was called off; with
 * "other" where there is a second way, named `other`, and it was taken. Where `isCareful`, Enter
 * calls it off.
 *
 *     await ask("Label these 12 clips as siren?", { yes: "Label 12 clips" })
 *     await ask("Make a tab", { yes: "Make it", field: { label: "Title", value: "Sirens" } })
 */
export function ask(question, { yes, other = null, details = [], field = null, isCareful = false }) {
  const { promise, resolve } = withResolver();
  const input =
    field && make("input", { type: "text", value: field.value, maxlength: constants.max_title, required: true });
  const dialog = make(
    "dialog",
    { class: "question", "aria-labelledby": "question" },
    make(
      "form",
      { method: "dialog", submit: () => (dialog.returnValue = "yes") },
      make("h2", { id: "question" }, question),
      ...[details].flat().map((sentence) => make("p", {}, sentence)),
      field && make("label", { class: "stacked" }, field.label, input),
      make(
        "div",
        { class: "buttons" },
        make("button", { type: "button", click: () => dialog.close("no") }, "Cancel"),
        other && make("button", { type: "button", click: () => dialog.close("other") }, other),
        make("button", { type: "submit", class: "primary", value: "yes" }, yes),
      ),
    ),
  );
  const before = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    before?.focus();
    if (dialog.returnValue === "other") resolve("other");
    else resolve(dialog.returnValue === "yes" ? (input ? input.value.trim() : true) : null);
  });
  document.body.append(dialog);
  dialog.showModal();
  (input ?? dialog.querySelector(isCareful ? "button" : ".primary")).focus();
  input?.select();
  return promise;
}

/** Show a notice for a while, with buttons or links; the one before it goes. */
export function notice(sentence, ...actions) {
  document.querySelector(".notice:not(.working)")?.remove();
  const close = make(
    "button",
    { type: "button", class: "quiet", "aria-label": "Close", click: () => box.remove() },
    "×",
  );
  const box = make("div", { class: "notice" }, make("span", {}, sentence), ...actions, close);
  document.body.append(box);
  say(sentence);
  setTimeout(function leave() {
    if (box.matches(".failed")) return;
    // Whoever is about to press a button in it shall find it.
    if (box.matches(":hover, :focus-within")) setTimeout(leave, NOTICE_MS);
    else box.remove();
  }, NOTICE_MS);
  return box;
}

/** Tell how far something is that takes a while: `show(sentence, share)` and `close()`; where
 * `stop` is given, a button calls it.
 */
export function progressNotice(stop = null) {
  const words = make("span", { role: "status" });
  const bar = make("progress", { max: 1 });
  const press = ({ target }) => {
    stop();
    target.disabled = true;
  };
  const button = stop && make("button", { type: "button", click: press }, "Stop");
  const box = make("div", { class: "notice working" }, words, bar, button);
  document.body.append(box);
  return {
    show: (sentence, share) => ([words.textContent, bar.value] = [sentence, share]),
    close: () => box.remove(),
  };
}

/** Tell of a failure; it stays until it is closed. */
export function fail(sentence) {
  const box = notice(sentence);
  box.classList.add("failed");
  box.setAttribute("role", "alert");
}

function withResolver() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}
