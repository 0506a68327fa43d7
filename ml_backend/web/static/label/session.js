// The session of one visitor: which clip is asked about, what was answered, and the way back through it.
//
//   session.taskId           the clip that is shown: that of an earlier answer, or the one asked about; or null
//   session.front            the clip that is asked about, or null
//   session.shown            the answer that is looked at again, or null
//   session.answers          { taskId, title, labels, ids of its writings }, the oldest first
//   session.queue, session.outbox

import { Outbox } from "./outbox.js";
import { Pace } from "./pace.js";
import { LabelQueue } from "./queue.js";

export class Session {
  front = null;
  shown = null;
  answers = [];
  #undoable = []; // { answer, before } of each writing, the oldest first
  #pace = new Pace();
  #detailsOf;

  /** `detailsOf(taskId)` is a promise of what is known of a clip, `now` what is there already. */
  constructor(visitor, detailsOf) {
    this.#detailsOf = detailsOf;
    this.outbox = new Outbox(`${document.documentElement.dataset.project} ${visitor}`);
    this.queue = new LabelQueue({
      mine: () => [...new Set([this.front, ...this.outbox.waiting.map(({ taskId }) => taskId)])].filter(Boolean),
      isDone: (taskId) => this.answers.some((answer) => answer.taskId === taskId),
      isDeciding: new URLSearchParams(location.search).has("ties"),
    });
  }

  get taskId() {
    return this.shown?.taskId ?? this.front;
  }

  get canUndo() {
    return this.#undoable.length > 0;
  }

  get perMinute() {
    return this.#pace.perMinute;
  }

  /** Ask about the next clip of the queue where none is asked about; returns whether there is one. */
  takeNext() {
    if (this.front !== null || this.queue.ahead.length === 0) return false;
    this.front = this.queue.take();
    return true;
  }

  /** Answer the clip that is shown; returns the answer, or null where it is the same as before. */
  answer(labels) {
    const answer = this.shown ?? this.#begin();
    const before = answer.labels;
    if (before !== undefined && JSON.stringify(before) === JSON.stringify(labels)) return null;
    answer.labels = labels;
    answer.ids.push(this.outbox.add(answer.taskId, labels));
    this.#undoable.push({ answer, before });
    return answer;
  }

  /** Begin an answer to the clip that is asked about; the next one takes its place. */
  #begin() {
    const details = this.#detailsOf(this.front);
    const title = details.now?.clip ?? `Clip ${this.front}`;
    const answer = { taskId: this.front, title, labels: undefined, ids: [] };
    details.then(({ clip }) => (answer.title = clip)).catch(() => {});
    this.answers.push(answer);
    this.#pace.count();
    this.front = this.queue.take();
    return answer;
  }

  /** Go to an earlier answer (−1), or on towards the clip that is asked about (1); false at the oldest. */
  step(step) {
    const n = this.answers.length;
    const place = (this.shown ? this.answers.indexOf(this.shown) : n) + step;
    if (place < 0) return false;
    this.shown = this.answers[place] ?? null;
    return true;
  }

  /** Take back what was written last, and show its clip; returns the answer, or null. */
  undo() {
    const last = this.#undoable.pop();
    if (!last) return null;
    const { answer, before } = last;
    this.outbox.takeBack(answer.ids.pop());
    answer.labels = before;
    if (before !== undefined) this.shown = answer;
    else {
      this.answers = this.answers.filter((one) => one !== answer);
      if (this.front !== null) this.queue.putBack(this.front);
      [this.front, this.shown] = [answer.taskId, null];
    }
    return answer;
  }
}
