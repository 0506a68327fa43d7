// What is known of a clip, for the inspector: judgment, annotations, metadata, neighbors.

import { address, getJson } from "../data/server.js";
import { state } from "../data/state.js";
import { count, labelsText, NONE_OF_THEM, numberText, probabilityText } from "../data/wording.js";
import { cut, make, showPicture } from "../ui/elements.js";

const N_BARS = 6;
const N_NEIGHBORS = 12;

/** Bars of the classes' probabilities, the likeliest first, and the figures behind its rank. */
export function scoresOf(details) {
  const section = make("section", { class: "judgment" }, make("h3", {}, "Prediction"));
  const classes = Object.entries(details.probabilities ?? {}).sort((a, b) => b[1] - a[1]);
  if (classes.length === 0) {
    section.append(make("p", { class: "faint" }, details.why || "No classifier has heard this clip yet."));
  } else {
    const bars = classes.map(([name, probability]) => bar(name, probability));
    const rest = bars.splice(N_BARS);
    section.append(make("ol", { class: "bars" }, ...bars));
    if (rest.length > 0) {
      section.append(
        make("details", {}, make("summary", {}, `${rest.length} more`), make("ol", { class: "bars" }, ...rest)),
      );
    }
  }
  const facts = [
    ["Entropy", figure(details.entropy)],
    ["Distance to the nearest label", figure(details.coverage)],
    ["Rank in the queue", isNumber(details.rank) ? count(details.rank) : null],
  ].filter(([, value]) => value !== null);
  if (facts.length > 0) section.append(pairs(facts));
  if (details.why && classes.length > 0) section.append(make("p", { class: "faint small" }, details.why));
  return section;
}

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const figure = (value) => (isNumber(value) ? value.toFixed(2) : null);

function bar(name, probability) {
  const filled = make("span", { class: "filled" });
  filled.style.width = `${Math.max(0, Math.min(1, probability)) * 100}%`;
  return make(
    "li",
    {},
    cut(name),
    make("span", { class: "bar", "aria-hidden": "true" }, filled),
    make("span", { class: "number" }, probabilityText(probability)),
  );
}

/** Who said what of the clip. */
export function annotationsOf({ annotations = [] }) {
  const section = make("section", {}, make("h3", {}, "Annotations"));
  if (annotations.length === 0) section.append(make("p", { class: "faint" }, "Nobody has labeled this clip yet."));
  const items = annotations.map((one) => [one.is_mine ? `${one.by} (you)` : one.by, saidIn(one)]);
  if (items.length > 0) section.append(pairs(items));
  return section;
}

const SAID = { skipped: "skipped", no_label: "submitted without a label", unreadable: "cannot be read" };

/** What one annotation says, and what of it Earmark cannot read. */
function saidIn({ kind, labels, problems = [] }) {
  const said = SAID[kind] ?? (labelsText(labels ?? []) || NONE_OF_THEM);
  return problems.length === 0 ? said : `${said}: it ${problems.join(" and ")}`;
}

/** Every metadata value, as it was imported. */
export function metadataOf({ metadata = [], recording }) {
  const section = make("section", {}, make("h3", {}, "Metadata"));
  const items = metadata.map(({ name, value }) => [
    name,
    typeof value === "number" ? numberText(value) : String(value ?? ""),
  ]);
  if (recording && !metadata.some(({ name }) => name === "recording_id")) items.unshift(["recording", recording]);
  if (items.length === 0) section.append(make("p", { class: "faint" }, "None was imported."));
  else section.append(pairs(items));
  return section;
}

function pairs(items) {
  const list = make("dl", { class: "pairs" });
  for (const [name, value] of items) list.append(make("dt", { title: name }, name), make("dd", {}, value));
  return list;
}

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
