// Search by sound: drop a recording on the map, or type a word that the embedder knows.

import { clipData } from "../data/clip_data.js";
import { getJson, sendForPacked } from "../data/server.js";
import { state } from "../data/state.js";
import { makeCombobox } from "../ui/combobox.js";
import { fail, notice } from "../ui/dialogs.js";
import { make } from "../ui/elements.js";

const N_SELECTED = 20;

const N_OFFERED = 60;

/** The box for words; what is chosen colors the map and sorts the table. */
export function makeWordBox() {
  const box = makeCombobox({
    label: "Find by word",
    keepsChoice: false,
    options: async (words) => {
      const nothing = { names: [], nearest: [] };
      const { names, nearest } = await getJson(`words?q=${encodeURIComponent(words)}`).catch(() => nothing);
      const group = nearest.length > 0 ? `AudioSet has no “${words}”. Its nearest names:` : undefined;
      return [...names, ...nearest].slice(0, N_OFFERED).map((word) => ({ value: `word:${word}`, title: word, group }));
    },
    onChoose: ({ value }) => {
      state.set({ color: value, sort: { name: value, isDescending: true } });
      notice(`Map and table show how probable “${value.slice(5)}” is in each clip, the most probable first.`);
    },
  });
  const show = () => {
    const why = clipData.frame.why_no_words;
    box.input.disabled = Boolean(why);
    box.input.placeholder = why ? "no search by word here" : "a sound, such as siren";
    box.input.title = why ? `${why}. Only an embedder that was trained on named sounds can search by word.` : "";
  };
  show();
  clipData.addEventListener("revision", show);
  return box;
}

/** Let recordings be dropped on `element`, or chosen with the button that is returned. */
export function makeSoundSearch(element) {
  const veil = make("div", { class: "drop-veil", hidden: true }, "Drop a recording to find similar clips");
  element.append(veil);
  const picker = make("input", { type: "file", accept: "audio/*,.flac,.wav,.ogg,.mp3,.m4a", hidden: true });
  const title = "Choose a recording, or drop one on the map: the most similar clips are selected";
  const button = make("button", { type: "button", title, click: () => picker.click() }, "Find by sound…");
  picker.addEventListener("change", () => {
    if (picker.files[0]) search(picker.files[0]);
    picker.value = "";
  });

  const search = async (file) => {
    notice(`Embedding ${file.name} …`);
    button.disabled = true;
    try {
      const form = new FormData();
      form.append("audio", file);
      const [column] = (await sendForPacked("POST", "search", form)).columns.values();
      clipData.provide("similarity", column);
      const best = mostSimilar(column.values, N_SELECTED);
      const found = best.map((row) => clipData.ids[row]);
      const sort = { name: "similarity", isDescending: true };
      state.set({ color: "similarity", sort, selection: found, focus: found[0] ?? null });
      notice(`The ${found.length} clips most like ${file.name} are selected.`);
    } catch (error) {
      fail(`The search by ${file.name} failed. ${error.message}`);
    }
    button.disabled = false;
  };

  const hasFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  let depth = 0; // dragenter and dragleave fire for children, too
  element.addEventListener("dragenter", (event) => {
    if (!hasFile(event)) return;
    depth++;
    veil.hidden = false;
  });
  element.addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    veil.hidden = depth === 0;
  });
  element.addEventListener("dragover", (event) => hasFile(event) && event.preventDefault());
  element.addEventListener("drop", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    depth = 0;
    veil.hidden = true;
    if (event.dataTransfer.files[0]) search(event.dataTransfer.files[0]);
  });
  return { button, picker };
}

/** Rows of the largest values, best first. */
export function mostSimilar(values, n) {
  const rows = Array.from(values.keys()).filter((row) => !Number.isNaN(values[row]));
  return rows.sort((a, b) => values[b] - values[a] || a - b).slice(0, n);
}
