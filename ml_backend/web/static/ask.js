// Questions to the visitor, and short notices with something to press. Text only, never markup.

import { make, say } from "./elements.js";

const NOTICE_MS = 12_000;

/** Ask in a dialog. Answers with what was typed (or true), or null when it was called off.
 *
 *     await ask("Label these 12 clips as siren?", { yes: "Label 12 clips" })
 *     await ask("Make a tab", { yes: "Make it", field: { label: "Title", value: "Sirens" } })
 */
export function ask(question, { yes, details = null, field = null }) {
  const { promise, resolve } = withResolver();
  const input =
    field && make("input", { type: "text", value: field.value, maxlength: "100", required: true });
  const dialog = make(
    "dialog",
    { class: "question", "aria-labelledby": "question" },
    make(
      "form",
      { method: "dialog", submit: () => (dialog.returnValue = "yes") },
      make("h2", { id: "question" }, question),
      details && make("p", {}, details),
      field && make("label", { class: "stacked" }, field.label, input),
      make(
        "div",
        { class: "buttons" },
        make("button", { type: "button", click: () => dialog.close("no") }, "Cancel"),
        make("button", { type: "submit", class: "primary", value: "yes" }, yes),
      ),
    ),
  );
  const before = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    before?.focus();
    resolve(dialog.returnValue === "yes" ? (input ? input.value.trim() : true) : null);
  });
  document.body.append(dialog);
  dialog.showModal();
  (input ?? dialog.querySelector(".primary")).focus();
  input?.select();
  return promise;
}

/** Show a notice for a while, with buttons or links; the one before it goes. */
export function notice(sentence, ...actions) {
  document.querySelector(".notice")?.remove();
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
