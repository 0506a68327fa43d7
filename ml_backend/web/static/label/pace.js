// Pace: how many answers a minute, without the time in which nobody was there.

const PAUSE_S = 30; // who answers nothing for longer was away

export class Pace {
  #n = 0;
  #seconds = 0;
  #last = -Infinity;

  /** Count an answer, given `now` in seconds. */
  count(now = performance.now() / 1000) {
    const passed_s = now - this.#last;
    this.#last = now;
    if (passed_s > PAUSE_S) return;
    this.#n += 1;
    this.#seconds += passed_s;
  }

  /** Answers a minute; null while there are too few to tell. */
  get perMinute() {
    return this.#n > 1 ? (60 * this.#n) / this.#seconds : null;
  }
}
