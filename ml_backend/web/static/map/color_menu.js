// What the map can be colored by, in groups, found by typing.

import { grouped } from "../data/column_groups.js";
import { makeCombobox } from "../ui/combobox.js";

/** The column that colors the map where nobody chose one. */
export const defaultColor = (frame) => (frame.model_version ? "predicted" : "label");

/** All choices: [{ value, title, group }], group after group. */
export function colorChoices(frame) {
  const all = frame.available.map(({ name, title, kind, group }) => ({ value: name, title, kind, group }));
  if (frame.model_version) {
    for (const name of frame.class_names) {
      all.push({ value: `probability:${name}`, title: `Probability of ${name}`, kind: "number", group: "model" });
    }
  }
  const once = new Map();
  for (const choice of all) if (!once.has(choice.value)) once.set(choice.value, choice);
  const useful = [...once.values()].filter(({ kind }) => kind !== "text");
  return grouped(useful).flatMap(({ heading, members }) =>
    members.map(({ value, title }) => ({ value, title, group: heading })),
  );
}

/** How a column is called. */
export function titleOf(frame, name) {
  const known = colorChoices(frame).find(({ value }) => value === name);
  if (known) return known.title;
  if (name.startsWith("word:")) return `Sounds like “${name.slice(5)}”`;
  if (name === "similarity") return "Similarity to the dropped sound";
  return name.replace(/^meta:/, "");
}

/** The box "Color by": `onChoose(column name)`. */
export function makeColorBox(frameOf, onChoose) {
  return makeCombobox({
    label: "Color by",
    options: (words) => {
      const parts = words.toLowerCase().split(/\s+/);
      return colorChoices(frameOf()).filter(({ value, title, group }) =>
        parts.every((part) => `${value} ${title} ${group}`.toLowerCase().includes(part)),
      );
    },
    onChoose: ({ value }) => onChoose(value),
  });
}
