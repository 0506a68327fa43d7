// A histogram with a brush: drag over it, or move its two handles by arrows, Page keys, Home and End.
//
// It knows bins alone (see bins.js): `choose(first, last)` is called with the bins brushed, or with
// nulls when the brush is taken away. Where `wraps`, the first bin may lie behind the last.

import { make, makeSvg, oncePerFrame } from "../ui/elements.js";

const HEIGHT = 100;

export class Histogram {
  #n;
  #choose;
  #wraps;
  #bars = [];
  #shades = [makeSvg("rect", { class: "shade" }), makeSvg("rect", { class: "shade" })];
  #brushed = null; // { first, last }, or null
  #dragFrom = null;

  /** `title` names it, `edgeText(bin, isEnd)` says in words where a bin begins or ends. */
  constructor({ n, title, edgeText, choose, wraps = false }) {
    [this.#n, this.#choose, this.#wraps] = [n, choose, wraps];
    this.edgeText = edgeText;
    const svg = makeSvg("svg", {
      viewBox: `0 0 ${n} ${HEIGHT}`,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    });
    for (let bin = 0; bin < n; bin++) {
      const bars = ["all", "passing"].map((kind) =>
        makeSvg("rect", { class: kind, x: bin + 0.06, width: 0.88, y: HEIGHT, height: 0 }),
      );
      this.#bars.push(bars);
    }
    svg.append(...this.#bars.map(([all]) => all), ...this.#bars.map(([, passing]) => passing), ...this.#shades);
    this.plot = make("div", { class: "histogram-plot" }, svg);
    this.handles = ["from", "to"].map((end) => this.#makeHandle(end, title));
    this.element = make("div", { class: "histogram" }, this.plot, ...this.handles);
    this.#listen();
    this.brush(null);
  }

  /** Show how many rows each bin holds, and how many of these pass the other filters. */
  show(all, passing) {
    const most = Math.max(1, ...all.subarray(0, this.#n));
    this.#bars.forEach((bars, bin) => {
      [all[bin], passing[bin]].forEach((count, i) => {
        const height = count === 0 ? 0 : Math.max(3, (count / most) * HEIGHT);
        bars[i].setAttribute("y", HEIGHT - height);
        bars[i].setAttribute("height", height);
      });
    });
  }

  /** Show the brush over a part of the width, ends in 0 … 1; null = no brush. */
  brush(ends) {
    this.#brushed = ends && {
      first: Math.max(0, Math.min(this.#n - 1, Math.floor(ends.left * this.#n + 1e-6))),
      last: Math.max(0, Math.min(this.#n - 1, Math.ceil(ends.right * this.#n - 1e-6) - 1)),
    };
    const { left, right } = ends ?? { left: 0, right: 1 };
    const isSplit = left > right;
    const shaded = isSplit
      ? [
          [right, left],
          [0, 0],
        ]
      : [
          [0, left],
          [right, 1],
        ];
    this.#shades.forEach((shade, i) => {
      shade.setAttribute("x", shaded[i][0] * this.#n);
      shade.setAttribute("width", (shaded[i][1] - shaded[i][0]) * this.#n);
      shade.setAttribute("height", HEIGHT);
    });
    const { first, last } = this.#brushed ?? { first: 0, last: this.#n - 1 };
    [left, right].forEach((place, i) => {
      const handle = this.handles[i];
      handle.style.left = `${place * 100}%`;
      handle.setAttribute("aria-valuenow", i === 0 ? first : last);
      handle.setAttribute("aria-valuetext", this.edgeText(i === 0 ? first : last, i === 1));
    });
    this.element.classList.toggle("brushed", ends !== null);
  }

  #makeHandle(end, title) {
    return make("div", {
      class: `handle handle-${end}`,
      role: "slider",
      tabindex: "0",
      "aria-label": `${title}, ${end === "from" ? "lower" : "upper"} end`,
      "aria-valuemin": "0",
      "aria-valuemax": String(this.#n - 1),
      keydown: (event) => this.#moveByKey(event, end),
    });
  }

  #moveByKey(event, end) {
    const steps = {
      ArrowLeft: -1,
      ArrowDown: -1,
      ArrowRight: 1,
      ArrowUp: 1,
      PageDown: -5,
      PageUp: 5,
    };
    const { first, last } = this.#brushed ?? { first: 0, last: this.#n - 1 };
    const now = end === "from" ? first : last;
    let bin = now + (steps[event.key] ?? 0);
    if (event.key === "Home") bin = 0;
    else if (event.key === "End") bin = this.#n - 1;
    else if (event.key === "Escape" && this.#brushed) return this.#clear(event);
    else if (!(event.key in steps)) return undefined;
    event.preventDefault();
    event.stopPropagation();
    bin = Math.max(0, Math.min(this.#n - 1, bin));
    if (this.#wraps) return end === "from" ? this.#choose(bin, last) : this.#choose(first, bin);
    return end === "from" ? this.#choose(bin, Math.max(bin, last)) : this.#choose(Math.min(first, bin), bin);
  }

  #clear(event) {
    event.stopPropagation();
    this.#choose(null, null);
  }

  #listen() {
    let latest = null;
    const follow = oncePerFrame(() => {
      if (this.#dragFrom === null) return;
      const [from, to] = [this.#dragFrom, latest];
      this.#choose(Math.min(from, to), Math.max(from, to));
    });
    this.element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      this.element.setPointerCapture(event.pointerId);
      const { first, last } = this.#brushed ?? {};
      // A handle moves its end: the other end stays where it is.
      if (event.target === this.handles[0] && this.#brushed) this.#dragFrom = last;
      else if (event.target === this.handles[1] && this.#brushed) this.#dragFrom = first;
      else this.#dragFrom = this.#binAt(event);
      latest = this.#binAt(event);
      if (event.target.role === "slider") event.target.focus();
      else follow();
    });
    this.element.addEventListener("pointermove", (event) => {
      if (this.#dragFrom === null) return;
      latest = this.#binAt(event);
      follow();
    });
    for (const type of ["lostpointercapture", "pointercancel"]) {
      this.element.addEventListener(type, () => requestAnimationFrame(() => (this.#dragFrom = null)));
    }
    this.element.addEventListener("dblclick", () => this.#choose(null, null));
  }

  #binAt(event) {
    const box = this.plot.getBoundingClientRect();
    const bin = Math.floor(((event.clientX - box.left) / box.width) * this.#n);
    return Math.max(0, Math.min(this.#n - 1, bin));
  }
}
