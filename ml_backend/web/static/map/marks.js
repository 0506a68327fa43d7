// What is special about each point, from the frame and the state; and the clicks on the legend.

import { textAt } from "../data/packed.js";
import { NOWHERE } from "./geometry.js";
import { MARK } from "./points.js";

/** Places of all rows: x0, y0, x1, y1, … in map units; far outside for clips that have none yet. */
export function positionsOf(frame) {
  const [x, y] = ["x", "y"].map((name) => frame.columns.get(name).values);
  const xy = new Float32Array(2 * frame.n);
  for (let row = 0; row < frame.n; row++) {
    const isPlaced = x[row] >= 0;
    xy[2 * row] = isPlaced ? x[row] : NOWHERE;
    xy[2 * row + 1] = isPlaced ? y[row] : NOWHERE;
  }
  return xy;
}

/** How many clips have a place on the map. */
export const countPlaced = (frame) => frame.columns.get("x").values.reduce((n, x) => n + Number(x >= 0), 0);

/** Marks of all rows; `highlight` = { column, value } fades all but one category. */
export function marksOf(clipData, { visible, selection, focus }, highlight = null) {
  const { columns, n } = clipData.frame;
  const labels = columns.get("label").codes;
  const marks = new Uint8Array(n);
  const isUsable = visible !== null && visible.length === n; // else it belongs to another frame
  for (let row = 0; row < n; row++) {
    if (labels[row] >= 0) marks[row] |= MARK.labeled;
    if (isUsable && visible[row] === 0) marks[row] |= MARK.faded;
    if (highlight && textAt(highlight.column, row) !== highlight.value) marks[row] |= MARK.faded;
  }
  const add = (taskId, bit) => {
    const row = clipData.rowOf(taskId);
    if (row >= 0) marks[row] |= bit;
  };
  for (const taskId of selection) add(taskId, MARK.selected);
  if (focus !== null) add(focus, MARK.focused);
  return marks;
}

/** The filters after a click on a category: first it alone, then it too, or no longer. */
export function toggleValue(filters, name, value) {
  const { [name]: filter = {}, ...others } = filters;
  const chosen = filter.values ?? [];
  const values = chosen.includes(value) ? chosen.filter((one) => one !== value) : [...chosen, value];
  return values.length > 0 ? { ...others, [name]: { ...filter, values } } : others;
}

/** The selection, or the clip that is open where nothing is selected. */
export const withOpened = ({ selection, focus }) => (selection.length === 0 && focus !== null ? [focus] : selection);

/** A selection after more clips were picked: `how` is "replace", "add" or "remove". */
export function combine(selection, picked, how) {
  if (how === "replace") return picked;
  const chosen = new Set(selection);
  for (const taskId of picked) how === "add" ? chosen.add(taskId) : chosen.delete(taskId);
  return [...chosen];
}
