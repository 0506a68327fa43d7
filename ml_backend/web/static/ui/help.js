// The overlay that lists the keys of this project: `?` opens it.

import { clipData } from "../data/clip_data.js";
import { NONE_OF_THEM, quoted } from "../data/wording.js";
import { make } from "./elements.js";
import { classKeys, keyOf } from "./keys.js";

const N_EACH = 12; // classes, above which their keys are told in one line

/** All keys: [[heading, [[keys, meaning], …]], …]; commands without a key here are left out. */
function keys() {
  const isMulti = clipData.frame.multi_label;
  const of = (command, meaning) => [keyOf(command).toUpperCase(), meaning];
  return [
    [
      "Listening and labeling",
      [
        ["Space", "play, pause"],
        ["← / →", "previous, next clip"],
        ...keysOfClasses(),
        of("skip", "skip the clip"),
        isMulti && ["Enter", "submit the chosen labels"],
        isMulti && of("none", `submit “${NONE_OF_THEM}”`),
        [
          "Shift + these",
          isMulti
            ? "with the keys that submit: all selected clips, after a question"
            : "all selected clips, after a question",
        ],
        ["Ctrl Z", "undo the last label, then the one before"],
      ],
    ],
    [
      "The map",
      [
        [["pan", "lasso", "box"].map(keyOf).filter(Boolean).join(" / ").toUpperCase(), "hand, lasso, box"],
        ["Shift, Alt + drag", "lasso that adds to the selection, that removes from it"],
        of("zoomIn", "zoom in"),
        of("zoomOut", "zoom out"),
        of("showAll", "show the whole map"),
        of("showSelection", "zoom to the selection"),
        ["Arrows", "move the map, while it has the focus"],
        ["Enter", "open the clip nearest to the middle (Shift adds it to the selection)"],
        ["Esc", "clear the selection and close the clip"],
      ],
    ],
    [
      "The table",
      [
        ["↑ ↓ Page Home End", "open the clip above, below, …"],
        [tickKeys(), "select the open clip, or deselect it"],
        ["Shift + ↑ ↓", "select all in between"],
        ["Ctrl A", "select all that pass the filters"],
      ],
    ],
    [
      "The grid of the selection",
      [
        of("grid", "open it"),
        ["Arrows Home End", "go to the clip beside, above, …, and play it"],
        [tickKeys(), "exclude the clip, or include it again"],
        ["Space", "play the clip again"],
        ...(isMulti ? [["Enter", "label the included clips with the chosen labels, after a question"]] : []),
      ],
    ],
    ["Everywhere", [["Tab", "to the next part of the page"], of("color", "color by …"), of("help", "this list")]],
  ];
}

const tickKeys = () => [keyOf("tick").toUpperCase(), "Ctrl Space"].filter(Boolean).join(" or ");

/** The keys of the classes, which are those of Label Studio's labeling page. */
function keysOfClasses() {
  const signs = classKeys();
  const named = clipData.frame.class_names.map((name, i) => [signs[i], name]).filter(([key]) => key);
  const verb = clipData.frame.multi_label ? "choose or clear" : "label";
  if (named.length <= N_EACH) return named.map(([key, name]) => [key, `${verb} ${name}`]);
  return [
    [
      named.map(([key]) => key).join(" "),
      `${verb} ${[named[0][1], named[1][1], "…", named.at(-1)[1]].map(quoted).join(", ")}`,
    ],
  ];
}

/** Build the dialog; returns what opens it. */
export function mountHelp(button) {
  const close = make("button", { type: "button", click: () => dialog.close() }, "Close");
  const title = make("h1", { id: "help-title" }, "Keys");
  const list = make("div", {});
  const dialog = make("dialog", { class: "help", "aria-labelledby": "help-title" }, title, list, close);
  document.body.append(dialog);
  const open = () => {
    if (dialog.open) return;
    list.replaceChildren(...sections());
    dialog.showModal();
  };
  button.addEventListener("click", open);
  return open;
}

function sections() {
  return keys().flatMap(([heading, rows]) => {
    const known = rows.filter((row) => row?.[0]);
    const items = known.flatMap(([signs, meaning]) => [
      make("dt", {}, make("kbd", {}, signs)),
      make("dd", {}, meaning),
    ]);
    return [make("h2", {}, heading), make("dl", {}, ...items)];
  });
}
