// A grid of the selection: for clips that are clearly of one class. Every clip is a small spectrogram;
// hovering (or going there by arrow keys) plays it, a click (or X) leaves it out or takes it in again,
// and a class's key labels the rest, after the question that says what is labeled already. Where clips
// may have several labels, keys switch these on, and Enter labels.
//
// Pictures are fetched as they come in sight, so that some hundred clips are no trouble.

import { clipData } from "../data/clip_data.js";
import { textAt } from "../data/packed.js";
import { sequence } from "../data/sequence.js";
import { address } from "../data/server.js";
import { state } from "../data/state.js";
import { answerText, clips, count, labelsText, NONE_OF_THEM, NONE_ON_BUTTON } from "../data/wording.js";
import { writer } from "../inspector/annotation_writer.js";
import { answerOf, askForMany } from "../inspector/bulk_dialog.js";
import { classButton, showChosen } from "../ui/class_buttons.js";
import { make, showPicture } from "../ui/elements.js";
import { classKeys, classOf, commandOf, keyOf } from "../ui/keys.js";

const MOST = 1000;
const HOVER_MS = 80; // passing over a clip does not play it
const SKIP = null;

/** Show the selected clips, where there are several. */
export function openGrid() {
  const ids = sequence.chosen();
  if (ids.length > 1) new ThumbnailGrid(ids).open();
}

/** Add to a bar the button that does so. */
export function mountGridButton(bar) {
  const button = make("button", { type: "button", click: openGrid, title: "The selected clips side by side" });
  const show = () => {
    const n = sequence.chosen().length;
    button.disabled = n < 2;
    button.textContent = n < 2 ? "Grid" : `Grid of ${count(n)}`;
  };
  state.on(["selection"], show);
  sequence.addEventListener("change", show);
  show();
  bar.append(button);
}

class ThumbnailGrid {
  #ids;
  #out = new Set(); // task ids that are left out
  #chosen = new Set(); // labels that are switched on, where clips may have several
  #audio = new Audio();
  #timer = null;
  #tiles = new Map(); // task id → button
  #names = null; // column of the clips' names

  constructor(ids) {
    this.#ids = ids.slice(0, MOST);
    this.total = make("p", { role: "status" });
    this.labels = make("div", { class: "labels", role: "group", "aria-label": "Label the included clips" });
    this.tiles = make("div", { class: "tiles", role: "group", "aria-label": "Clips" });
    const close = make("button", { type: "button", click: () => this.dialog.close() }, "Close");
    const head = make("header", {}, make("h2", { id: "grid-title" }, "Grid"), this.total, close);
    const more = ids.length - this.#ids.length;
    const hint =
      "Hover to listen, click to exclude a clip, then press the key of a class to label the others." +
      (more > 0 ? ` ${clips(more)} more are selected; ${count(MOST)} at once are shown.` : "");
    this.dialog = make(
      "dialog",
      { class: "clip-grid", "aria-labelledby": "grid-title", close: () => this.#leave() },
      head,
      make("p", { class: "faint" }, hint),
      this.labels,
      this.tiles,
    );
    this.dialog.addEventListener("keydown", (event) => this.#press(event));
    this.sight = new IntersectionObserver((seen) => this.#showPictures(seen), {
      root: this.dialog,
      rootMargin: "300px",
    });
    this.#audio.addEventListener("ended", () => this.#silence());
  }

  async open() {
    document.body.append(this.dialog);
    this.tiles.append(...this.#ids.map((taskId) => this.#makeTile(taskId)));
    this.#showLabels();
    this.#showTotal();
    this.dialog.showModal();
    this.#goTo(this.#ids[0]);
    this.#names = await clipData.column("clip").catch(() => null);
    for (const taskId of this.#ids) this.#nameTile(taskId);
  }

  #leave() {
    clearTimeout(this.#timer);
    this.sight.disconnect();
    this.#silence();
    this.dialog.remove();
  }

  get #taken() {
    return this.#ids.filter((taskId) => !this.#out.has(taskId));
  }

  // Tiles

  #makeTile(taskId) {
    const picture = make("img", { alt: "" });
    const caption = make("span", { class: "caption" }, captionOf(taskId));
    const tile = make(
      "button",
      {
        ...{ type: "button", class: "tile", tabindex: "-1", "aria-pressed": "true" },
        click: () => this.#toggle(taskId),
        pointerenter: () => this.#playSoon(taskId),
        pointerleave: () => this.#silence(),
        focus: () => tile.matches(":focus-visible") && this.#playSoon(taskId),
      },
      picture,
      caption,
    );
    this.#tiles.set(taskId, tile);
    tile.dataset.task = taskId;
    this.#nameTile(taskId);
    this.sight.observe(tile);
    return tile;
  }

  #nameTile(taskId) {
    const name = (this.#names && textAt(this.#names, clipData.rowOf(taskId))) ?? `Clip ${taskId}`;
    const said = captionOf(taskId);
    const tile = this.#tiles.get(taskId);
    tile.title = name;
    tile.setAttribute("aria-label", said ? `${name}, ${said}` : name);
  }

  #showPictures(seen) {
    for (const { target, isIntersecting } of seen) {
      if (!isIntersecting) continue;
      this.sight.unobserve(target);
      showPicture(target.querySelector("img"), address(`clips/${target.dataset.task}/thumbnail`));
    }
  }

  #toggle(taskId) {
    if (!this.#out.delete(taskId)) this.#out.add(taskId);
    this.#tiles.get(taskId).setAttribute("aria-pressed", String(!this.#out.has(taskId)));
    this.#goTo(taskId);
    this.#showTotal();
  }

  /** Make a tile the one that Tab leads to. */
  #goTo(taskId) {
    for (const tile of this.tiles.querySelectorAll('[tabindex="0"]')) tile.tabIndex = -1;
    const tile = this.#tiles.get(taskId);
    tile.tabIndex = 0;
    tile.focus();
  }

  #showTotal() {
    const n = this.#taken.length;
    const out = this.#out.size > 0 ? `, ${count(this.#out.size)} excluded` : "";
    this.total.textContent = `${clips(n)} included${out}`;
    for (const button of this.labels.querySelectorAll("button")) button.disabled = n === 0;
    this.#showChosen();
  }

  // Sound

  #playSoon(taskId) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#play(taskId), HOVER_MS);
  }

  #play(taskId) {
    this.#silence();
    this.#audio.src = address(`clips/${taskId}/audio`);
    this.#tiles.get(taskId).classList.add("playing");
    this.#audio.play().catch(() => {}); // another one came in between, or it cannot be had
  }

  #silence() {
    clearTimeout(this.#timer);
    this.#audio.pause();
    this.tiles.querySelector(".playing")?.classList.remove("playing");
  }

  // Labels

  #showLabels() {
    const signs = classKeys();
    const buttons = clipData.frame.class_names.map((name, i) =>
      classButton(name, signs[i], { click: () => this.#choose(name) }),
    );
    const skip = make(
      "button",
      { type: "button", click: () => this.#label(SKIP) },
      "Skip ",
      make("kbd", {}, keyOf("skip").toUpperCase()),
    );
    this.confirm = make("button", { type: "button", class: "primary", click: () => this.#submit() });
    this.confirm.hidden = !clipData.frame.multi_label;
    const none = make(
      "button",
      { type: "button", click: () => this.#label([]) },
      `${NONE_ON_BUTTON} `,
      make("kbd", {}, keyOf("none").toUpperCase()),
    );
    none.hidden = !clipData.frame.multi_label;
    this.labels.replaceChildren(...buttons, this.confirm, none, skip);
  }

  #showChosen() {
    if (!clipData.frame.multi_label) return;
    showChosen(this.labels.querySelectorAll("[data-name]"), [...this.#chosen]);
    const what = labelsText([...this.#chosen]);
    this.confirm.replaceChildren(what ? `Label as: ${what} ` : "Choose labels ", make("kbd", {}, "Enter"));
    this.confirm.disabled = !what || this.#taken.length === 0;
  }

  #choose(name) {
    if (!clipData.frame.multi_label) return this.#label([name]);
    if (!this.#chosen.delete(name)) this.#chosen.add(name);
    return this.#showChosen();
  }

  #submit() {
    const labels = clipData.frame.class_names.filter((name) => this.#chosen.has(name));
    if (labels.length > 0) this.#label(labels);
  }

  /** Label what is included, after the question; what is left out stays selected. */
  async #label(labels) {
    const taken = this.#taken;
    if (taken.length === 0) return;
    this.#silence();
    const what = answerText(labels);
    const shown = labels?.length === 0 ? [NONE_OF_THEM] : labels;
    const wanted = await askForMany(taken, labels, what, 0);
    if (!wanted) return;
    this.dialog.close();
    if (this.#out.size > 0) state.set({ selection: [...this.#out] });
    await writer.write(wanted.taskIds, labels, { what, shown, focus: taken[0], ...wanted });
  }

  // Keys

  #press(event) {
    const isTicking = event.ctrlKey && event.key === " ";
    const isElsewhere = ((event.ctrlKey || event.metaKey) && !isTicking) || event.altKey;
    if (isElsewhere) return;
    const isHeld = event.repeat && ["Enter", " "].includes(event.key);
    if (event.repeat && !isHeld && !this.#stepOf(event.key)) return;
    if (isHeld || this.#obeys(event, isTicking)) event.preventDefault();
    event.stopPropagation();
  }

  #obeys(event, isTicking) {
    const tile = event.target.closest(".tile");
    const step = tile && this.#stepOf(event.key);
    const name = classOf(event);
    if (step) this.#goTo(this.#ids[Math.max(0, Math.min(this.#ids.length - 1, this.#place(tile) + step))]);
    else if (tile && (isTicking || commandOf(event) === "tick")) this.#toggle(Number(tile.dataset.task));
    else if (event.key === " " && tile) this.#play(Number(tile.dataset.task));
    else if (event.key === "Enter" && tile && clipData.frame.multi_label) this.#submit();
    else if (name !== undefined) this.#choose(name);
    else if (commandOf(event) === "skip") this.#label(SKIP);
    else if (commandOf(event) === "none" && clipData.frame.multi_label) this.#label([]);
    else return false;
    return true;
  }

  #place(tile) {
    return this.#ids.indexOf(Number(tile.dataset.task));
  }

  /** How many tiles further a key leads. */
  #stepOf(key) {
    const perRow = getComputedStyle(this.tiles).gridTemplateColumns.split(" ").length;
    const far = this.#ids.length;
    return { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -perRow, ArrowDown: perRow, Home: -far, End: far }[key];
  }
}

function captionOf(taskId) {
  const answer = answerOf(taskId);
  return answer?.label ?? answer?.state ?? "";
}
