// "Find similar": the nearest clips of the one in the inspector.

import { address, getJson } from "../data/server.js";
import { state } from "../data/state.js";
import { labelsText } from "../data/wording.js";
import { make, showPicture } from "../ui/elements.js";

const N_NEIGHBORS = 12;

/** The nearest clips; fetched when it is opened, and again for every clip while it stays open. */
export class Neighbors {
  #taskId = null;
  #shown = null;

  constructor() {
    this.list = make("ol", { class: "neighbors" });
    this.all = make("button", { type: "button", class: "small", click: () => this.#selectAll() }, "Select these");
    const summary = make("summary", {}, make("h3", {}, "Find similar"));
    this.element = make("details", { class: "similar", toggle: () => this.#fetch() }, summary, this.list, this.all);
  }

  show(taskId) {
    this.#taskId = taskId;
    this.#fetch();
  }

  async #fetch() {
    const taskId = this.#taskId;
    if (!this.element.open || taskId === null || taskId === this.#shown) return;
    this.#shown = taskId;
    this.list.setAttribute("aria-busy", "true");
    try {
      const found = await getJson(`clips/${taskId}/neighbors?n=${N_NEIGHBORS}`);
      if (taskId !== this.#taskId) return;
      this.ids = [taskId, ...found.map(({ task_id: id }) => id)];
      const ofGroup = (isLabeled) => found.filter((one) => one.is_labeled === isLabeled);
      this.list.replaceChildren(
        ...this.#makeGroup("Nearest labeled clips", ofGroup(true)),
        ...this.#makeGroup("Nearest clips without a label", ofGroup(false)),
      );
      this.all.hidden = found.length === 0;
      if (found.length === 0) this.list.append(make("li", { class: "faint" }, "There is no other clip."));
    } catch (error) {
      this.#shown = null;
      this.list.replaceChildren(make("li", { class: "problem" }, error.message));
    }
    this.list.removeAttribute("aria-busy");
  }

  #makeGroup(title, found) {
    if (found.length === 0) return [];
    const heading = make("h4", {}, title, make("span", { class: "faint small" }, "distance"));
    return [make("li", {}, heading), ...found.map((one) => this.#makeItem(one))];
  }

  #makeItem({ task_id: taskId, distance, labels }) {
    const said = labelsText(labels ?? []);
    const picture = make("img", { alt: `Clip ${taskId}` });
    showPicture(picture, address(`clips/${taskId}/thumbnail`));
    const button = make(
      "button",
      { type: "button", class: "quiet", click: () => state.set({ focus: taskId }) },
      picture,
      make("span", { class: said ? "name labeled" : "name faint" }, said || "not labeled"),
      make("span", { class: "number faint small", title: "Cosine distance" }, distance.toFixed(3)),
    );
    return make("li", {}, button);
  }

  #selectAll() {
    state.set({ selection: this.ids }); // those that are listed, also while others are being fetched
  }
}
