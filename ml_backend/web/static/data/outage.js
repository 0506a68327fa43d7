// Away: Earmark, or Label Studio behind it, does not answer just now. Whoever only wants to read
// waits until it does; the document fires "away", whose detail is a sentence for people, and null
// when what was away is back.

const BACK = "What was written is kept; the page goes on by itself when it is back.";
const EARMARK_AWAY = `Earmark does not answer. ${BACK}`;
export const STUDIO_AWAY = `Label Studio does not answer. ${BACK}`;

/** @type {Map<unknown, string>} */
const waiting = new Map(); // whoever waits → the sentence
/** @type {Map<unknown, () => void>} */
const returning = new Map(); // who does something when it is back → what
/** @type {string | null} */
let told = null;

/** Why there is no answer just now, as a sentence; null where there are answers. */
export const whyAway = () => told;

/** Note that somebody waits, and what for.
 * @param {string} sentence @param {unknown} who */
export function waitFor(sentence, who) {
  waiting.set(who, sentence);
  tell();
}

/** Note that somebody has an answer.
 * @param {unknown} who */
export function waitNoMore(who) {
  if (waiting.delete(who)) tell();
}

/** Do something once when what is away now, or next, is back; the last that `who` wants.
 * @param {unknown} who @param {() => void} act */
export const onReturn = (who, act) => returning.set(who, act);

/** Why an answer is none (null stands for no answer at all); null where it is one.
 * @param {Response | null} answer */
export function whyNoAnswer(answer) {
  if (answer === null) return EARMARK_AWAY;
  if (![502, 503, 504].includes(answer.status)) return null;
  const isOurs = answer.headers.get("Content-Type")?.startsWith("application/json");
  if (!isOurs) return EARMARK_AWAY; // a proxy says so
  return answer.status === 502 && answer.headers.has("Retry-After") ? STUDIO_AWAY : null;
}

function tell() {
  const sentences = [...waiting.values()];
  const sentence = sentences.find((one) => one === EARMARK_AWAY) ?? sentences[0] ?? null;
  if (sentence === told) return;
  told = sentence;
  document.dispatchEvent(new CustomEvent("away", { detail: told }));
  if (told !== null) return;
  const acts = [...returning.values()];
  returning.clear();
  for (const act of acts) act();
}
