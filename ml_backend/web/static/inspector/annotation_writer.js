// Writing annotations as the visitor, and taking them back: shown at once on map and table. A few clips
// are one request; any larger number is done by the backend, piece by piece, seen coming and stopped.
// It goes on when the page is closed, and is told of again when it is opened.
//
//   await writer.write(taskIds, labels, { what, focus, onlyUnanswered })   one writing, one undo
//   await writer.undo()          takes back the last writing, then the one before, and so on
//   await writer.resume()        show what goes on since an earlier visit, and offer its undo
//   writer.addEventListener("written", …)    detail: task ids about which more is known now
//   writer.addEventListener("undos", …)      whether there is something to undo has changed

import { clipData } from "../data/clip_data.js";
import { getJson, send } from "../data/server.js";
import { state } from "../data/state.js";
import { answerText, clips, count, reasonsText } from "../data/wording.js";
import { fail, notice, progressNotice } from "../ui/dialogs.js";
import { make, say } from "../ui/elements.js";

const N_AT_ONCE = 25; // one request; more are done in the background
const LOOK_MS = 300;
const N_UNDONE = 50;
const NOT_THERE = 404;

class AnnotationWriter extends EventTarget {
  #done = []; // what can be taken back, oldest first
  #n = 0;
  #sent = Promise.resolve(); // the request on its way
  #undone = Promise.resolve();

  get canUndo() {
    return this.#done.length > 0;
  }

  /** Write labels (null = a skip), of which `shown` is what map and table say meanwhile.
   *
   * With `onlyUnanswered`, what has an answer by then keeps it.
   */
  async write(taskIds, labels, { what, shown = labels, focus, onlyUnanswered = false }) {
    const earlier = this.#undone; // an undo that was asked for before
    const one = this.#begin(focus);
    const body = { task_ids: taskIds, labels, only_unanswered: onlyUnanswered };
    const isMany = taskIds.length > N_AT_ONCE;
    one.ended = isMany
      ? this.#writeInBulk(
          one,
          earlier.then(() => send("POST", "bulk", body)),
          { taskIds, shown, what },
        )
      : this.#writeAtOnce(one, earlier, body, shown);
    await this.#end(one, { what, nAll: taskIds.length, first: taskIds[0] });
  }

  /** Show what the backend does since an earlier visit of the page, and offer to undo what it did. */
  async resume() {
    const ends = (await getJson("bulk")).map((facts) => {
      const begun = Promise.resolve(facts);
      if (facts.is_undo) return facts.is_over ? null : this.#follow(begun, "Undoing");
      if (facts.is_over && facts.undo === null) return null;
      const one = this.#begin();
      const what = answerText(facts.labels);
      one.ended = facts.is_over ? null : this.#writeInBulk(one, begun, { taskIds: [], shown: null, what });
      if (!facts.is_over) return this.#end(one, { what, nAll: facts.n_all });
      one.piece = { token: facts.undo, takeBack: () => {}, ids: [], isBulk: true };
      return null;
    });
    await Promise.all(ends);
  }

  #begin(focus) {
    const one = { number: this.#n++, piece: null, focus, isStopped: false };
    this.#keep(one);
    return one;
  }

  async #end(one, asked) {
    const told = await one.ended;
    if (one.piece === null) this.#forget(one);
    if (!one.isUndone || told.error) this.#tell(one, asked, told);
  }

  async #writeAtOnce(one, earlier, body, shown) {
    const ids = body.task_ids;
    const takeBack = clipData.mark(new Map(ids.map((taskId) => [taskId, shown])));
    const told = { n: 0, answered: [], refused: [], error: null };
    try {
      await earlier;
      const { undo, n, answered, refused } = await this.#inTurn(() => send("POST", "annotations", body));
      if (n > 0) one.piece = { token: undo, takeBack, ids };
      Object.assign(told, { n, answered, refused });
      clipData.unmark([...answered, ...refused.map(({ task_id: taskId }) => taskId)]);
    } catch (error) {
      clipData.unmark(ids);
      told.error = error;
    }
    this.#announce("written", ids);
    return told;
  }

  async #writeInBulk(one, begun, { taskIds, shown, what }) {
    const takeBacks = [];
    let nSeen = 0;
    const look = ({ undo, n_done: nDone }) => {
      const ids = taskIds.slice(nSeen, nDone);
      nSeen = nDone;
      if (ids.length > 0) takeBacks.push(clipData.mark(new Map(ids.map((taskId) => [taskId, shown]))));
      const takeBack = () => {
        for (const back of takeBacks.splice(0)) back();
      };
      if (undo !== null) one.piece = { token: undo, takeBack, ids: taskIds.slice(0, nDone), isBulk: true };
      this.#announce("written", ids);
    };
    const told = await this.#follow(begun, what === answerText(null) ? "Skipping" : `Labeling as ${what}`, {
      one,
      look,
    });
    clipData.unmark([...told.answered, ...told.refused.map(({ task_id: taskId }) => taskId)]);
    return told;
  }

  /** Show how far the backend is until it is over; `look` is told each time, `one` may be stopped. */
  async #follow(begun, doing, { one = null, look = () => {} } = {}) {
    const line = progressNotice(one && (() => (one.isStopped = true)));
    const told = { n: 0, answered: [], refused: [], error: null };
    let isStopping = false;
    try {
      for (let facts = await begun; ; facts = await getJson(`bulk/${facts.bulk}`)) {
        line.show(`${doing}: ${count(facts.n_done)} of ${clips(facts.n_all)} …`, facts.n_done / facts.n_all);
        told.n = facts.n;
        look(facts);
        if (facts.is_over) {
          const error = facts.error && new Error(facts.error);
          return Object.assign(told, { answered: facts.answered, refused: facts.refused, error });
        }
        if (one?.isStopped && !isStopping) {
          isStopping = true;
          await send("DELETE", `bulk/${facts.bulk}`);
        }
        await new Promise((done) => setTimeout(done, LOOK_MS));
      }
    } catch (error) {
      return Object.assign(told, { error });
    } finally {
      line.close();
    }
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
    if (one.piece === null) return notice("There is nothing to undo.");
    if (one.focus !== undefined) state.set({ focus: one.focus });
    const { token, takeBack, ids, isBulk } = one.piece;
    takeBack();
    const told = isBulk
      ? await this.#follow(send("POST", "bulk", { undo: token }), "Undoing")
      : await this.#inTurn(() => send("DELETE", `annotations/${encodeURIComponent(token)}`)).catch((error) => ({
          n: 0,
          refused: [],
          error,
        }));
    clipData.unmark(told.error ? ids : told.refused.map(({ task_id: taskId }) => taskId));
    if (told.error && told.error.status !== NOT_THERE) this.#keep(one); // to be tried again
    this.#announce("written", ids);
    return tellUndone(told);
  }

  #tell(one, { what, nAll, first }, { n, answered, refused, error }) {
    const kept = answered.length > 0 ? ` ${clips(answered.length)} had an answer and kept it.` : "";
    const nRest = nAll - n - answered.length - refused.length;
    const rest = nRest > 0 ? `, ${count(nRest)} unchanged` : "";
    if (error && n === 0) fail(`Nothing was labeled. ${error.message}`);
    else if (error) fail(`${clips(n)}: ${what}${rest}. ${error.message}`);
    else if (refused.length > 0)
      fail(`${clips(n)} labeled, ${count(refused.length)} not${rest}. ${reasonsText(refused)}${kept}`);
    else if (nAll === 1 && n === 1) say(`Clip ${first}: ${what}.`);
    else notice(`${clips(n)}: ${what}${rest}.${kept}`, n > 0 ? this.#makeUndo(one) : null);
  }

  #makeUndo(one) {
    const click = ({ target }) => {
      this.undo(one);
      target.disabled = true;
    };
    return make("button", { type: "button", click }, "Undo");
  }

  /** One request after the other, whatever asks for them. */
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
  if (error && n === 0) return fail(`The undo failed. ${error.message}`);
  if (error) return fail(`Undone for ${clips(n)}, not for the others. ${error.message}`);
  if (refused.length > 0)
    return fail(`Undone for ${clips(n)}, not for ${count(refused.length)}. ${reasonsText(refused)}`);
  return notice(`Undone: ${clips(n)}.`);
}

export const writer = new AnnotationWriter();
