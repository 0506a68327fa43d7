// The outbox: answers on their way to Label Studio, sent in the background, one after the other.
//
// What cannot be sent now (no network, no Label Studio) stays and is sent again, however often that
// takes, and nothing that comes later overtakes it. It is kept for the tab, too: after a reload it is
// sent on. What is refused for good is set aside with the reason, and can be sent again by hand.
//
//   const id = outbox.add(12, ["siren"])     labels; null = a skip
//   outbox.takeBack(id)                      undo it, whether it was sent or not
//   outbox.waiting, outbox.refused           [{ id, taskId, labels, reason }]
//   outbox.fateOf(ids)                       "being sent", "not written", or null: Label Studio has it
//   outbox.trouble                           why nothing is sent just now, or null
//   outbox.addEventListener("change", …)     also "refused", whose detail is one of them

import { send } from "../data/server.js";

const PAUSES_MS = [500, 1000, 2000, 5000, 10_000];
const MOST_REFUSALS = 5; // of what Label Studio was reached for and did not take

export class Outbox extends EventTarget {
  #name;
  #tokens = new Map(); // id → what takes it back
  #replaced = new Map(); // id → refused answers to the same clip, which it stands for now
  #dropped = new Set(); // ids that were given up
  #isSending = false;
  #wake = null;

  /** `name` keeps the answers of one person in one project apart from others'. */
  constructor(name) {
    super();
    this.#name = `earmark.outbox.${name}`;
    this.waiting = restored(this.#name);
    this.refused = [];
    this.trouble = null;
    addEventListener("beforeunload", (event) => {
      if (this.waiting.length + this.refused.length > 0) event.preventDefault();
    });
    addEventListener("online", () => this.#wake?.());
    this.#sendAll();
  }

  /** Send an answer when all before it are sent; returns its id. */
  add(taskId, labels) {
    const id = `${Date.now().toString(36)} ${Math.random().toString(36).slice(2)}`;
    // Sent again later, an earlier answer would overwrite this one.
    this.#replaced.set(
      id,
      this.refused.filter((one) => one.taskId === taskId),
    );
    this.refused = this.refused.filter((one) => one.taskId !== taskId);
    this.#put({ id, taskId, labels });
    return id;
  }

  /** Undo an answer. One that was not sent yet is not sent; returns whether that was so. */
  takeBack(id) {
    const place = this.waiting.findIndex((one) => one.id === id && !one.isSending);
    const wasRefused = this.refused.some((one) => one.id === id);
    this.refused = this.refused.filter((one) => one.id !== id);
    this.refused.push(...(this.#replaced.get(id) ?? []));
    this.#replaced.delete(id);
    if (place >= 0) this.waiting.splice(place, 1);
    else if (!wasRefused) this.#put({ id: `undo ${id}`, undoes: id });
    this.#changed();
    return place >= 0 || wasRefused;
  }

  /** Send what was refused once more. */
  sendAgain() {
    const again = this.refused.map(({ reason, ...one }) => ({ ...one, nRefused: 0 }));
    this.refused = [];
    this.waiting.push(...again);
    this.#changed();
    this.#sendAll();
  }

  /** What became of the answers to a clip. */
  fateOf(ids) {
    const isAmong = (some) => some.some(({ id }) => ids.includes(id));
    if (isAmong(this.refused) || this.#dropped.has(ids.at(-1))) return "not written";
    return isAmong(this.waiting) ? "being sent" : null;
  }

  /** Give up what was refused. */
  drop() {
    for (const { id } of this.refused) this.#dropped.add(id);
    this.refused = [];
    this.#changed();
  }

  #put(one) {
    this.waiting.push(one);
    this.#changed();
    this.#sendAll();
  }

  async #sendAll() {
    if (this.#isSending) return;
    this.#isSending = true;
    for (let nFailed = 0; this.waiting.length > 0; ) {
      const [one] = this.waiting;
      one.isSending = true;
      try {
        await this.#send(one);
        this.waiting.shift();
        [nFailed, this.trouble] = [0, null];
      } catch (error) {
        one.isSending = false;
        if (!mayWorkLater(error, one)) {
          this.waiting.shift();
          if (one.undoes === undefined) this.refused.push({ ...one, reason: error.message });
          this.dispatchEvent(new CustomEvent("refused", { detail: { ...one, reason: error.message } }));
          this.#changed();
          continue;
        }
        this.trouble = error.message;
        this.#changed();
        const pause_ms = PAUSES_MS[Math.min(nFailed++, PAUSES_MS.length - 1)];
        await new Promise((done) => {
          this.#wake = done;
          setTimeout(done, pause_ms);
        });
      }
      this.#changed();
    }
    this.#isSending = false;
    this.#changed();
  }

  async #send(one) {
    if (one.undoes !== undefined) {
      const token = this.#tokens.get(one.undoes);
      if (token === undefined) return; // it was refused, and never written
      const { refused } = await send("DELETE", `annotations/${encodeURIComponent(token)}`);
      if (refused.length > 0) throw refusal(refused[0]);
      this.#tokens.delete(one.undoes);
      return;
    }
    const body = { task_ids: [one.taskId], labels: one.labels };
    const { undo, refused } = await send("POST", "annotations", body);
    if (refused.length > 0) throw refusal(refused[0]);
    this.#tokens.set(one.id, undo);
  }

  #changed() {
    try {
      // Without their undo, which the page that is gone takes along.
      const kept = [...this.waiting, ...this.refused].filter(({ undoes }) => undoes === undefined);
      sessionStorage.setItem(this.#name, JSON.stringify(kept));
    } catch {
      // storage is refused or full: it lasts as long as the page, which warns
    }
    this.dispatchEvent(new Event("change"));
  }
}

function refusal({ reason, may_work_again: mayWorkAgain }) {
  const error = new Error(reason);
  error.mayWorkAgain = mayWorkAgain;
  return error;
}

/** Tell what failed on its way from what is settled. */
function mayWorkLater(error, one) {
  if (error.mayWorkAgain !== undefined) {
    one.nRefused = (one.nRefused ?? 0) + 1;
    return error.mayWorkAgain && one.nRefused < MOST_REFUSALS;
  }
  return error.status === undefined || error.status === 401 || error.status >= 500 || error.status === 429;
}

function restored(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name) ?? "[]").map((one) => ({ ...one, isSending: false }));
  } catch {
    return [];
  }
}
