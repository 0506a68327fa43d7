// The slider from local to global, and the line that tells how far the map is.

import { pool } from "./pool.js";
import { state } from "./state.js";

const STOPS = ["local", "rather local", "rather global", "global"];

export function makeLocalitySlider(tell) {
  const element = document.createElement("label");
  element.className = "locality";
  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", min: "0", max: "3", step: "1" });
  slider.setAttribute("aria-label", "Local or global map");
  const [near, far] = ["local", "global"].map((text) => {
    const word = document.createElement("span");
    word.className = "faint small";
    word.textContent = text;
    return word;
  });
  element.append(near, slider, far);
  element.title = "Local: close clips stay close. Global: the large shapes are truer.";

  const show = () => {
    slider.value = String(state.get().locality ?? pool.frame.map.locality ?? 1);
    slider.setAttribute("aria-valuetext", STOPS[slider.value]);
  };
  slider.addEventListener("input", () => state.set({ locality: Number(slider.value) }));
  state.on(["locality"], async ({ locality }) => {
    show();
    try {
      await pool.setLocality(locality);
    } catch (error) {
      tell(error.message);
    }
  });
  show();
  return element;
}

/** A line with a bar while the map is only a first sketch. */
export function makeProgressLine() {
  const element = document.createElement("div");
  element.className = "map-progress";
  const bar = document.createElement("progress");
  bar.max = 1;
  const words = document.createElement("span");
  element.append(bar, words);
  const show = () => {
    const { kind } = pool.frame.map;
    const { progress, state: said } = pool.standing?.map ?? pool.frame.map;
    element.hidden = progress >= 1;
    if (progress > 0) bar.value = progress;
    else bar.removeAttribute("value");
    bar.setAttribute("aria-label", "Progress of the map");
    words.textContent = [kind === "pca" && "first sketch (PCA)", said].filter(Boolean).join("; ");
  };
  for (const name of ["standing", "revision"]) pool.addEventListener(name, show);
  show();
  return element;
}
