// What is known of a clip, section by section: scores, annotations, metadata.

import { count, labelsText, NONE_OF_THEM, numberText, probabilityText } from "../data/wording.js";
import { cut, make } from "../ui/elements.js";

const N_BARS = 6;

/** Bars of the classes' probabilities, the likeliest first, and the figures behind its rank. */
export function scoresOf(details) {
  const section = make("section", { class: "scores" }, make("h3", {}, "Prediction"));
  const classes = Object.entries(details.probabilities ?? {}).sort((a, b) => b[1] - a[1]);
  if (classes.length === 0) {
    section.append(make("p", { class: "faint" }, details.why || "No classifier has scored this clip yet."));
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
  if (items.length === 0) section.append(make("p", { class: "faint" }, "No metadata was imported."));
  else section.append(pairs(items));
  return section;
}

function pairs(items) {
  const list = make("dl", { class: "pairs" });
  for (const [name, value] of items) list.append(make("dt", { title: name }, name), make("dd", {}, value));
  return list;
}
