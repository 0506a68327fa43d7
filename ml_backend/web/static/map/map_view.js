// The picture: a canvas with the points, the view on it, and the way from old places to new ones.

import { fit, pan, toMap, WHOLE, zoomAt } from "./camera.js";
import { boxAround, NOWHERE, nearest } from "./geometry.js";
import { rgb } from "./palette.js";
import { MARK, Points } from "./points.js";

const MOVE_MS = 700;
const LOOKS = {
  light: { ink: "#191d22", accent: "#c2007c", ground: "#ffffff", fade: 0.13 },
  dark: { ink: "#f2f4f7", accent: "#ff5cbf", ground: "#171b20", fade: 0.16 },
};

export class MapView extends EventTarget {
  size = { width: 1, height: 1 };
  view = WHOLE;
  ids = new Int32Array(0); // task ids of the rows shown
  xy = new Float32Array(0); // where the points are going
  #from = this.xy;
  #began = null; // of the present move
  #marks = new Uint8Array(0);
  #points;
  #look = LOOKS.light;
  #isDue = false;

  constructor(canvas) {
    super();
    this.canvas = canvas;
    this.#points = new Points(canvas);
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      this.#points.restore();
      this.redraw();
    });
    new ResizeObserver(([entry]) => {
      this.size = { width: entry.contentRect.width, height: entry.contentRect.height };
      this.redraw();
    }).observe(canvas);
  }

  /** Give every clip its place; known ones move there, new ones appear there. */
  place(ids, xy) {
    const from = xy.slice();
    const now = this.#present();
    let old = 0;
    for (let row = 0; row < ids.length; row++) {
      while (old < this.ids.length && this.ids[old] < ids[row]) old++;
      if (this.ids[old] === ids[row] && now[2 * old] > NOWHERE / 2) from.set([now[2 * old], now[2 * old + 1]], 2 * row);
    }
    const isStill = from.every((value, at) => value === xy[at]);
    const isCalm = isStill || matchMedia("(prefers-reduced-motion: reduce)").matches;
    [this.ids, this.#from, this.xy] = [ids, from, xy];
    this.#began = isCalm ? null : performance.now();
    if (this.#marks.length !== ids.length) this.mark(new Uint8Array(ids.length));
    this.#points.place(isCalm ? xy : from, xy);
    this.redraw();
  }

  paint(colors) {
    this.#points.paint(colors);
    this.redraw();
  }

  mark(marks) {
    this.#marks = marks;
    this.#points.mark(marks);
    this.redraw();
  }

  wear(theme) {
    this.#look = LOOKS[theme];
    this.redraw();
  }

  pan(dx, dy) {
    this.#lookAt(pan(this.view, this.size, dx, dy));
  }

  zoom(factor, px, py) {
    this.#lookAt(zoomAt(this.view, this.size, factor, px, py));
  }

  showAll() {
    this.#lookAt(WHOLE);
  }

  /** Look at some rows from near. */
  showRows(rows) {
    const box = boxAround(this.xy, rows);
    if (box) this.#lookAt(fit(box, this.size));
  }

  toMap(px, py) {
    return toMap(this.view, this.size, px, py);
  }

  /** Row of the unfaded point nearest to a place on the screen; -1 beyond `reach` pixels. */
  rowAt(px, py, reach) {
    const [x, y] = this.toMap(px, py);
    const [edge] = this.toMap(px + reach, py);
    return nearest(this.xy, x, y, edge - x, (row) => !(this.#marks[row] & MARK.faded));
  }

  isFaded(row) {
    return (this.#marks[row] & MARK.faded) !== 0;
  }

  redraw() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  #lookAt(view) {
    this.view = view;
    this.dispatchEvent(new Event("view"));
    this.redraw();
  }

  /** How far the present move is: 0 … 1, slow at both ends. */
  #moved() {
    if (this.#began === null) return 1;
    const share = Math.min(1, (performance.now() - this.#began) / MOVE_MS);
    return share * share * (3 - 2 * share);
  }

  #present() {
    const moved = this.#moved();
    if (moved === 1) return this.xy;
    return this.xy.map((to, at) => this.#from[at] + (to - this.#from[at]) * moved);
  }

  #draw() {
    const moved = this.#moved();
    const { fade, ...colors } = this.#look;
    const share = ([name, color]) => [name, rgb(color).map((channel) => channel / 255)];
    const inks = Object.fromEntries(Object.entries(colors).map(share));
    this.#points.draw(this.view, this.size, { moved, fade, ...inks });
    if (moved < 1) this.redraw();
    else this.#began = null;
  }
}
