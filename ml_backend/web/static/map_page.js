// The map page: load the clips, then fill the panels.

import { clipData } from "./data/clip_data.js";
import { whyAway } from "./data/outage.js";
import { state } from "./data/state.js";
import { writer } from "./inspector/annotation_writer.js";
import { mountMap } from "./map/map.js";
import { mountPanels } from "./panels/panels.js";
import { openGrid } from "./panels/thumbnail_grid.js";
import { fail } from "./ui/dialogs.js";
import { make, say } from "./ui/elements.js";
import { mountHelp } from "./ui/help.js";
import { commandOf } from "./ui/keys.js";
import { mountLayout } from "./ui/layout.js";

let troubled = null;

const byId = (id) => document.getElementById(id);

/** Keep a sentence in sight until another one, or none, takes its place; one at a time. */
function warn(sentence) {
  troubled = sentence;
  const trouble = byId("trouble");
  const shown = whyAway() ?? troubled;
  trouble.hidden = !shown;
  trouble.textContent = shown ?? "";
}

function sayWhatIsSelected({ selection }) {
  const n = selection.length;
  say(n === 0 ? "Nothing selected." : `${n.toLocaleString("en")} ${n === 1 ? "clip" : "clips"} selected.`);
}

/** What is not in the project, or no longer, is neither selected nor heard. */
function forgetGone() {
  const { selection, focus } = state.get();
  const isThere = (taskId) => clipData.rowOf(taskId) >= 0;
  state.set({ selection: selection.filter(isThere), focus: focus !== null && isThere(focus) ? focus : null });
}

/** Single keys work everywhere but where somebody types. */
function listen(acts) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input, select, textarea, dialog, [contenteditable]")) return;
    const act = acts[event.key === "Escape" ? "clear" : commandOf(event)];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

/** The map; where it cannot be drawn, a sentence says so, and the rest works without it. */
function mountMapOrSay() {
  try {
    return mountMap(byId("map"));
  } catch (error) {
    const sentence = make("p", { class: "problem" }, `${error.message} Filters, table and inspector work without it.`);
    byId("map").replaceChildren(sentence);
    return { ready: Promise.resolve(), acts: {} };
  }
}

mountLayout(byId("workspace"));
document.addEventListener("waiting", ({ detail }) => {
  byId("waiting").textContent = detail ?? "";
  byId("waiting").hidden = detail === null;
});
clipData.addEventListener("trouble", ({ detail }) => warn(detail));
document.addEventListener("away", () => warn(troubled));
try {
  await clipData.open(state.get().locality);
  forgetGone();
  clipData.addEventListener("revision", forgetGone);
  addEventListener("popstate", forgetGone);
  const map = mountMapOrSay();
  const openHelp = mountHelp(byId("help"));
  listen({ ...map.acts, grid: openGrid, help: openHelp });
  state.on(["selection"], sayWhatIsSelected);
  mountPanels({ filters: byId("filters"), table: byId("table"), inspector: byId("inspector") });
  writer.resume().catch(({ message }) => fail(message));
  await map.ready;
  document.body.dataset.ready = "yes";
  requestAnimationFrame(() => performance.mark("usable"));
} catch (error) {
  warn(error.message);
  throw error;
}
