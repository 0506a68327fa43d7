// Sizes of the panels: drag a splitter, or use arrows, Home (close) and End (widest) on it.
// Double click or Enter closes and opens. Kept in localStorage. Where the window is narrow, the
// filters are closed at first.

import { remember, remembered } from "./elements.js";

const STEP_PX = 24;
const CLOSED_BELOW_PX = 60;
const NARROW = "(max-width: 900px)";
const LIMITS_PX = { filters: 480, inspector: 640, table: 560 };

export function mountLayout(workspace) {
  const sizes = remembered("layout", {});
  for (const splitter of workspace.querySelectorAll(".splitter")) {
    const name = splitter.dataset.sizes;
    const panel = document.getElementById(name);
    const isVertical = splitter.getAttribute("aria-orientation") === "vertical";
    const towards = name === "filters" ? 1 : -1; // dragging right widens the filters alone
    const measure = () => {
      const box = panel.getBoundingClientRect();
      return Math.round(isVertical ? box.width : box.height);
    };
    const show = (px) => {
      workspace.style.setProperty(`--${name}`, `${px}px`);
      panel.classList.toggle("closed", px === 0);
      splitter.setAttribute("aria-valuenow", String(px));
    };
    const resize = (px) => {
      const size = px < CLOSED_BELOW_PX ? 0 : Math.min(px, LIMITS_PX[name]);
      if (size > 0) sizes[`${name}.open`] = size;
      sizes[name] = size;
      show(size);
      remember("layout", sizes);
    };
    const toggle = () => resize(measure() > 0 ? 0 : (sizes[`${name}.open`] ?? LIMITS_PX[name] / 2));

    splitter.setAttribute("aria-valuemin", "0");
    splitter.setAttribute("aria-valuemax", String(LIMITS_PX[name]));
    if (sizes[name] !== undefined) show(sizes[name]);
    else if (name === "filters" && matchMedia(NARROW).matches) show(0);
    else splitter.setAttribute("aria-valuenow", String(measure()));

    splitter.addEventListener("pointerdown", (event) => {
      const [start, from] = [isVertical ? event.clientX : event.clientY, measure()];
      splitter.setPointerCapture(event.pointerId);
      splitter.classList.add("dragged");
      splitter.onpointermove = (moved) =>
        resize(from + towards * ((isVertical ? moved.clientX : moved.clientY) - start));
      splitter.onpointerup = splitter.onpointercancel = () => {
        splitter.onpointermove = null;
        splitter.classList.remove("dragged");
      };
    });
    splitter.addEventListener("dblclick", toggle);
    splitter.addEventListener("keydown", (event) => {
      const wider = { ArrowRight: towards, ArrowLeft: -towards, ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (event.key === "Enter") toggle();
      else if (event.key === "Home") resize(0);
      else if (event.key === "End") resize(LIMITS_PX[name]);
      else if (wider) resize(wider > 0 ? Math.max(measure() + STEP_PX, CLOSED_BELOW_PX) : measure() - STEP_PX);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }
}
