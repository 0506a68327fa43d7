// What "Label and go on" shows: the clip, its buttons, the last answers, how far it is. It knows no
// queue: it is told what to show, and tells what was pressed.

import {
  answerText,
  clockText,
  count,
  labelsText,
  NONE_ON_BUTTON,
  probabilityText,
  reasonsText,
} from "../data/wording.js";
import { metadataOf } from "../inspector/clip_sections.js";
import { SpectrogramView } from "../inspector/spectrogram_view.js";
import { actAway, classButton, showChosen } from "../ui/class_buttons.js";
import { make } from "../ui/elements.js";

const N_LAST = 6;

export class LabelView {
  #acts;
  #shown = null; // classes and keys

  /** `acts`: choose(name), submit(), none(), skip(), back(), replay(), undo(), seek(time_s), show(answer). */
  constructor(place, acts) {
    this.#acts = acts;
    this.title = make("h2", { class: "clip-name" });
    this.where = make("p", { class: "faint small" });
    this.spectrogram = new SpectrogramView(acts.seek);
    this.clock = make("span", { class: "clock" });
    this.problem = make("p", { class: "problem", role: "alert", hidden: true });
    this.guess = make("p", { class: "guess" });
    this.buttons = make("div", { class: "labels", role: "group", "aria-label": "Labels" });
    this.submit = this.#button("Submit", "Enter", acts.submit, "primary");
    this.none = this.#button(NONE_ON_BUTTON, "N", acts.none);
    this.skip = this.#button("Skip", "S", acts.skip);
    this.back = this.#button("Back", "⌫", acts.back);
    this.replay = this.#button("Play again", "Space", acts.replay);
    this.undo = this.#button("Undo", "Ctrl Z", acts.undo, "quiet");
    this.more = make("details", { class: "known" }, make("summary", {}, "Metadata"));
    this.link = make("a", { target: "_blank", rel: "noopener" }, "Open in Label Studio ↗");
    this.clip = make(
      "section",
      { class: "panel labeled-clip", tabindex: "-1", "aria-label": "Clip" },
      make("header", {}, this.title, this.where),
      this.spectrogram.element,
      make("div", { class: "controls" }, this.replay, this.clock),
      this.problem,
      this.guess,
      this.buttons,
      make("div", { class: "labels-rest" }, this.submit, this.none, this.skip, this.back, this.undo),
      this.more,
      this.link,
    );
    this.empty = make("p", { class: "panel empty" });
    this.progress = make("p", { class: "session" });
    this.sending = make("div", { class: "sending", role: "status" });
    this.last = make("ol", { class: "last" });
    this.lastHeading = make("h2", {}, "Last answers");
    const aside = make("aside", { class: "panel answers", "aria-label": "Session" });
    aside.append(this.progress, this.sending, this.lastHeading, this.last);
    place.replaceChildren(make("div", {}, this.empty, this.clip), aside);
  }

  #button(text, key, act, kind = null) {
    const label = make("span", {}, text);
    const button = make("button", { type: "button", class: kind }, label, make("kbd", {}, key));
    button.addEventListener("click", (event) => actAway(event, this.clip, act));
    return button;
  }

  /** Show a sentence in place of a clip. */
  showNothing(sentence) {
    [this.clip.hidden, this.empty.hidden] = [true, false];
    this.empty.textContent = sentence;
  }

  /** Show a clip before anything but its picture is known. */
  showClip(source, title, where) {
    [this.clip.hidden, this.empty.hidden] = [false, true];
    this.title.textContent = this.title.title = title;
    this.where.textContent = where;
    this.problem.hidden = true;
    this.spectrogram.show(source);
    this.more.hidden = this.link.hidden = true;
    this.guess.textContent = "";
    for (const button of this.buttons.children) {
      button.classList.remove("guessed"); // what was guessed of the clip before
      button.querySelector(".probability").textContent = "";
    }
  }

  /** Show what is known of it; the guess stays away where the project hides it. */
  fill(details, { isBlind }) {
    this.title.textContent = this.title.title = details.clip;
    this.more.hidden = this.link.hidden = false;
    this.more.replaceChildren(this.more.firstChild, metadataOf(details));
    this.link.href = details.label_studio_url;
    const likeliest = Object.entries(details.probabilities ?? {}).sort((a, b) => b[1] - a[1]);
    const isShown = !isBlind && likeliest.length > 0;
    const [name, probability] = likeliest[0] ?? [];
    this.guess.textContent = isShown ? `Model: ${name} ${probabilityText(probability)}` : "";
    for (const button of this.buttons.children) {
      const own = details.probabilities?.[button.dataset.name];
      button.classList.toggle("guessed", isShown && button.dataset.name === name);
      button.querySelector(".probability").textContent = isShown && own !== undefined ? probabilityText(own) : "";
    }
  }

  /** Show the classes with their keys, and which of them are chosen. */
  showLabels(names, chosen, { isMulti, keys }) {
    const said = JSON.stringify([names, keys]);
    if (said !== this.#shown) {
      const buttons = names.map((name, i) => this.#classButton(name, keys.classes[i]));
      this.buttons.replaceChildren(...buttons);
      this.skip.lastChild.textContent = keys.skip.toUpperCase();
      this.none.lastChild.textContent = keys.none.toUpperCase();
    }
    this.#shown = said;
    showChosen(this.buttons.children, chosen);
    this.submit.hidden = this.none.hidden = !isMulti;
    this.submit.disabled = chosen.length === 0;
    this.submit.firstChild.textContent = chosen.length > 0 ? `Submit: ${labelsText(chosen)}` : "Submit";
  }

  #classButton(name, key) {
    const click = (event) => actAway(event, this.clip, () => this.#acts.choose(name));
    return classButton(name, key, { click }, make("span", { class: "probability number" }));
  }

  /** Put the playhead where the sound is. */
  showTime(time_s, duration_s) {
    this.clock.textContent = `${clockText(time_s)} / ${clockText(duration_s)}`;
    if (duration_s > 0) this.spectrogram.setTime(time_s, duration_s);
  }

  /** Say why the clip cannot be played, or nothing. */
  showProblem(sentence) {
    this.problem.hidden = !sentence;
    this.problem.textContent = sentence ?? "";
  }

  /** Tell how far the session is. */
  showProgress({ nLabeled, nSkipped, perMinute, nLeft }) {
    const parts = [`${count(nLabeled)} labeled in this session`];
    if (nSkipped > 0) parts.push(`${count(nSkipped)} skipped`);
    if (perMinute !== null) parts.push(`${Math.round(perMinute)} a minute`);
    if (nLeft !== null) parts.push(`${count(nLeft)} in the queue`);
    this.progress.textContent = parts.join(" · ");
  }

  /** Tell what is not in Label Studio yet, and why; `again()` and `drop()` deal with refusals. */
  showSending({ nWaiting, trouble, refused }, { again, drop }) {
    this.sending.replaceChildren();
    if (trouble) {
      const kept = `${count(nWaiting)} not sent yet; they are kept, and sent as soon as possible.`;
      this.sending.append(make("p", { class: "problem" }, `${trouble} ${nWaiting > 0 ? kept : ""}`));
    }
    if (refused.length === 0) return;
    this.sending.append(
      make("p", { class: "problem" }, `${count(refused.length)} not written: ${reasonsText(refused)}`),
      make("button", { type: "button", click: again }, "Send again"),
      make("button", { type: "button", class: "quiet", click: drop }, "Give up"),
    );
  }

  /** List the last answers, newest first; `stateOf(answer)` is what there is to say of it. */
  showLast(answers, shown, stateOf) {
    this.lastHeading.hidden = answers.length === 0;
    this.back.disabled = answers.length === 0 || answers[0] === shown;
    const items = answers
      .slice(-N_LAST)
      .reverse()
      .map((answer) => {
        const state = stateOf(answer);
        const said = make("span", { class: "said" }, answerText(answer.labels));
        const named = make("span", { class: "name" }, answer.title);
        const click = () => this.#acts.show(answer);
        const attributes = { type: "button", class: "quiet", "aria-pressed": String(answer === shown) };
        const button = make("button", { ...attributes, click }, said, named);
        if (state) button.append(make("span", { class: "faint small" }, state));
        return make("li", {}, button);
      });
    this.last.replaceChildren(...items);
  }
}
