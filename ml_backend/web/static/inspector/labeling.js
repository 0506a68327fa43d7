// Labeling: buttons and keys that write annotations as the visitor, shown at once on map and table.
//
// Where a clip has one label, a button or its key writes it and the next clip comes. Where it may
// have several, they switch labels on and off, and Enter writes them; "none of them" has a button and
// a key of its own.

import { clipData } from "../data/clip_data.js";
import { sequence } from "../data/sequence.js";
import { state } from "../data/state.js";
import { answerText, count, labelsText, NONE_OF_THEM, NONE_ON_BUTTON } from "../data/wording.js";
import { actAway, classButton, showChosen } from "../ui/class_buttons.js";
import { notice } from "../ui/dialogs.js";
import { make } from "../ui/elements.js";
import { classKeys, classOf, commandOf, keyOf } from "../ui/keys.js";
import { writer } from "./annotation_writer.js";
import { askForMany } from "./bulk_dialog.js";

const SKIP = null; // "cannot tell", as the server and clipData.mark understand it

export class Labeling {
  #moveOn;
  #taskId = null;
  #toggled = new Set();
  #early = null; // while a clip is named and not shown yet: the keys that were pressed for it

  /** `moveOn()` focuses the next clip. */
  constructor({ moveOn }) {
    this.#moveOn = moveOn;
    writer.addEventListener("undos", () => this.#showUndo());
    this.buttons = make("div", { class: "labels", role: "group", "aria-label": "Labels" });
    this.scope = make("input", { type: "checkbox", change: () => this.showScope() });
    this.scopeText = make("span", {});
    this.scopeLine = make("label", { class: "check scope" }, this.scope, this.scopeText);
    this.target = make("p", { class: "small target", role: "status" });
    this.confirm = make("button", {
      type: "button",
      class: "primary",
      click: (event) => actAway(event, this.element, () => this.enter()),
    });
    this.none = make("button", { type: "button", click: (event) => actAway(event, this.element, () => this.#say([])) });
    this.skip = make("button", {
      type: "button",
      click: (event) => actAway(event, this.element, () => this.#say(SKIP)),
    });
    this.undoButton = make(
      "button",
      { type: "button", class: "quiet", click: () => writer.undo() },
      "Undo ",
      make("kbd", {}, "Ctrl Z"),
    );
    const rest = make("div", { class: "labels-rest" }, this.confirm, this.none, this.skip, this.undoButton);
    this.element = make(
      "section",
      { class: "labeling", "aria-label": "Label", tabindex: "-1" },
      this.target,
      this.scopeLine,
      this.buttons,
      rest,
    );
    this.show(null, []);
  }

  /** Show the buttons for a clip and the labels it has. */
  show(taskId, labels) {
    const { class_names: names, multi_label: isMulti } = clipData.frame;
    const isOther = taskId !== this.#taskId;
    if (isOther) this.#toggled = new Set(isMulti ? labels : []);
    this.#taskId = taskId;
    const pressed = [...this.buttons.children].indexOf(document.activeElement);
    const keys = classKeys();
    const click = (name) => (event) => actAway(event, this.element, () => this.#choose(name));
    this.buttons.replaceChildren(...names.map((name, i) => classButton(name, keys[i], { click: click(name) })));
    showChosen(this.buttons.children, isMulti ? [...this.#toggled] : labels);
    this.buttons.children[pressed]?.focus({ preventScroll: true });
    this.skip.replaceChildren("Skip ", make("kbd", {}, keyOf("skip").toUpperCase()));
    this.none.replaceChildren(`${NONE_ON_BUTTON} `, make("kbd", {}, keyOf("none").toUpperCase()));
    this.confirm.hidden = this.none.hidden = !isMulti;
    this.#showUndo();
    this.showScope();
    const early = this.#early ?? [];
    this.hold(false);
    for (const event of early) this.press(event);
  }

  /** Label nothing until the next clip is named. */
  leave() {
    this.#taskId = null;
    this.hold(false);
  }

  /** Keep the keys for the clip that is named and not shown yet, or keep none. */
  hold(isComing) {
    this.#early = isComing ? [] : null;
  }

  /** Obey a key; returns whether it meant something. */
  press(event) {
    const key = event.key.toLowerCase();
    if ((event.ctrlKey || event.metaKey) && key === "z" && !event.shiftKey) {
      if (!event.repeat) writer.undo();
      return true;
    }
    if (event.ctrlKey || event.metaKey) return false;
    const name = classOf(event);
    const isWriting = name !== undefined || key === "enter" || ["skip", "none"].includes(commandOf(event));
    if (event.repeat && isWriting) return true; // a key that is held labels one clip
    if (this.#early && isWriting) return this.#early.push(event) > 0;
    if (this.#taskId === null) return false;
    if (name !== undefined) this.#choose(name, event.shiftKey);
    else if (commandOf(event) === "skip") this.#say(SKIP, event.shiftKey);
    else if (key === "enter" && clipData.frame.multi_label) this.enter(event.shiftKey);
    else if (commandOf(event) === "none" && clipData.frame.multi_label) this.#say([], event.shiftKey);
    else return false;
    return true;
  }

  /** Write the labels that are switched on, if any: that it has none of them is said by itself. */
  enter(isForAll = false) {
    const labels = clipData.frame.class_names.filter((name) => this.#toggled.has(name));
    if (labels.length === 0) return notice(`No label is chosen. ${keyOf("none").toUpperCase()} says: ${NONE_OF_THEM}.`);
    return this.#say(labels, isForAll);
  }

  #choose(name, isForAll = false) {
    if (!clipData.frame.multi_label) return this.#say([name], isForAll);
    if (!this.#toggled.delete(name)) this.#toggled.add(name);
    showChosen(this.buttons.children, [...this.#toggled]);
    this.showScope();
    return undefined;
  }

  /** The selected clips that a label may be for, where they are others than the one that is open. */
  #others() {
    const chosen = sequence.chosen();
    return chosen.length === 1 && chosen[0] === this.#taskId ? [] : chosen;
  }

  /** Tell which clips a label would be for, and what it would be. */
  showScope() {
    const others = this.#others();
    const n = others.length;
    this.scopeLine.hidden = this.target.hidden = n === 0;
    if (n === 0) this.scope.checked = false;
    const all = n === 1 ? "the selected clip" : `all ${count(n)} selected`;
    this.scopeText.textContent = `Label ${all} (or hold Shift)`;
    const isAside = this.#taskId !== null && !others.includes(this.#taskId);
    const isHidden = state.get().selection.includes(this.#taskId);
    const aside = isHidden ? ", which the filters hide" : ", which is not selected";
    if (this.scope.checked) this.target.textContent = `Labels are for ${all}, after a question.`;
    else this.target.textContent = `Labels are for the clip above${isAside ? aside : ""}.`;
    const what = labelsText([...this.#toggled]) || "…";
    this.confirm.disabled = this.#toggled.size === 0;
    this.confirm.replaceChildren(
      this.scope.checked ? `Label ${count(n)} as: ${what} ` : `Label as: ${what} `,
      make("kbd", {}, "Enter"),
    );
  }

  /** Write labels (null = a skip) for the clip, or for the whole selection after a question. */
  async #say(labels, isForAll = false) {
    const chosen = this.#others();
    const isMany = chosen.length > 0 && (isForAll || this.scope.checked);
    const focus = this.#taskId;
    if (focus === null) return undefined;
    const what = answerText(labels);
    const shown = labels?.length === 0 ? [NONE_OF_THEM] : labels;
    if (!isMany) {
      const written = writer.write([focus], labels, { what, shown, focus });
      this.#moveOn();
      return written;
    }
    const wanted = await askForMany(chosen, labels, what);
    return wanted && writer.write(wanted.taskIds, labels, { what, shown, focus, ...wanted });
  }

  #showUndo() {
    this.undoButton.disabled = !writer.canUndo;
  }
}
