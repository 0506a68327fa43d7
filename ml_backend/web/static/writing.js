// Writing annotations as the visitor, and taking them back: shown at once on map and table, sent in
// pieces, one after the other, so that any number of clips can be labeled, seen coming and stopped.
//
//   await writing.write(taskIds, labels, { what, focus, onlyUnanswered })   one writing, one undo
//   await writing.undo()          takes back the last writing, then the one before, and so on
//   writing.addEventListener("written", …)    detail: task ids about which more is known now
//   writing.addEventListener("undos", …)      whether there is something to undo has changed

import { fail, notice, progressNotice } from "./ask.js";
import { make, say } from "./elements.js";
import { pool } from "./pool.js";
import { send } from "./server.js";
import { state } from "./state.js";
import { clips, count, reasonsText } from "./wording.js";

const N_PER_PIECE = 25; // a few seconds of Label Studio's time
const N_UNDONE = 50;
const NOT_THERE = 404;

class Writing extends EventTarget {
  #done = []; // what can be taken back, oldest first
  #n = 0;
  #sent = Promise.resolve(); // the piece on its way
  #undone = Promise.resolve();

  constructor() {
    super();
    addEventListener("beforeunload", (event) => this.#done.some(({ isGoingOn }) => isGoingOn) && event.preventDefault());
  }

  get canUndo() {
    return this.#done.length > 0;
  }

  /** Write labels (null = a skip), of which `shown` is what map and table say meanwhile.
   *
   * With `onlyUnanswered`, what has an answer by then keeps it.
   */
  async write(taskIds, labels, { what, shown = labels, focus, onlyUnanswered = false }) {
    const earlier = this.#undone;
    const one = { number: this.#n++, pieces: [], focus, isStopped: false };
    this.#keep(one);
    one.ended = this.#writeAll(one, taskIds, { labels, shown, onlyUnanswered, what, earlier });
    const { n, answered, refused, error } = await one.ended;
    if (one.pieces.length === 0) this.#forget(one);
    if (!one.isUndone || error) this.#tell(one, taskIds, { what, n, answered, refused, error });
  }

  async #writeAll(one, taskIds, { labels, shown, onlyUnanswered, what, earlier }) {
    const told = { n: 0, answered: [], refused: [], error: null };
    const pieces = inPieces(taskIds);
    one.isGoingOn = pieces.length > 1;
    const line = one.isGoingOn ? progressNotice(() => (one.isStopped = true)) : null;
    const doing = labels === null ? "Skipping" : `Labeling as ${what}`;
    for (const [k, ids] of pieces.entries()) {
      line?.show(`${doing}: ${count(k * N_PER_PIECE)} of ${clips(taskIds.length)} …`, k / pieces.length);
      const takeBack = pool.mark(new Map(ids.map((taskId) => [taskId, shown])));
      const body = { task_ids: ids, labels, only_unanswered: onlyUnanswered };
      try {
        await earlier; // an undo that was asked for before
        const { undo, n, answered, refused } = await this.#inTurn(() => send("POST", "annotations", body));
        if (n > 0) one.pieces.push({ token: undo, takeBack, ids });
        told.n += n;
        told.answered.push(...answered);
        told.refused.push(...refused);
        pool.unmark([...answered, ...refused.map(({ task_id: taskId }) => taskId)]);
      } catch (error) {
        pool.unmark(ids);
        told.error = error;
      }
      this.#announce("written", ids);
      if (told.error || one.isStopped) break;
    }
    line?.close();
    one.isGoingOn = false;
    return told;
  }

  /** Take back a writing, or the last one; what is still being written is stopped first. */
  undo(one = null) {
    const end = this.#n;
    this.#undone = this.#undone.then(() => {
      const last = this.#done.findLast(({ number }) => number < end);
      const found = one === null ? last : this.#done.find((other) => other === one);
      return found ? this.#takeBack(found) : notice("There is nothing to undo.");
    });
    return this.#undone;
  }

  async #takeBack(one) {
    [one.isStopped, one.isUndone] = [true, true];
    await one.ended;
    this.#forget(one);
    if (one.pieces.length === 0) return notice("There is nothing to undo.");
    state.set({ focus: one.focus });
    const nAll = one.pieces.reduce((n, { ids }) => n + ids.length, 0);
    const line = one.pieces.length > 1 ? progressNotice() : null;
    const told = { n: 0, refused: [], error: null };
    while (one.pieces.length > 0 && !told.error) {
      line?.show(`Undoing: ${count(told.n)} of ${clips(nAll)} …`, told.n / nAll);
      await this.#takeBackPiece(one, told);
    }
    line?.close();
    if (one.pieces.length > 0) this.#keep(one); // to be tried again
    return tellUndone(told);
  }

  async #takeBackPiece(one, told) {
    const { token, takeBack, ids } = one.pieces.pop();
    takeBack();
    try {
      const { n, refused } = await this.#inTurn(() => send("DELETE", `annotations/${encodeURIComponent(token)}`));
      told.n += n;
      told.refused.push(...refused);
      pool.unmark(refused.map(({ task_id: taskId }) => taskId));
    } catch (error) {
      pool.unmark(ids);
      told.error = error;
      if (error.status !== NOT_THERE) one.pieces.push({ token, takeBack, ids });
    }
    this.#announce("written", ids);
  }

  #tell(one, taskIds, { what, n, answered, refused, error }) {
    const isOne = taskIds.length === 1;
    const kept = answered.length > 0 ? ` ${clips(answered.length)} had an answer and kept it.` : "";
    const nRest = taskIds.length - n - answered.length - refused.length;
    const rest = nRest > 0 ? `, ${count(nRest)} left as they were` : "";
    if (error && n === 0) fail(`Nothing was labeled. ${error.message}`);
    else if (error) fail(`${clips(n)}: ${what}${rest}. ${error.message}`);
    else if (refused.length > 0) fail(`${clips(n)} labeled, ${count(refused.length)} not${rest}. ${reasonsText(refused)}${kept}`);
    else if (isOne && n === 1) say(`Clip ${taskIds[0]}: ${what}.`);
    else notice(`${clips(n)}: ${what}${rest}.${kept}`, n > 0 ? this.#makeUndo(one) : null);
  }

  #makeUndo(one) {
    const click = ({ target }) => {
      this.undo(one);
      target.disabled = true;
    };
    return make("button", { type: "button", click }, "Undo");
  }

  /** One request after the other, whatever asks for them; between pieces others have their turn. */
  #inTurn(request) {
    const answer = this.#sent.then(request);
    this.#sent = answer.catch(() => {});
    return answer;
  }

  #keep(one) {
    this.#done = [...this.#done, one].sort((a, b) => a.number - b.number).slice(-N_UNDONE);
    this.#announce("undos");
  }

  #forget(one) {
    this.#done = this.#done.filter((other) => other !== one);
    this.#announce("undos");
  }

  #announce(name, detail = null) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function tellUndone({ n, refused, error }) {
  if (error && n === 0) return fail(`It could not be taken back. ${error.message}`);
  if (error) return fail(`Taken back for ${clips(n)}, not for the others. ${error.message}`);
  if (refused.length > 0)
    return fail(`Taken back for ${clips(n)}, not for ${count(refused.length)}. ${reasonsText(refused)}`);
  return notice(`Taken back: ${clips(n)} as before.`);
}

function inPieces(taskIds) {
  const n = Math.ceil(taskIds.length / N_PER_PIECE);
  return Array.from({ length: n }, (_, i) => taskIds.slice(N_PER_PIECE * i, N_PER_PIECE * (i + 1)));
}

export const writing = new Writing();
