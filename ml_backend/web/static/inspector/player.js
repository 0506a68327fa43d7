// The player: spectrogram with a moving cursor, play and pause, and the next clip made ready.

import { onReturn, whyAway } from "../data/outage.js";
import { address } from "../data/server.js";
import { clockText } from "../data/wording.js";
import { make, RETRIES_MS, remember, remembered } from "../ui/elements.js";
import { SpectrogramView } from "./spectrogram_view.js";

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
    this.spectrogram = new SpectrogramView((time_s) => this.#seek(time_s));
    this.problem = make("p", { class: "problem", role: "alert", hidden: true });
    const auto = make("label", { class: "check" }, this.autoplay, make("span", {}, "Autoplay"));
    this.element = make(
      "div",
      { class: "player" },
      this.spectrogram.element,
      this.problem,
      make("div", { class: "controls" }, this.button, this.clock, make("span", { class: "grow" }), auto),
    );
    this.#listen(this.#audio);
    this.#listen(this.#ready.audio);
  }

  /** Load a clip; it plays at once where the visitor wants that. */
  show(taskId, duration_s) {
    if (duration_s) this.#duration_s = duration_s;
    if (taskId !== this.#taskId) this.#load(taskId);
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
    this.spectrogram.show(address(`clips/${taskId}/spectrogram`));
    if (this.autoplay.checked) this.#play();
    this.#showState();
  }

  async #play() {
    const audio = this.#audio;
    try {
      await audio.play();
    } catch (error) {
      // Another clip came in between, or the browser wants a click first: nothing is wrong.
      if (audio !== this.#audio || error.name === "AbortError" || error.name === "NotAllowedError") return;
      if (this.#nFailed >= RETRIES_MS.length) this.#complain();
    }
  }

  #listen(audio) {
    audio.addEventListener("play", () => this.#follow(audio));
    for (const type of ["pause", "ended", "seeked"]) audio.addEventListener(type, () => this.#showState());
    audio.addEventListener("loadedmetadata", () => {
      if (audio !== this.#audio || !Number.isFinite(audio.duration)) return;
      this.#duration_s = audio.duration;
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
      ? "The sound comes when the server answers again."
      : "This clip cannot be played: its file is missing or damaged.";
    this.problem.hidden = false;
    onReturn(audio, () => {
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
    this.clock.textContent = `${clockText(time_s)} / ${clockText(this.#duration_s)}`;
    this.spectrogram.setTime(time_s, this.#duration_s);
  }

  #seek(time_s) {
    this.#audio.currentTime = time_s;
    this.#tick();
  }
}
