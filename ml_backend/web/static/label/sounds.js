// Sounds ahead: clips fetched and decoded before they are wanted, so that each plays at once.
//
//   sounds.prepare([12, 15, 18])     make these ready, in this order, and forget all others
//   await sounds.play(12)            from its beginning, or from a place; the one before stops
//   sounds.time_s, sounds.duration_s, sounds.isPlaying
//   sounds.addEventListener("change", …)  another clip, or it started, or it stopped
//
// Browsers give no sound before the visitor has pressed or clicked something on the page: until then
// `play` returns false.

import { address } from "../data/server.js";
import { RETRIES_MS } from "../ui/elements.js";

const READY_S = 120; // decoded sound that is held; the next clip always is, however long

class SoundsAhead extends EventTarget {
  #context = new AudioContext({ latencyHint: "interactive" });
  #kept = new Map(); // task id → { asked: promise of a buffer, buffer }
  #wanted = [];
  #isPreparing = false;
  #source = null;
  #taskId = null;
  #from_s = 0; // where in the clip it started
  #began_s = 0; // and when, as the context has it

  constructor() {
    super();
    this.#context.onstatechange = () => this.dispatchEvent(new Event("change"));
  }

  /** Make clips ready, in this order; what is not among them is forgotten. */
  prepare(taskIds) {
    this.#wanted = taskIds;
    for (const taskId of this.#kept.keys()) {
      if (!taskIds.includes(taskId) && taskId !== this.#taskId) this.#kept.delete(taskId);
    }
    this.#prepareOn();
  }

  async #prepareOn() {
    if (this.#isPreparing) return;
    this.#isPreparing = true;
    for (let next = this.#nextWanted(); next !== undefined; next = this.#nextWanted()) {
      await this.#load(next).catch(() => {}); // it is asked again, and explained, when it is its turn
    }
    this.#isPreparing = false;
  }

  #nextWanted() {
    let ready_s = 0;
    for (const [place, taskId] of this.#wanted.entries()) {
      if (place > 1 && ready_s > READY_S) return undefined;
      const kept = this.#kept.get(taskId);
      if (!kept) return taskId;
      ready_s += kept.buffer?.duration ?? 0;
    }
    return undefined;
  }

  #load(taskId) {
    if (!this.#kept.has(taskId)) {
      const kept = { asked: this.#fetch(taskId), buffer: null, hasFailed: false };
      kept.asked.then(
        (buffer) => (kept.buffer = buffer),
        () => (kept.hasFailed = true),
      );
      this.#kept.set(taskId, kept);
    }
    return this.#kept.get(taskId).asked;
  }

  async #fetch(taskId) {
    for (const pause_ms of [...RETRIES_MS, null]) {
      const answer = await fetch(address(`clips/${taskId}/audio`)).catch(() => null);
      if (answer?.ok) return this.#context.decodeAudioData(await answer.arrayBuffer());
      const mayComeLater = answer === null || answer.status >= 500;
      if (!mayComeLater || pause_ms === null) break;
      await new Promise((done) => setTimeout(done, pause_ms));
    }
    throw new Error("its file is missing or damaged, or the backend does not answer");
  }

  /** Play a clip; returns whether the browser lets it sound. Throws where its sound cannot be had. */
  async play(taskId, from_s = 0) {
    this.stop();
    this.#taskId = taskId;
    this.#from_s = from_s;
    if (!this.isAllowed) this.#context.resume();
    if (this.#kept.get(taskId)?.hasFailed) this.#kept.delete(taskId);
    // What is ready starts in the very task of the key press, without a turn of the event loop.
    const buffer = this.#kept.get(taskId)?.buffer ?? (await this.#load(taskId));
    if (taskId !== this.#taskId || this.#source) return false; // another one came in between
    this.#source = new AudioBufferSourceNode(this.#context, { buffer });
    const source = this.#source;
    source.connect(this.#context.destination);
    source.onended = () => source === this.#source && this.stop();
    source.start(0, from_s);
    this.#began_s = this.#context.currentTime;
    this.dispatchEvent(new Event("change"));
    return this.isAllowed;
  }

  /** Be silent, with the playhead where it is. */
  stop() {
    if (!this.#source) return;
    this.#from_s = this.time_s;
    this.#source.onended = null;
    this.#source.stop();
    this.#source = null;
    this.dispatchEvent(new Event("change"));
  }

  /** Whether the browser lets the page be heard yet. */
  get isAllowed() {
    return this.#context.state === "running";
  }

  get isPlaying() {
    return this.#source !== null;
  }

  get duration_s() {
    return this.#kept.get(this.#taskId)?.buffer?.duration ?? 0;
  }

  get time_s() {
    const played_s = this.#source ? this.#context.currentTime - this.#began_s : 0;
    return Math.min(this.#from_s + played_s, this.duration_s);
  }
}

export const sounds = new SoundsAhead();
