// The inspector: what the focused clip sounds and looks like, what is known of it, and its labels.
//
// Keys, wherever nothing else wants them: Space plays, ← and → go to the previous and next clip,
// the keys of the classes label, S skips (see keys.js), Ctrl+Z undoes.

import { clipData } from "../data/clip_data.js";
import { ClipDetails } from "../data/clip_details.js";
import { whyAway } from "../data/outage.js";
import { sequence } from "../data/sequence.js";
import { address } from "../data/server.js";
import { state } from "../data/state.js";
import { count } from "../data/wording.js";
import { cut, make } from "../ui/elements.js";
import { writer } from "./annotation_writer.js";
import { annotationsOf, metadataOf, scoresOf } from "./clip_sections.js";
import { Labeling } from "./labeling.js";
import { Neighbors } from "./neighbors.js";
import { Player } from "./player.js";

const PAUSE_MS = 120; // a held arrow key passes clips by without asking for each
const LATE_MS = 500;
const PRESSED_BY_SPACE = "input, [role=slider], [role=separator]";

class Inspector {
  #known = new ClipDetails();
  #shown = null;
  #timer = null;
  #frame = clipData.frame;

  constructor(panel) {
    this.player = new Player();
    this.labeling = new Labeling({ moveOn: () => this.#step(1) });
    writer.addEventListener("written", ({ detail }) => this.#refresh(detail));
    this.neighbors = new Neighbors();
    this.title = make("h2", { class: "clip-name" });
    this.place = make("div", { class: "faint small" });
    this.previous = make(
      "button",
      {
        type: "button",
        "aria-label": "Previous clip",
        title: "Previous (←)",
        click: () => this.#step(-1),
      },
      "←",
    );
    this.next = make(
      "button",
      { type: "button", "aria-label": "Next clip", title: "Next (→)", click: () => this.#step(1) },
      "→",
    );
    this.link = make("a", { target: "_blank", rel: "noopener" }, "Open in Label Studio ↗");
    this.known = make("div", { class: "known" });
    this.rest = make("div", { class: "known" });
    this.empty = make(
      "p",
      { class: "faint empty" },
      "Pick a clip on the map or in the table to listen to it. Or ",
      linkToLabeling(),
      " with the clips of the queue, one after the other.",
    );
    const head = make(
      "header",
      { class: "panel-head" },
      make("div", { class: "clip-heading" }, this.title, this.place),
      this.previous,
      this.next,
    );
    this.content = make("div", { class: "inspected" }, head, this.player.element, this.labeling.element);
    this.content.append(this.known, this.neighbors.element, this.rest, make("p", {}, this.link));
    this.content.append(make("p", {}, linkToLabeling()));
    panel.replaceChildren(this.empty, this.content);
    state.on(["focus", "selection"], (_, named) => this.#arrive(named));
    sequence.addEventListener("change", () => {
      this.#showPlace();
      this.labeling.showScope();
    });
    clipData.addEventListener("revision", () => this.#renew());
    this.#arrive(["selection"]);
  }

  #arrive(named) {
    const { selection, focus } = state.get();
    // A selection without a focus opens its first clip.
    if (named.includes("selection") && selection.length > 0 && !selection.includes(focus) && !named.includes("focus")) {
      state.set({ focus: sequence.first() });
      return;
    }
    clearTimeout(this.#timer);
    if (focus !== this.#shown) this.labeling.leave();
    if (focus === this.#shown) this.#show();
    else this.#timer = setTimeout(() => this.#show(), this.#known.has(focus) ? 0 : PAUSE_MS);
    this.#showPlace();
  }

  async #show() {
    const { focus } = state.get();
    const isThere = focus !== null && clipData.rowOf(focus) >= 0;
    this.content.hidden = !isThere;
    this.empty.hidden = isThere;
    if (!isThere) {
      this.player.stop();
      this.#shown = null;
      return;
    }
    if (focus !== this.#shown) {
      this.player.show(focus, null);
      this.title.textContent = this.title.title = clipData.nameOf(focus);
      this.labeling.hold(true);
    }
    this.#shown = focus;
    // What is known of the clip before does not stand under this one's name for long.
    const isLate = setTimeout(() => {
      if (focus !== this.#shown) return;
      for (const part of [this.known, this.rest]) part.replaceChildren();
      this.labeling.element.hidden = whyAway() !== null;
    }, LATE_MS);
    try {
      const details = await this.#known.of(focus);
      if (focus !== state.get().focus) return;
      this.#fill(details);
    } catch (error) {
      if (focus !== state.get().focus) return;
      this.labeling.hold(false);
      this.known.replaceChildren(make("p", { class: "problem", role: "alert" }, error.message));
      this.rest.replaceChildren();
    } finally {
      clearTimeout(isLate);
      this.labeling.element.hidden = false;
    }
    this.#prepareNext();
  }

  #fill(details) {
    const name = details.clip || clipData.nameOf(details.task_id);
    this.title.title = name;
    this.title.replaceChildren(cut(name));
    this.player.show(details.task_id, details.duration_s);
    this.labeling.show(details.task_id, details.labels ?? []);
    this.neighbors.show(details.task_id);
    this.known.replaceChildren(scoresOf(details), annotationsOf(details));
    this.rest.replaceChildren(metadataOf(details));
    this.link.href = details.label_studio_url;
    this.#showPlace();
  }

  #showPlace() {
    const { focus } = state.get();
    const { place, n, isOfSelection } = focus === null ? { place: -1 } : sequence.position(focus);
    const of = isOfSelection ? `${count(n)} selected` : count(n);
    this.place.textContent = place < 0 ? "" : `${count(place + 1)} of ${of}`;
    this.previous.disabled = focus === null || sequence.neighbor(focus, -1) === null;
    this.next.disabled = focus === null || sequence.neighbor(focus, 1) === null;
  }

  #prepareNext() {
    const next = sequence.neighbor(this.#shown, 1);
    if (next === null) return;
    this.#known.of(next).catch(() => {}); // it is asked again, and explained, on arrival
    this.player.prepare(next);
  }

  #renew() {
    if (this.#frame === clipData.frame) return; // labels were marked: nothing new is known of clips
    this.#frame = clipData.frame;
    this.#known.forget();
    this.#show();
  }

  #refresh(taskIds) {
    this.#known.forget(taskIds);
    return taskIds.includes(this.#shown) ? this.#show() : undefined;
  }

  #step(step) {
    const { focus } = state.get();
    const neighbor = focus === null ? null : sequence.neighbor(focus, step);
    if (neighbor !== null) state.set({ focus: neighbor });
  }

  /** Obey a key; returns whether it meant something. */
  press(event) {
    const isPlain = !event.ctrlKey && !event.metaKey && !event.shiftKey;
    if (isPlain && event.key === " ") {
      if (event.target.closest(PRESSED_BY_SPACE) || this.#shown === null) return false;
      this.player.toggle();
    } else if (isPlain && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
      this.#step(event.key === "ArrowLeft" ? -1 : 1);
    } else return this.labeling.press(event);
    return true;
  }
}

const linkToLabeling = () => make("a", { class: "button", href: address("label") }, "Label and go on");

export const mountInspector = (panel) => new Inspector(panel);
