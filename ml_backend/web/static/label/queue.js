// The clips that come next, in the server's order, which is asked for again after every round.
//
//   queue.take()             the next clip, or null
//   queue.putBack(taskId)    a clip that was taken comes next after all
//   queue.ahead              the clips after the present one
//   queue.standing           what the server last told (web/label_queue.py), or null
//   queue.trouble            why it tells nothing, or null
//   queue.addEventListener("change", …)

import { constants } from "../data/constants.js";
import { send, sendLeaving } from "../data/server.js";

const PAUSE_MS = 1000; // between two looks at the order
const REST_MS = 10_000; // the same where nothing was answered for a while
const N_LOOKS = 5; // after an answer: the round that follows it takes a moment
const FEW = 3; // clips ahead: more are asked for at once

export class LabelQueue extends EventTarget {
  ahead = [];
  standing = null;
  trouble = null;
  #tab = `${Date.now().toString(36)}${Math.random().toString(36).slice(2)}`;
  #mine;
  #isDone;
  #returned = []; // put back, and not taken since
  #nLooks = N_LOOKS;
  #isAsking = false;
  #timer = null;
  #due = Infinity;

  /**
   * `mine()` gives the clips that are shown or on their way; `isDone(taskId)` tells those answered.
   * Where it `isDeciding`, the clips are those whose annotators do not agree.
   */
  constructor({ mine, isDone, isDeciding }) {
    super();
    [this.#mine, this.#isDone, this.isDeciding] = [mine, isDone, isDeciding];
    document.addEventListener("visibilitychange", () => document.hidden || this.#schedule(0));
    addEventListener("pagehide", () => sendLeaving("DELETE", `label/next/${this.#tab}`));
  }

  take() {
    const taken = this.ahead.shift() ?? null;
    this.#returned = this.#returned.filter((one) => one !== taken);
    this.#nLooks = N_LOOKS;
    this.#schedule(this.ahead.length < FEW ? 0 : PAUSE_MS);
    return taken;
  }

  putBack(taskId) {
    this.#returned.unshift(taskId);
    this.ahead = [taskId, ...this.ahead.filter((one) => one !== taskId)];
  }

  /** Ask for the order as it is now. */
  async refresh() {
    if (this.#isAsking) return;
    [this.#isAsking, this.#due] = [true, Infinity];
    clearTimeout(this.#timer);
    this.#nLooks -= 1;
    const returned = this.#returned;
    try {
      const standing = await send("POST", "label/next", {
        tab: this.#tab,
        ahead: this.ahead.filter((one) => !returned.includes(one)).slice(0, constants.n_ahead),
        mine: [...new Set([...this.#mine(), ...returned])],
        model_version: this.standing?.model_version ?? null,
        ties: this.isDeciding,
      });
      this.standing = { ...this.standing, ...standing };
      this.#follow(standing.clips);
      this.trouble = null;
    } catch (error) {
      this.trouble = error.message;
    }
    this.#isAsking = false;
    this.dispatchEvent(new Event("change"));
    const isWaiting = this.#nLooks > 0 || this.ahead.length < FEW || this.trouble;
    this.#schedule(isWaiting ? PAUSE_MS : REST_MS);
  }

  /** Take over the order; what was taken, answered or put back meanwhile is not the server's to say. */
  #follow(clips) {
    const away = new Set([...this.#mine(), ...this.#returned]);
    const next = clips.filter((one) => !away.has(one) && !this.#isDone(one));
    this.ahead = [...this.#returned, ...next];
  }

  #schedule(pause_ms) {
    const due = Date.now() + pause_ms;
    if (due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => {
      this.#due = Infinity;
      if (document.hidden) this.#schedule(REST_MS);
      else this.refresh();
    }, pause_ms);
  }
}
