// Keys: what each of them means on this page, and who is told. A class has the key that Label Studio
// gives it; a command whose usual key is a class's has none here; skipping and "none of them" have the next one.

import { clipData } from "../data/clip_data.js";

const COMMANDS = {
  ...{ pan: "v", lasso: "l", box: "b", zoomIn: "+", zoomOut: "-", showAll: "f", showSelection: "z" },
  ...{ color: "c", tick: "x", grid: "g", help: "?" },
};
const ALIASES = { "=": "+" };

const TYPED_IN = "input:not([type=checkbox], [type=radio], [type=range]), select, textarea, [contenteditable]";

/** Listen for keys, wherever nobody types and no dialog is open, in the one place where a page does: the listeners
 * are asked in turn until one returns that the key meant something. Enter and Space press what has the focus.
 */
export function dispatchKeys(...listeners) {
  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.defaultPrevented || event.altKey || target.closest(TYPED_IN) || document.querySelector("dialog[open]"))
      return;
    if ((key === "Enter" || key === " ") && target.closest("button, summary, a")) return;
    if (listeners.some((obeys) => obeys(event))) event.preventDefault();
  });
}

/** The key of each class, "" where it has none that can be pressed here. */
export function classKeys({ class_names: names, hotkeys } = clipData.frame) {
  // hotkeys is empty before a first round
  return names.map((_, i) => (/^[!-~]$/.test(hotkeys[i] ?? "") ? hotkeys[i] : ""));
}

/** The key of a command, "" where it is a class's. */
export function keyOf(command) {
  const taken = classKeys();
  if (command in spares(taken)) return spares(taken)[command];
  return taken.includes(COMMANDS[command]) ? "" : COMMANDS[command];
}

/** The keys of skipping and of "none of them" beside those of classes; Label Studio hands u, r and h
 * out to no class.
 */
export function spares(classes) {
  const skip = firstFree("surh", classes);
  return { skip, none: firstFree("nrhu", [...classes, skip]) };
}

const firstFree = (keys, taken) => [...keys].find((key) => !taken.includes(key)) ?? "";

/** The command that was pressed, or undefined. */
export function commandOf(event) {
  const pressed = pressedKey(event);
  if (classKeys().includes(pressed)) return undefined;
  const key = ALIASES[pressed] ?? pressed;
  return ["skip", "none", ...Object.keys(COMMANDS)].find((command) => keyOf(command) === key);
}

/** The class that was pressed, or undefined; Shift changes nothing about it. */
export function classOf(event) {
  return clipData.frame.class_names[classKeys().indexOf(pressedKey(event))];
}

/** What a key writes without Shift; a letter or digit by its place where the layout has others. */
export function pressedKey({ key, code = "" }) {
  if (key.length > 1) return key; // such as the arrows that a number pad may have
  if (/^[a-z]$/i.test(key)) return key.toLowerCase();
  const [, sign] = /^(?:Digit|Numpad|Key)([0-9A-Z])$/.exec(code) ?? [];
  return sign?.toLowerCase() ?? key;
}
