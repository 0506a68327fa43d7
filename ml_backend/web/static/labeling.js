// Labeling: buttons and keys that write annotations as the visitor, shown at once on map and table.
//
// Where a clip has one label, a button or its number writes it and the next clip comes. Where it may
// have several, they switch labels on and off, and Enter writes them; "none of them" has a button and
// a key of its own. `undo` takes back the last writing, then the one before, and so on.

import { ask, fail, notice } from "./ask.js";
import { make, say } from "./elements.js";
import { pool } from "./pool.js";
import { sequence } from "./sequence.js";
import { send } from "./server.js";
import { state } from "./state.js";
import { clips, count, NONE_OF_THEM } from "./wording.js";

const N_KEYS = 9;
const SKIP = null; // "cannot tell", as the server and pool.mark understand it
const NOT_THERE = 404;
const N_UNDONE = 50;
const MOST_AT_ONCE = 200; // as many as the server takes

export class Labeling {
  #moveOn;
  #taskId = null;
  #toggled = new Set();
  #written = []; // { token, takeBack, focus, taskIds } of each writing that can be taken back
  #isWriting = Promise.resolve();

  /** `moveOn()` focuses the next clip; `refresh(taskIds)` fetches what is known of them again. */
  constructor({ moveOn, refresh }) {
    [this.#moveOn, this.refresh] = [moveOn, refresh];
    this.buttons = make("div", { class: "labels", role: "group", "aria-label": "Labels" });
    this.scope = make("input", { type: "checkbox", change: () => this.showScope() });
    this.scopeText = make("span", {});
    this.scopeLine = make("label", { class: "check scope" }, this.scope, this.scopeText);
    this.confirm = make("button", {
      type: "button",
      class: "primary",
      click: (event) => this.#pressed(event, () => this.enter()),
    });
    this.none = make(
      "button",
      { type: "button", click: (event) => this.#pressed(event, () => this.#say([])) },
      `${NONE_OF_THEM[0].toUpperCase()}${NONE_OF_THEM.slice(1)} `,
      make("kbd", {}, "N"),
    );
    this.skip = make(
      "button",
      { type: "button", click: (event) => this.#pressed(event, () => this.#say(SKIP)) },
      "Skip ",
      make("kbd", {}, "0"),
    );
    this.undoButton = make(
      "button",
      { type: "button", class: "quiet", click: () => this.undo() },
      "Undo ",
      make("kbd", {}, "Ctrl Z"),
    );
    const rest = make("div", { class: "labels-rest" }, this.confirm, this.none, this.skip, this.undoButton);
    this.element = make(
      "section",
      { class: "labeling", "aria-label": "Label", tabindex: "-1" },
      this.scopeLine,
      this.buttons,
      rest,
    );
    this.show(null, []);
  }

  /** Show the buttons for a clip and the labels it has. */
  show(taskId, labels) {
    const { class_names: names, multi_label: isMulti } = pool.frame;
    const isOther = taskId !== this.#taskId;
    if (isOther) this.#toggled = new Set(isMulti ? labels : []);
    this.#taskId = taskId;
    const pressed = [...this.buttons.children].indexOf(document.activeElement);
    this.buttons.replaceChildren(...names.map((name, i) => this.#makeButton(name, i, labels)));
    this.buttons.children[pressed]?.focus({ preventScroll: true });
    this.confirm.hidden = this.none.hidden = !isMulti;
    this.#showUndo();
    this.showScope();
  }

  /** Label nothing until the next clip is shown. */
  leave() {
    this.#taskId = null;
  }

  /** Obey a key; answers whether it meant something. */
  press(event) {
    const { class_names: names } = pool.frame;
    const key = event.key.toLowerCase();
    if ((event.ctrlKey || event.metaKey) && key === "z" && !event.shiftKey) {
      this.undo();
      return true;
    }
    if (event.ctrlKey || event.metaKey || this.#taskId === null) return false;
    const number = /^(Digit|Numpad)\d$/.test(event.code) ? Number(event.code.at(-1)) : -1;
    if (number === 0 || key === "s") this.#say(SKIP, event.shiftKey);
    else if (number >= 1 && number <= Math.min(N_KEYS, names.length))
      this.#choose(names[number - 1], event.shiftKey);
    else if (key === "enter" && pool.frame.multi_label) this.enter(event.shiftKey);
    else if (key === "n" && pool.frame.multi_label) this.#say([], event.shiftKey);
    else return false;
    return true;
  }

  /** Write the labels that are switched on, if any: that it has none of them is said by itself. */
  enter(isForAll = false) {
    const labels = pool.frame.class_names.filter((name) => this.#toggled.has(name));
    if (labels.length === 0) return notice(`No label is chosen. N says: ${NONE_OF_THEM}.`);
    return this.#say(labels, isForAll);
  }

  /** Take back a writing, or the last one. */
  undo(one = null) {
    this.#isWriting = this.#isWriting.then(() => this.#takeBack(one));
    return this.#isWriting;
  }

  async #takeBack(one) {
    const place = one === null ? this.#written.length - 1 : this.#written.indexOf(one);
    if (place < 0) return notice("There is nothing to undo.");
    const [written] = this.#written.splice(place, 1);
    const { token, takeBack, focus, taskIds } = written;
    this.#showUndo();
    takeBack();
    const { selection } = state.get();
    state.set({ focus, selection: selection.length === 1 ? [focus] : selection });
    try {
      const { n, refused } = await send("DELETE", `annotations/${encodeURIComponent(token)}`);
      if (refused.length > 0) {
        pool.unmark(refused.map(({ task_id: taskId }) => taskId));
        fail(`Taken back for ${clips(n)}, not for ${count(refused.length)}. ${reasonsOf(refused)}`);
      } else notice(`Taken back: ${clips(n)} as before.`);
    } catch (error) {
      pool.unmark(taskIds);
      if (error.status !== NOT_THERE) this.#written.splice(place, 0, written); // to be tried again
      this.#showUndo();
      fail(`It could not be taken back. ${error.message}`);
    }
    return this.refresh(taskIds);
  }

  #makeButton(name, i, labels) {
    const key = i < N_KEYS ? make("kbd", {}, String(i + 1)) : null;
    const isOn = pool.frame.multi_label ? this.#toggled.has(name) : labels.includes(name);
    const attributes = { type: "button", "aria-pressed": String(isOn), title: name };
    const click = (event) => this.#pressed(event, () => this.#choose(name));
    return make("button", { ...attributes, click }, key, make("span", { class: "name" }, name));
  }

  // Space would press a clicked button again, where it should play the next clip.
  #pressed(event, act) {
    if (event.detail > 0) this.element.focus({ preventScroll: true });
    act();
  }

  #choose(name, isForAll = false) {
    if (!pool.frame.multi_label) return this.#say([name], isForAll);
    if (!this.#toggled.delete(name)) this.#toggled.add(name);
    for (const button of this.buttons.children) {
      button.setAttribute("aria-pressed", String(this.#toggled.has(button.title)));
    }
    this.showScope();
    return undefined;
  }

  /** Tell how many clips a label would be for, and what it would be. */
  showScope() {
    const n = sequence.chosen().length;
    this.scopeLine.hidden = n < 2;
    if (n < 2) this.scope.checked = false;
    this.scopeText.textContent = `Label all ${n} selected (or hold Shift)`;
    const what = [...this.#toggled].join(", ") || "…";
    this.confirm.disabled = this.#toggled.size === 0;
    this.confirm.replaceChildren(
      this.scope.checked ? `Label ${n} as: ${what} ` : `Label as: ${what} `,
      make("kbd", {}, "Enter"),
    );
  }

  /** Write labels (null = a skip) for the clip, or for the whole selection after a question. */
  async #say(labels, isForAll = false) {
    const chosen = sequence.chosen();
    const isMany = chosen.length > 1 && (isForAll || this.scope.checked);
    const taskIds = isMany ? chosen : [this.#taskId];
    if (taskIds[0] === null) return undefined;
    const what = labels === SKIP ? "skipped" : labels.join(", ") || NONE_OF_THEM;
    if (isMany && taskIds.length > MOST_AT_ONCE) {
      return fail(
        `${clips(taskIds.length)} are selected; at most ${MOST_AT_ONCE} are labeled at once. Select fewer.`,
      );
    }
    if (isMany) {
      const question =
        labels === SKIP
          ? `Skip these ${clips(taskIds.length)}?`
          : `Label these ${clips(taskIds.length)} as ${what}?`;
      const yes =
        labels === SKIP ? `Skip ${clips(taskIds.length)}` : `Label ${clips(taskIds.length)}`;
      const nHidden = state.get().selection.length - chosen.length;
      const hidden = nHidden > 0 ? ` ${clips(nHidden)} more are selected, but the filters hide them.` : "";
      const details = `It is written to Label Studio under your name, and can be undone once.${hidden}`;
      if ((await ask(question, { yes, details })) === null) return undefined;
    }
    const focus = this.#taskId;
    const shown = labels?.length === 0 ? [NONE_OF_THEM] : labels;
    const takeBack = pool.mark(new Map(taskIds.map((taskId) => [taskId, shown])));
    if (!isMany) this.#moveOn();
    this.#isWriting = this.#isWriting.then(() =>
      this.#write(taskIds, labels, what, takeBack, focus),
    );
    return this.#isWriting;
  }

  async #write(taskIds, labels, what, takeBack, focus) {
    try {
      const { undo, n, refused } = await send("POST", "annotations", { task_ids: taskIds, labels });
      const written = { token: undo, takeBack, focus, taskIds };
      if (n > 0) this.#written = [...this.#written, written].slice(-N_UNDONE);
      this.#showUndo();
      if (refused.length > 0) this.#tellRefused(n, refused);
      else if (taskIds.length > 1) notice(`${clips(n)}: ${what}.`, this.#makeUndo(written));
      else say(`Clip ${taskIds[0]}: ${what}.`);
    } catch (error) {
      pool.unmark(taskIds);
      fail(`Nothing was labeled. ${error.message}`);
    }
    return this.refresh(taskIds);
  }

  #showUndo() {
    this.undoButton.disabled = this.#written.length === 0;
  }

  #makeUndo(written) {
    return make(
      "button",
      {
        type: "button",
        click: ({ target }) => {
          this.undo(written);
          target.disabled = true;
        },
      },
      "Undo",
    );
  }

  #tellRefused(n, refused) {
    pool.unmark(refused.map(({ task_id: taskId }) => taskId));
    fail(`${clips(n)} labeled, ${count(refused.length)} not. ${reasonsOf(refused)}`);
  }
}

const reasonsOf = (refused) => [...new Set(refused.map(({ reason }) => reason))].join(" ");
