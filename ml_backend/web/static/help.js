// The overlay that lists the keys: `?` opens it.

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
    ["Ctrl Z", "undo the last labeling"],
  ]],
  ["Everywhere", [
    ["Tab", "from part to part"],
    ["C", "color by …"],
    ["?", "this list"],
  ]],
];

/** Build the dialog; answers with what opens it. */
export function mountHelp(button) {
  const dialog = document.createElement("dialog");
  dialog.className = "help";
  dialog.setAttribute("aria-labelledby", "help-title");
  const title = document.createElement("h1");
  title.id = "help-title";
  title.textContent = "Keys";
  dialog.append(title);
  for (const [heading, rows] of KEYS) {
    const section = document.createElement("h2");
    section.textContent = heading;
    const list = document.createElement("dl");
    for (const [keys, meaning] of rows) {
      const term = document.createElement("dt");
      const key = document.createElement("kbd");
      key.textContent = keys;
      term.append(key);
      const said = document.createElement("dd");
      said.textContent = meaning;
      list.append(term, said);
    }
    dialog.append(section, list);
  }
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  dialog.append(close);
  document.body.append(dialog);
  const open = () => dialog.open || dialog.showModal();
  button.addEventListener("click", open);
  return open;
}
