// Prefetch: what is known of the clips that come next, with their pictures and sounds, before they are shown.
//
//   prefetch.prepare([12, 15])      the sounds and pictures of these, and of no others
//   prefetch.details.of(12)         promise of its details (see data/clip_details.js)
//   pictureOf(12)                   address of its spectrogram

import { ClipDetails } from "../data/clip_details.js";
import { address } from "../data/server.js";
import { sounds } from "./sounds.js";

export class Prefetch {
  details = new ClipDetails();
  #pictures = new Map();

  prepare(taskIds) {
    sounds.prepare(taskIds);
    for (const taskId of this.#pictures.keys()) if (!taskIds.includes(taskId)) this.#pictures.delete(taskId);
    for (const taskId of taskIds) {
      this.details.of(taskId).catch(() => {}); // asked again, and explained, when it is shown
      if (this.#pictures.has(taskId)) continue;
      const picture = new Image(); // held, so that the browser keeps it
      picture.src = pictureOf(taskId);
      this.#pictures.set(taskId, picture);
    }
  }
}

export const pictureOf = (taskId) => address(`clips/${taskId}/spectrogram`);
