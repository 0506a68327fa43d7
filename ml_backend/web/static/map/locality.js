// The slider from local to global, and the line that tells how far the map is.

import { clipData } from "../data/clip_data.js";
import { state } from "../data/state.js";
import { clips, count } from "../data/wording.js";
import { fail } from "../ui/dialogs.js";
import { make } from "../ui/elements.js";
import { countPlaced } from "./marks.js";

const STOPS = ["local", "rather local", "rather global", "global"];

export function makeLocalitySlider() {
  const slider = make("input", { type: "range", min: 0, max: 3, step: 1, "aria-label": "Local or global map" });
  const [near, far] = ["local", "global"].map((text) => make("span", { class: "faint small" }, text));
  const title = "Local: close clips stay close. Global: the large shapes are truer.";
  const element = make("label", { class: "locality", title }, near, slider, far);

  const show = () => {
    slider.value = String(state.get().locality ?? clipData.frame.map.locality ?? 1);
    slider.setAttribute("aria-valuetext", STOPS[slider.value]);
  };
  slider.addEventListener("keydown", (event) => event.stopPropagation()); // arrows are its own
  slider.addEventListener("input", () => state.set({ locality: Number(slider.value) }));
  state.on(["locality"], async ({ locality }) => {
    show();
    try {
      await clipData.setLocality(locality);
      show(); // the server's choice, where it is left to it
    } catch (error) {
      fail(`The map stays as it is. ${error.message}`);
    }
  });
  show();
  return element;
}

/** A line with a bar while the map is only a first sketch, or clips have no place on it yet. */
export function makeProgressLine() {
  const bar = make("progress", { max: 1, "aria-label": "Progress of the map" });
  const words = make("span");
  const element = make("div", { class: "map-progress" }, bar, words);
  const show = () => {
    const { kind } = clipData.frame.map;
    const { progress, state: said } = clipData.standing?.map ?? clipData.frame.map;
    const [nPlaced, n] = [countPlaced(clipData.frame), clipData.frame.n];
    element.hidden = progress >= 1 && nPlaced === n;
    bar.hidden = progress >= 1;
    if (progress > 0) bar.value = progress;
    else bar.removeAttribute("value");
    const placed = nPlaced < n && `${count(nPlaced)} of ${clips(n)} placed`;
    words.textContent = [kind === "pca" && "first sketch (PCA)", said, placed].filter(Boolean).join("; ");
  };
  for (const name of ["standing", "revision"]) clipData.addEventListener(name, show);
  show();
  return element;
}
