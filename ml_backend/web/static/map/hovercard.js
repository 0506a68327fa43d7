// The card beside the pointer: what the clip is called, how it looks, what is known of it.

import { clipData } from "../data/clip_data.js";
import { ClipDetails } from "../data/clip_details.js";
import { textAt } from "../data/packed.js";
import { address } from "../data/server.js";
import { count } from "../data/wording.js";
import { make } from "../ui/elements.js";

const PAUSE_MS = 90; // before the server is asked: the pointer may only pass by
const N_KNOWN = 300;
const OFFSET_PX = 16;

export function makeHoverCard(container) {
  const known = new ClipDetails(N_KNOWN);
  const picture = make("img", { alt: "" });
  const name = make("strong");
  const facts = make("div");
  const card = make("div", { class: "hover-card", hidden: true }, picture, name, facts);
  container.append(card);
  let shown = null;
  let timer = null;

  const fill = (taskId, row) => {
    shown = taskId;
    clearTimeout(timer);
    name.textContent = clipData.nameOf(taskId);
    picture.hidden = true;
    const line = ([title, value]) => make("div", {}, make("span", { class: "faint" }, `${title} `), value);
    facts.replaceChildren(...describe(row).map(line));
    timer = setTimeout(async () => {
      picture.src = address(`clips/${taskId}/thumbnail`);
      picture.onload = () => (picture.hidden = shown !== taskId);
      const { clip } = await known.of(taskId).catch(() => ({ clip: "" }));
      if (shown === taskId && clip) name.textContent = clip;
    }, PAUSE_MS);
  };

  return {
    show(taskId, px, py) {
      const row = taskId === null ? -1 : clipData.rowOf(taskId);
      if (row < 0) {
        clearTimeout(timer);
        card.hidden = true;
        shown = null;
        return;
      }
      if (taskId !== shown) fill(taskId, row);
      card.hidden = false;
      const { width, height } = container.getBoundingClientRect();
      const left = px + OFFSET_PX + card.offsetWidth > width ? px - OFFSET_PX - card.offsetWidth : px + OFFSET_PX;
      const top = Math.min(py + OFFSET_PX, height - card.offsetHeight - 4);
      card.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, top)}px)`;
    },
  };
}

/** What the frame itself knows of a row: [[title, text], …]. */
function describe(row) {
  const { columns } = clipData.frame;
  const lines = [];
  const label = columns.get("label");
  const predicted = columns.get("predicted");
  const entropy = columns.get("entropy")?.values[row];
  const rank = columns.get("rank")?.values[row];
  if (columns.get("skipped")?.codes[row] === 1) lines.push(["label", "skipped"]);
  else lines.push(["label", (label && textAt(label, row)) ?? "none yet"]);
  const said = predicted && textAt(predicted, row);
  if (said !== null && said !== undefined) lines.push(["predicted", said]);
  if (entropy >= 0) lines.push(["entropy", entropy.toFixed(2)]);
  if (rank > 0) lines.push(["rank in the queue", count(rank)]);
  return lines;
}
