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
        of("skip", "skip: cannot tell"),
        isMulti && ["Enter", "write the labels that are switched on"],
        isMulti && of("none", `write “${NONE_OF_THEM}”`),
        [
          "Shift + these",
          isMulti
            ? "with those that write: all selected clips, after a question"
            : "all selected clips, after a question",
        ],
        ["Ctrl Z", "undo the last labeling, then the one before"],
      ],
    ],
    [
      "The map",
      [
        [["pan", "lasso", "box"].map(keyOf).filter(Boolean).join(" / ").toUpperCase(), "hand, lasso, box"],
        ["Shift, Alt + drag", "lasso that adds, that takes away"],
        of("zoomIn", "zoom in"),
        of("zoomOut", "zoom out"),
        of("showAll", "the whole map"),
        of("showSelection", "zoom to the selection"),
        ["Arrows", "move the map, while it has the focus"],
        ["Enter", "choose the clip nearest to the middle (Shift adds)"],
        ["Esc", "nothing selected, no clip open"],
      ],
    ],
    [
      "The table",
      [
        ["↑ ↓ Page Home End", "open the clip above, below, …"],
        [tickKeys(), "tick the open clip, or no longer"],
        ["Shift + ↑ ↓", "tick all in between"],
        ["Ctrl A", "tick all that pass the filters"],
      ],
    ],
    [
      "The grid of the selection",
      [
        of("grid", "open it"),
        ["Arrows Home End", "go to the clip beside, above, …, and play it"],
        [tickKeys(), "leave the clip out, or take it in again"],
        ["Space", "play the clip again"],
        ...(isMulti ? [["Enter", "label those taken in with the labels that are switched on, after a question"]] : []),
      ],
    ],
    ["Everywhere", [["Tab", "from part to part"], of("color", "color by …"), of("help", "this list")]],
  ];
}

const tickKeys = () => [keyOf("tick").toUpperCase(), "Ctrl Space"].filter(Boolean).join(" or ");

/** The keys of the classes, which are those of Label Studio's labeling page. */
function keysOfClasses() {
  const signs = classKeys();
  const named = clipData.frame.class_names.map((name, i) => [signs[i], name]).filter(([key]) => key);
  const verb = clipData.frame.multi_label ? "switch on or off" : "label";
  if (named.length <= N_EACH) return named.map(([key, name]) => [key, `${verb} ${name}`]);
  return [
    [
      named.map(([key]) => key).join(" "),
      `${verb} ${[named[0][1], named[1][1], "…", named.at(-1)[1]].map(quoted).join(", ")}`,
    ],
  ];
}

/** Build the dialog; answers with what opens it. */
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
