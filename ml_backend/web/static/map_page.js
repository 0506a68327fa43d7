// The map page: load the clips, then fill the panels.

import { clipData } from "./data/clip_data.js";
import { filtering } from "./data/filtering.js";
import { whyAway } from "./data/outage.js";
import { state } from "./data/state.js";
import { clips } from "./data/wording.js";
import { writer } from "./inspector/annotation_writer.js";
import { mountInspector } from "./inspector/inspector.js";
import { mountMap } from "./map/map.js";
import { mountFilters } from "./panels/filters.js";
import { mountTable } from "./panels/table.js";
import { openGrid } from "./panels/thumbnail_grid.js";
import { fail } from "./ui/dialogs.js";
import { make, say } from "./ui/elements.js";
import { mountHelp } from "./ui/help.js";
import { commandOf, dispatchKeys } from "./ui/keys.js";
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
  say(n === 0 ? "Nothing selected." : `${clips(n)} selected.`);
}

/** What is not in the project, or no longer, is neither selected nor open. */
function forgetGone() {
  const { selection, focus } = state.get();
  const isThere = (taskId) => clipData.rowOf(taskId) >= 0;
  state.set({ selection: selection.filter(isThere), focus: focus !== null && isThere(focus) ? focus : null });
}

/** Do what a key commands; returns whether it commanded something. */
function obey(event, acts) {
  if (event.ctrlKey || event.metaKey) return false;
  const act = acts[event.key === "Escape" ? "clear" : commandOf(event)];
  act?.();
  return act !== undefined;
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
  const acts = { ...map.acts, grid: openGrid, help: openHelp };
  state.on(["selection"], sayWhatIsSelected);
  mountFilters(byId("filters"));
  mountTable(byId("table"));
  const inspector = mountInspector(byId("inspector"));
  filtering.start();
  dispatchKeys(
    (event) => obey(event, acts),
    (event) => inspector.press(event),
  );
  writer.resume().catch(({ message }) => fail(message));
  await map.ready;
  document.body.dataset.ready = "yes";
  requestAnimationFrame(() => performance.mark("usable"));
} catch (error) {
  warn(error.message);
  throw error;
}
