// The player: spectrogram with a moving cursor, play and pause, and the next clip made ready.
//
// The spectrogram's picture (ml_backend/spectrogram.py) has margins with axes. Its frequency axis is
// shown as it is; the colors are stretched to the panel's width, over a time axis of our own.

import { onReturn, whyAway } from "./away.js";
import { clockText, timeTicks } from "./wording.js";
import { make, remember, remembered, RETRIES_MS, showPicture } from "./elements.js";
import { address } from "./server.js";

const MARGINS_PX = { left: 58, right: 92, top: 8, bottom: 24 };
const SEEK_S = 0.25;
const TICK_PX = 56; // room for one time label

export class Player {
  #taskId = null;
  #nFailed = 0; // how often the present sound was not to be had
  #duration_s = 1;
  #audio = new Audio();
  #ready = { taskId: null, audio: new Audio(), picture: null }; // the clip after this one

  constructor() {
    this.button = make(
      "button",
      { type: "button", class: "play primary", "aria-label": "Play", click: () => this.toggle() },
      "▶",
    );
    this.clock = make("span", { class: "clock" });
    this.autoplay = make("input", {
      type: "checkbox",
      change: () => remember("autoplay", this.autoplay.checked),
    });
    this.autoplay.checked = remembered("autoplay", false);
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
    this.problem = make("p", { class: "problem", role: "alert", hidden: true });
    const auto = make(
      "label",
      { class: "check" },
      this.autoplay,
      make("span", {}, "Play on arrival"),
    );
    this.element = make(
      "div",
      { class: "player" },
      make(
        "div",
        { class: "spectrogram" },
        make("div", { class: "axis" }, this.axis),
        this.plot,
        this.ticks,
      ),
      this.problem,
      make(
        "div",
        { class: "controls" },
        this.button,
        this.clock,
        make("span", { class: "grow" }),
        auto,
      ),
    );
    this.picture.addEventListener("load", () => this.#fit());
    this.picture.addEventListener("missing", () => {
      if (!whyAway()) this.words.textContent = "There is no spectrogram of this clip.";
    });
    document.addEventListener("away", () => this.#sayWhatComes());
    new ResizeObserver(() => this.#showTicks()).observe(this.plot);
    this.#listen(this.#audio);
    this.#listen(this.#ready.audio);
  }

  /** Load a clip; it plays at once where the visitor wants that. */
  show(taskId, duration_s) {
    if (duration_s) this.#duration_s = duration_s;
    if (taskId !== this.#taskId) this.#load(taskId);
    this.#showTicks();
    this.#tick();
  }

  /** Fetch the sound and the picture of the clip that probably comes next. */
  prepare(taskId) {
    if (taskId === null || taskId === this.#ready.taskId || taskId === this.#taskId) return;
    this.#ready.taskId = taskId;
    this.#ready.audio.preload = "auto";
    this.#ready.audio.src = address(`clips/${taskId}/audio`);
    this.#ready.picture = new Image();
    this.#ready.picture.src = address(`clips/${taskId}/spectrogram`);
  }

  toggle() {
    if (this.#audio.paused) this.#play();
    else this.#audio.pause();
  }

  stop() {
    this.#audio.pause();
  }

  #load(taskId) {
    this.#audio.pause();
    this.problem.hidden = true;
    this.#taskId = taskId;
    this.#nFailed = 0;
    if (this.#ready.taskId === taskId) {
      [this.#audio, this.#ready.audio] = [this.#ready.audio, this.#audio];
      this.#ready.taskId = null;
    } else {
      this.#audio.src = address(`clips/${taskId}/audio`);
    }
    this.#audio.currentTime = 0;
    for (const image of [this.axis, this.picture]) {
      showPicture(image, address(`clips/${taskId}/spectrogram`));
    }
    this.#sayWhatComes();
    if (this.autoplay.checked) this.#play();
    this.#showState();
  }

  #sayWhatComes() {
    this.words.textContent = whyAway()
      ? "The spectrogram comes when there is an answer again."
      : "The spectrogram is being drawn.";
  }

  async #play() {
    const audio = this.#audio;
    try {
      await audio.play();
    } catch (error) {
      // Another clip came in between, or the browser wants a click first: nothing is wrong.
      if (audio !== this.#audio || error.name === "AbortError" || error.name === "NotAllowedError")
        return;
      if (this.#nFailed >= RETRIES_MS.length) this.#complain();
    }
  }

  #listen(audio) {
    audio.addEventListener("play", () => this.#follow(audio));
    for (const type of ["pause", "ended", "seeked"])
      audio.addEventListener(type, () => this.#showState());
    audio.addEventListener("loadedmetadata", () => {
      if (audio !== this.#audio || !Number.isFinite(audio.duration)) return;
      this.#duration_s = audio.duration;
      this.#showTicks();
      this.#tick();
    });
    audio.addEventListener("error", () => {
      if (audio === this.#audio) this.#tryAgain(audio);
      else this.#ready.taskId = null;
    });
  }

  /** Ask for the sound again: a server busy with others may have refused it. */
  #tryAgain(audio) {
    const taskId = this.#taskId;
    const pause_ms = RETRIES_MS[this.#nFailed++];
    if (pause_ms === undefined) return this.#complain();
    setTimeout(() => {
      if (audio !== this.#audio || taskId !== this.#taskId) return;
      audio.load();
      if (this.autoplay.checked) this.#play();
    }, pause_ms);
    return undefined;
  }

  #complain() {
    const audio = this.#audio;
    const taskId = this.#taskId;
    this.problem.textContent = whyAway()
      ? "The sound comes when there is an answer again."
      : "This clip cannot be played: its file is missing or damaged.";
    this.problem.hidden = false;
    onReturn(() => {
      if (audio !== this.#audio || taskId !== this.#taskId) return;
      this.problem.hidden = true;
      this.#nFailed = 0;
      audio.load();
    });
  }

  #follow(audio) {
    this.#showState();
    const step = () => {
      if (audio !== this.#audio || audio.paused) return;
      this.#tick();
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  #showState() {
    const isPlaying = !this.#audio.paused && !this.#audio.ended;
    this.button.textContent = isPlaying ? "❚❚" : "▶";
    this.button.setAttribute("aria-label", isPlaying ? "Pause" : "Play");
    this.#tick();
  }

  #tick() {
    const time_s = this.#audio.currentTime;
    const words = `${clockText(time_s)} / ${clockText(this.#duration_s)}`;
    this.cursor.style.left = `${Math.min(1, time_s / this.#duration_s) * 100}%`;
    this.clock.textContent = words;
    this.plot.setAttribute("aria-valuemax", this.#duration_s.toFixed(2));
    this.plot.setAttribute("aria-valuenow", time_s.toFixed(2));
    this.plot.setAttribute(
      "aria-valuetext",
      `${time_s.toFixed(1)} of ${this.#duration_s.toFixed(1)} seconds`,
    );
  }

  #seekTo(event) {
    if (event.button !== 0) return;
    const box = this.plot.getBoundingClientRect();
    const share = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
    this.#audio.currentTime = share * this.#duration_s;
    this.#tick();
  }

  #seekByKey(event) {
    const to_s = {
      ArrowLeft: this.#audio.currentTime - SEEK_S,
      ArrowRight: this.#audio.currentTime + SEEK_S,
      Home: 0,
      End: this.#duration_s,
    }[event.key];
    if (to_s === undefined) return;
    this.#audio.currentTime = Math.max(0, Math.min(this.#duration_s, to_s));
    this.#tick();
    event.preventDefault();
    event.stopPropagation();
  }

  /** Stretch the picture so that its plot fills the panel and its margins fall outside. */
  #fit() {
    const { left, right, top, bottom } = MARGINS_PX;
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
