// Label and go on: one key labels the clip, and the next clip of the queue is there and plays.
//
// A class's key, which is Label Studio's, answers (where clips may have several labels it switches,
// Enter submits and N says "none of them"); S skips, Space plays again, Backspace goes back to see and
// change the last answers, Ctrl+Z takes the last one back. Answers go to Label Studio behind the
// visitor's back (outbox.js); what comes next is the server's order (queue.js).

import { answerText, count } from "./data/wording.js";
import { Prefetch, pictureOf } from "./label/prefetch.js";
import { Session } from "./label/session.js";
import { sounds } from "./label/sounds.js";
import { LabelView } from "./label/view.js";
import { fail } from "./ui/dialogs.js";
import { say } from "./ui/elements.js";
import { classKeys, dispatchKeys, pressedKey, spares } from "./ui/keys.js";

const N_READY = 4; // clips whose sound and picture are made ready
const NO_TIES =
  "You have been asked about every tie. Where everybody stays with an answer, star the annotation that is right in Label Studio.";
const SKIP = null; // "cannot tell", as the server understands it

class LabelMode {
  #chosen = []; // where clips may have several labels: those switched on
  #prefetch = new Prefetch();
  #frame = null;

  constructor(place, visitor) {
    this.session = new Session(visitor, (taskId) => this.#prefetch.details.of(taskId));
    this.queue = this.session.queue;
    this.outbox = this.session.outbox;
    this.view = new LabelView(place, {
      choose: (name) => this.#choose(name),
      submit: () => this.#submit(),
      none: () => this.#answer([]),
      skip: () => this.#answer(SKIP),
      back: () => this.#step(-1),
      replay: () => this.#play(),
      undo: () => this.#undo(),
      seek: (time_s) => this.#play(time_s),
      show: (answer) => {
        this.session.shown = answer;
        this.#show();
      },
    });
    this.queue.addEventListener("change", () => this.#follow());
    this.outbox.addEventListener("change", () => this.#showSession());
    this.outbox.addEventListener("refused", ({ detail }) => this.#tellRefused(detail));
    sounds.addEventListener("change", () => this.#showSound());
    dispatchKeys((event) => !event.repeat && this.#obeys(event));
    this.#showNothing();
    this.#showSession();
  }

  get #taskId() {
    return this.session.taskId;
  }

  /** Whoever decides is shown neither what the others said nor what the model says. */
  #isTie(taskId) {
    return this.queue.standing?.ties?.includes(taskId) ?? false;
  }

  get #isMulti() {
    return this.queue.standing?.multi_label ?? false;
  }

  // What comes next

  #follow() {
    if (this.session.takeNext()) {
      if (this.session.shown === null) this.#arrive();
    } else if (this.#taskId === null) this.#showNothing();
    else this.#showLabels();
    this.#prepare();
    this.#showSession();
  }

  #prepare() {
    const next = [this.#taskId, this.session.front, ...this.queue.ahead.slice(0, N_READY)];
    this.#prefetch.prepare([...new Set(next)].filter((taskId) => taskId !== null));
  }

  // Showing a clip

  #arrive() {
    const taskId = this.#taskId;
    this.#chosen = this.session.shown?.labels ?? [];
    this.view.showTime(0, 0);
    if (taskId === null) {
      sounds.stop();
      this.#showNothing();
      return;
    }
    this.#play();
    const known = this.#prefetch.details.of(taskId);
    const asked = this.#isTie(taskId) ? "Its annotators do not agree." : "";
    const where = this.session.shown ? `Answered: ${answerText(this.session.shown.labels)}` : asked;
    this.view.showClip(pictureOf(taskId), known.now?.clip ?? `Clip ${taskId}`, where);
    this.#showLabels();
    this.#fill(taskId, known);
  }

  async #fill(taskId, known) {
    try {
      const details = known.now ?? (await known);
      const isBlind = this.queue.standing.is_blind || this.#isTie(taskId);
      if (taskId === this.#taskId) this.view.fill(details, { isBlind });
    } catch (error) {
      if (taskId === this.#taskId) this.view.showProblem(error.message);
    }
  }

  #showNothing() {
    const { standing, trouble } = this.queue;
    let sentence = "The queue is being read.";
    if (trouble) sentence = trouble;
    else if (standing?.model_version === null)
      sentence = "There is no queue yet: the clips are being embedded. This page goes on by itself.";
    else if (standing?.n_held > 0)
      sentence = `Others are labeling the last ${count(standing.n_held)} clips of the queue.`;
    else if (standing && this.queue.isDeciding) sentence = NO_TIES;
    else if (standing) sentence = "Every clip of the queue is labeled.";
    this.view.showNothing(sentence);
  }

  #showLabels() {
    const { class_names: names, multi_label: isMulti } = this.queue.standing;
    this.view.showLabels(names, this.#chosen, { isMulti, keys: this.#keys });
  }

  /** What each key means: of the classes, in their order, of skipping and of "none of them". */
  get #keys() {
    const classes = classKeys(this.queue.standing);
    return { classes, ...spares(classes) };
  }

  // Sound

  async #play(from_s = 0) {
    const taskId = this.#taskId;
    if (taskId === null) return;
    this.view.showProblem(null);
    try {
      await sounds.play(taskId, from_s);
    } catch (error) {
      if (taskId === this.#taskId) this.view.showProblem(`This clip cannot be played: ${error.message}.`);
    }
  }

  #showSound() {
    if (sounds.isPlaying && !sounds.isAllowed)
      this.view.showProblem("Press Space: browsers are silent until something is pressed on the page.");
    else if (sounds.isPlaying) this.view.showProblem(null);
    cancelAnimationFrame(this.#frame);
    this.#followSound();
  }

  #followSound() {
    this.view.showTime(sounds.time_s, sounds.duration_s);
    if (sounds.isPlaying) this.#frame = requestAnimationFrame(() => this.#followSound());
  }

  // Answering

  #choose(name) {
    if (!this.#isMulti) return this.#answer([name]);
    const isOn = this.#chosen.includes(name);
    const wanted = (one) => (one === name ? !isOn : this.#chosen.includes(one));
    this.#chosen = this.queue.standing.class_names.filter(wanted);
    return this.#showLabels();
  }

  #submit() {
    if (!this.#isMulti) return;
    if (this.#chosen.length > 0) this.#answer(this.#chosen);
    else say(`Nothing is chosen. ${this.#keys.none.toUpperCase()} says that it is none of them.`);
  }

  #answer(labels) {
    if (this.#taskId === null) return;
    const answer = this.session.answer(labels);
    if (answer) say(`${answer.title}: ${answerText(labels)}.`);
    this.#step(1);
  }

  #step(step) {
    if (this.session.step(step)) this.#show();
  }

  #show() {
    this.#arrive();
    this.#prepare();
    this.#showSession();
  }

  #undo() {
    const answer = this.session.undo();
    if (answer === null) return say("There is nothing to undo.");
    say(`${answer.title}: undone.`);
    return this.#show();
  }

  #tellRefused({ undoes, reason }) {
    if (undoes !== undefined) fail(`The undo failed. ${reason}`);
  }

  // The session

  #showSession() {
    const fateOf = ({ ids }) => this.outbox.fateOf(ids);
    const kept = this.session.answers.filter((answer) => fateOf(answer) !== "not written");
    const labeled = kept.filter(({ labels }) => labels !== SKIP);
    this.view.showProgress({
      nLabeled: labeled.length,
      nSkipped: kept.length - labeled.length,
      perMinute: this.session.perMinute,
      nLeft: this.queue.standing?.n_left ?? null,
    });
    const { waiting, refused, trouble } = this.outbox;
    const acts = { again: () => this.outbox.sendAgain(), drop: () => this.outbox.drop() };
    this.view.showSending({ nWaiting: waiting.length, trouble: trouble ?? this.queue.trouble, refused }, acts);
    this.view.showLast(this.session.answers, this.session.shown, fateOf);
    this.view.undo.disabled = !this.session.canUndo;
    document.body.dataset.waiting = waiting.length;
  }

  // Keys

  #obeys(event) {
    const key = pressedKey(event);
    const isUndo = (event.ctrlKey || event.metaKey) && key === "z" && !event.shiftKey;
    if (isUndo) this.#undo();
    else if (event.ctrlKey || event.metaKey || !this.queue.standing) return false;
    else return this.#obeysPlain(key);
    return true;
  }

  #obeysPlain(key) {
    const { classes, skip, none } = this.#keys;
    const place = classes.indexOf(key);
    if (place >= 0) this.#choose(this.queue.standing.class_names[place]);
    else if (key === " ") this.#play();
    else if (key === "Backspace" || key === "ArrowLeft") this.#step(-1);
    else if (key === "ArrowRight") this.session.shown && this.#step(1);
    else if (key === skip) this.#answer(SKIP);
    else if (key === none && this.#isMulti) this.#answer([]);
    else if (key === "Enter") this.#submit();
    else return false;
    return true;
  }
}

const main = document.getElementById("label");
const mode = new LabelMode(main, main.dataset.visitor);
await mode.queue.refresh();
document.body.dataset.ready = "yes";
