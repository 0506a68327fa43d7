// The overlay that lists the keys: `?` opens it.

import { make } from "./elements.js";

const KEYS = [
  ["The map", [
    ["V / L / B", "hand, lasso, box"],
    ["Shift, Alt + drag", "lasso that adds, that takes away"],
    ["+ / − / F / Z", "zoom in, out, full map, to the selection"],
    ["Arrows", "move the map, while it has the focus"],
    ["Enter", "choose the clip nearest to the middle (Shift adds)"],
    ["Esc", "nothing selected"],
  ]],
  ["Listening and labeling", [
    ["Space", "play, pause"],
    ["← / →", "previous, next clip"],
    ["1 … 9", "label; with Shift, all selected clips"],
    ["0 or S", "skip"],
    ["Enter", "write the labels, where a clip may have several"],
    ["N", "write “none of them”, where a clip may have several"],
    ["Ctrl Z", "undo the last labeling, then the one before"],
  ]],
  ["The table", [
    ["↑ ↓ Page Home End", "go from clip to clip"],
    ["X or Ctrl Space", "select, or no longer"],
    ["Shift + ↑ ↓", "select all in between"],
    ["Ctrl A", "select all that pass the filters"],
  ]],
  ["Everywhere", [
    ["Tab", "from part to part"],
    ["C", "color by …"],
    ["?", "this list"],
  ]],
];

/** Build the dialog; answers with what opens it. */
export function mountHelp(button) {
  const sections = KEYS.flatMap(([heading, rows]) => [
    make("h2", {}, heading),
    make("dl", {}, ...rows.flatMap(([keys, meaning]) => [make("dt", {}, make("kbd", {}, keys)), make("dd", {}, meaning)])),
  ]);
  const close = make("button", { type: "button", click: () => dialog.close() }, "Close");
  const title = make("h1", { id: "help-title" }, "Keys");
  const dialog = make("dialog", { class: "help", "aria-labelledby": "help-title" }, title, ...sections, close);
  document.body.append(dialog);
  const open = () => dialog.open || dialog.showModal();
  button.addEventListener("click", open);
  return open;
}
