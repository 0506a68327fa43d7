// Keeps the progress page true: fetches it again every few seconds, as the server draws it, and
// exchanges the sections that have changed. What is open or has the focus stays so.

import { STUDIO_AWAY, whyNoAnswer } from "./data/outage.js";
import { send } from "./data/server.js";
import { askAgain } from "./panels/ask_again.js";
import { dropRequested } from "./panels/requested_first.js";
import { ask, fail, notice } from "./ui/dialogs.js";

const PERIOD_MS = 3000;

/** What the server last drew of each section, by id. */
const drawn = new Map(sections(document).map((section) => [section.id, section.innerHTML]));
const trouble = document.getElementById("trouble");

localizeTimes(document);
document.addEventListener("click", async ({ target }) => {
  if (target.closest("[data-drop-asked]") && (await dropRequested())) await refresh();
  const again = target.closest("[data-ask-again]");
  if (!again) return;
  const isFree = document.getElementById("requested-first").hidden;
  await askAgain(again.dataset.askAgain, Number(again.dataset.n), isFree);
  await refresh();
});
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-version]")) return;
  event.preventDefault();
  pin(event.target.elements.model_version.value || null);
});
later();

/** Pin a version for everybody, or (null) unpin, after a question. */
async function pin(version) {
  const question = version ? `Pin ${version}?` : "Unpin the version?";
  const details = version
    ? "It then predicts and ranks the clips for everybody in this project, and nothing is trained until somebody unpins it. No label is lost."
    : "The model is then trained on all labels again, and ranks the clips for everybody in this project.";
  const yes = version ? "Pin it" : "Unpin";
  if ((await ask(question, { yes, details })) === null) return;
  try {
    await send("POST", "version", { model_version: version });
  } catch (error) {
    fail(`Nothing was changed. ${error.message}`);
    return;
  }
  notice(version ? `${version} is pinned from the next round on.` : "Training goes on from the next round on.");
  document.getElementById("main").focus({ preventScroll: true }); // the button goes
  await refresh();
}

function later() {
  setTimeout(async () => {
    if (!document.hidden) await refresh();
    later();
  }, PERIOD_MS);
}

async function refresh() {
  let answer;
  try {
    answer = await fetch(location.pathname, { headers: { Accept: "text/html" }, cache: "no-cache" });
  } catch {
    answer = null;
  }
  if (answer?.redirected) return location.reload(); // the session has ended: sign in again
  const why = answer?.status === 502 ? STUDIO_AWAY : whyNoAnswer(answer);
  if (why) return complain(why);
  if (!answer.ok) return complain(`The backend answered ${answer.status}; this page may be old.`);
  complain("");
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const section of sections(page)) {
    if (drawn.get(section.id) === section.innerHTML) continue;
    drawn.set(section.id, section.innerHTML);
    document.getElementById(section.id).hidden = section.hidden;
    exchange(document.getElementById(section.id), section);
  }
}

/** Put another section's content into one, and keep what the visitor did with it. */
function exchange(old, section) {
  const opened = [...old.querySelectorAll("details[open]")].map((one) => one.id);
  const scrolled = [...old.querySelectorAll(".scroll")].map((one) => [one.scrollTop, one.scrollLeft]);
  const focused = old.contains(document.activeElement) ? signOf(document.activeElement) : null;
  localizeTimes(section);
  old.replaceChildren(...section.childNodes);
  for (const one of old.querySelectorAll("details")) one.open = opened.includes(one.id);
  old.querySelectorAll(".scroll").forEach((one, place) => {
    [one.scrollTop, one.scrollLeft] = scrolled[place] ?? [0, 0];
  });
  if (focused)
    [...old.querySelectorAll("a, button, summary, [tabindex]")].find((one) => signOf(one) === focused)?.focus();
}

/** What tells one control of a section from the others. */
const signOf = (one) =>
  `${one.tagName} ${one.getAttribute("href")} ${one.getAttribute("aria-label")} ${one.textContent}`;

function sections(page) {
  return [...page.querySelectorAll("section[data-live]")];
}

/** Times come as UTC; people read them in their own zone. */
function localizeTimes(within) {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  for (const time of within.querySelectorAll("time")) time.textContent = format.format(new Date(time.dateTime));
}

function complain(words) {
  trouble.textContent = words;
  trouble.hidden = !words;
}
