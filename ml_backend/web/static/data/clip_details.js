// What the server knows of single clips, each asked for once while it is among the last `most`.

import { getJson } from "./server.js";

export class ClipDetails {
  /** @type {Map<number, Promise<any> & { now?: any }>} */
  #known = new Map();
  #most;

  constructor(most = 100) {
    this.#most = most;
  }

  /** Promise of a clip's details, whose `now` holds them once they are there; a failure is asked again.
   * @param {number} taskId */
  of(taskId) {
    const known = this.#known.get(taskId);
    if (known) return known;
    /** @type {Promise<any> & { now?: any }} */
    const asked = getJson(`clips/${taskId}`);
    asked.then(
      (details) => (asked.now = details),
      () => this.#known.delete(taskId),
    );
    this.#known.set(taskId, asked);
    if (this.#known.size > this.#most) this.#known.delete(this.#known.keys().next().value ?? taskId);
    return asked;
  }

  /** @param {number} taskId */
  has(taskId) {
    return this.#known.has(taskId);
  }

  /** Forget some clips: they have changed.
   * @param {Iterable<number>} taskIds */
  forget(taskIds = [...this.#known.keys()]) {
    for (const taskId of taskIds) this.#known.delete(taskId);
  }
}
