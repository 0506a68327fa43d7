// Buttons that label: of a class, with its key and its name, which is cut where there is no room.

import { cut, make } from "./elements.js";

export const classButton = (name, key, attributes, ...more) =>
  make(
    "button",
    { type: "button", title: name, "data-name": name, ...attributes },
    key ? make("kbd", {}, key) : null,
    cut(name),
    ...more,
  );

/** Press the buttons whose classes are chosen. */
export function showChosen(buttons, chosen) {
  for (const button of buttons) button.setAttribute("aria-pressed", String(chosen.includes(button.dataset.name)));
}

/** Act on a click. Space would press a clicked button again, where it should play a clip: `home` takes the focus. */
export function actAway(event, home, act) {
  if (event.detail > 0) home.focus({ preventScroll: true });
  act();
}
