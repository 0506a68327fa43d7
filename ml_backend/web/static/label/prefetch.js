// Clips ahead: what is known of the clips that come next, and their pictures and sounds, made ready
// before they are shown.
//
//   ahead.prepare([12, 15])     the sounds and pictures of these, and of no others
//   ahead.known(12)             promise of its details; `.now` holds them once they are there
//   pictureOf(12)               address of its spectrogram

import { address, getJson } from "../data/server.js";
import { sounds } from "./sounds.js";

const N_KNOWN = 40;

export class ClipsAhead {
  #known = new Map(); // task id → promise of its details
  #pictures = new Map();

  prepare(taskIds) {
    sounds.prepare(taskIds);
    for (const taskId of this.#pictures.keys()) if (!taskIds.includes(taskId)) this.#pictures.delete(taskId);
    for (const taskId of taskIds) {
      this.known(taskId).catch(() => {}); // asked again, and explained, when it is shown
      if (this.#pictures.has(taskId)) continue;
      const picture = new Image(); // held, so that the browser keeps it
      picture.src = pictureOf(taskId);
      this.#pictures.set(taskId, picture);
    }
  }

  known(taskId) {
    if (!this.#known.has(taskId)) {
      const asked = getJson(`clips/${taskId}`);
      asked.then(
        (details) => (asked.now = details),
        () => this.#known.delete(taskId),
      );
      this.#known.set(taskId, asked);
      if (this.#known.size > N_KNOWN) this.#known.delete(this.#known.keys().next().value);
    }
    return this.#known.get(taskId);
  }
}

export const pictureOf = (taskId) => address(`clips/${taskId}/spectrogram`);
