// A clip's spectrogram with its axes and a playhead, as wide as there is room.
//
// The picture (ml_backend/audio/spectrogram.py) has margins with axes. Its frequency axis is shown as it
// is; the colors are stretched to the panel's width, over a time axis of our own.

import { constants } from "../data/constants.js";
import { whyAway } from "../data/outage.js";
import { timeTicks } from "../data/wording.js";
import { make, showPicture } from "../ui/elements.js";

const SEEK_S = 0.25;
const TICK_PX = 56; // room for one time label

export class SpectrogramView {
  #duration_s = 1;
  #time_s = 0;
  #seek;

  /** `seek(time_s)` goes to a place in the clip. */
  constructor(seek) {
    this.#seek = seek;
    this.axis = make("img", { alt: "", class: "axis-picture" });
    this.picture = make("img", { alt: "Spectrogram", class: "plot-picture", draggable: "false" });
    this.words = make("p", { class: "plot-words" }); // in place of a picture that is not there
    this.cursor = make("div", { class: "cursor" });
    this.plot = make(
      "div",
      {
        class: "plot",
        role: "slider",
        tabindex: "0",
        "aria-label": "Place in the clip",
        "aria-valuemin": "0",
        pointerdown: (event) => this.#seekTo(event),
        keydown: (event) => this.#seekByKey(event),
      },
      this.picture,
      this.words,
      this.cursor,
    );
    this.ticks = make("div", { class: "time-axis", "aria-hidden": "true" });
    this.element = make(
      "div",
      { class: "spectrogram" },
      make("div", { class: "axis" }, this.axis),
      this.plot,
      this.ticks,
    );
    this.picture.addEventListener("load", () => this.#fit());
    this.picture.addEventListener("missing", () => {
      if (!whyAway()) this.words.textContent = "There is no spectrogram of this clip.";
    });
    document.addEventListener("away", () => this.#sayWhatComes());
    new ResizeObserver(() => this.#showTicks()).observe(this.plot);
  }

  /** Show the picture at an address. */
  show(source) {
    for (const image of [this.axis, this.picture]) showPicture(image, source);
    this.#sayWhatComes();
  }

  #sayWhatComes() {
    this.words.textContent = whyAway()
      ? "The spectrogram comes when the server answers again."
      : "The spectrogram is being drawn.";
  }

  /** Put the playhead to a time of a clip of some length. */
  setTime(time_s, duration_s) {
    const isOther = duration_s !== this.#duration_s;
    [this.#time_s, this.#duration_s] = [time_s, duration_s];
    if (isOther) this.#showTicks();
    this.cursor.style.left = `${Math.min(1, time_s / duration_s) * 100}%`;
    this.plot.setAttribute("aria-valuemax", duration_s.toFixed(2));
    this.plot.setAttribute("aria-valuenow", time_s.toFixed(2));
    const words = `${time_s.toFixed(1)} of ${duration_s.toFixed(1)} seconds`;
    this.plot.setAttribute("aria-valuetext", words);
  }

  #seekTo(event) {
    if (event.button !== 0) return;
    const box = this.plot.getBoundingClientRect();
    const share = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
    this.#seek(share * this.#duration_s);
  }

  #seekByKey(event) {
    const to_s = {
      ArrowLeft: this.#time_s - SEEK_S,
      ArrowRight: this.#time_s + SEEK_S,
      Home: 0,
      End: this.#duration_s,
    }[event.key];
    if (to_s === undefined) return;
    this.#seek(Math.max(0, Math.min(this.#duration_s, to_s)));
    event.preventDefault();
    event.stopPropagation();
  }

  /** Stretch the picture so that its plot fills the panel and its margins fall outside. */
  #fit() {
    const { left, right, top, bottom } = constants.spectrogram_margins_px;
    const { naturalWidth: width, naturalHeight: height } = this.picture;
    const plotWidth = width - left - right;
    this.picture.style.width = `${(width / plotWidth) * 100}%`;
    this.picture.style.height = `${height}px`;
    this.picture.style.left = `${(-left / plotWidth) * 100}%`;
    this.picture.style.top = `${-top}px`;
    this.plot.style.height = `${height - top - bottom}px`;
    this.axis.style.top = `${-top}px`;
  }

  #showTicks() {
    const most = Math.max(2, Math.floor(this.plot.clientWidth / TICK_PX));
    const times = timeTicks(this.#duration_s, most);
    this.ticks.replaceChildren(
      ...times.map((time_s) => {
        const tick = make("span", {}, `${time_s} s`);
        tick.style.left = `${(time_s / this.#duration_s) * 100}%`;
        return tick;
      }),
    );
  }
}
