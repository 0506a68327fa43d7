// Talking to the backend. Every answer is checked; what went wrong is an Error in plain words.
// Where the backend is still making the answer (202), or is too busy to begin with it (503, a few
// times), it is asked again; meanwhile the document fires "waiting", whose detail says what for, and
// null when the answer is there. Where nobody answers, reading waits until somebody does (outage.js);
// changing something fails at once, since nobody wants it done at another time.

import { waitFor, waitNoMore, whyNoAnswer } from "./outage.js";
import { decodePacked } from "./packed.js";

const MOST_REFUSALS = 10;
const AWAY_MS = 1500;

const project = document.documentElement.dataset.project;

/** Address of something of this project: `address("clips/12/audio")`. */
export const address = (path) => `/projects/${project}/${path}`;

/** JSON that the project answers with. */
export async function getJson(path) {
  return (await ask(address(path))).json();
}

/** Columns in the packed form, decoded; null when the server says that `etag` still holds. */
export async function getPacked(path, etag = null) {
  const headers = etag ? { "If-None-Match": etag } : {};
  const answer = await ask(address(path), { headers, cache: "no-store" });
  if (answer.status === 304) return null;
  const packed = decodePacked(await answer.arrayBuffer());
  packed.etag = answer.headers.get("ETag");
  return packed;
}

/** Change something: POST, PUT or DELETE with a JSON body (or a form). Answers with JSON. */
export async function send(method, path, body = undefined) {
  return (await change(method, path, body)).json();
}

/** The same, where the answer is packed columns. */
export async function sendForPacked(method, path, body) {
  return decodePacked(await (await change(method, path, body)).arrayBuffer());
}

/** Say something with the page's last breath; nobody waits for an answer. */
export function sendLeaving(method, path) {
  fetch(address(path), { method, headers: csrf(), credentials: "same-origin", keepalive: true }).catch(() => {});
}

const csrf = () => ({
  "X-Earmark-CSRF": document.querySelector('meta[name="csrf-token"]').content,
});

function change(method, path, body) {
  const headers = csrf();
  const isForm = body instanceof FormData;
  if (body !== undefined && !isForm) headers["Content-Type"] = "application/json";
  return ask(address(path), { method, headers, body: isForm ? body : JSON.stringify(body) });
}

/** Whether the backend did nothing yet, but may soon. */
const isBusy = (answer) => answer.status === 503 && answer.headers.has("Retry-After");

const tellWaiting = (state) => document.dispatchEvent(new CustomEvent("waiting", { detail: state }));

async function fetchOnce(url, options) {
  const who = {};
  const isReading = options.method === undefined;
  try {
    for (;;) {
      const answer = await fetch(url, { credentials: "same-origin", ...options }).catch(() => null);
      const why = whyNoAnswer(answer);
      if (answer !== null && (why === null || !isReading)) return answer;
      if (!isReading) throw new Error("Earmark does not answer.");
      waitFor(why, who);
      await new Promise((done) => setTimeout(done, AWAY_MS));
    }
  } finally {
    waitNoMore(who);
  }
}

async function ask(url, options = {}) {
  let answer = await fetchOnce(url, options);
  let isWaiting = false;
  let nRefused = 0;
  try {
    while (answer.status === 202 || (isBusy(answer) && nRefused++ < MOST_REFUSALS)) {
      isWaiting = true;
      const { state, error } = await answer.json().catch(() => ({}));
      tellWaiting(state ?? error ?? "The backend is busy.");
      const pause_s = Number(answer.headers.get("Retry-After")) || 1;
      await new Promise((done) => setTimeout(done, 1000 * pause_s));
      answer = await fetchOnce(url, options);
    }
  } finally {
    if (isWaiting) tellWaiting(null);
  }
  if (answer.ok || answer.status === 304) return answer;
  if (answer.status === 401) {
    const here = location.pathname + location.search;
    const next = encodeURIComponent(here).replaceAll("%2C", ","); // as in access.py
    location.assign(`/sign-in?next=${next}${location.hash}`);
  }
  const said = await answer.json().catch(() => ({}));
  const error = new Error(said.error ?? `The backend answered ${answer.status}.`);
  error.status = answer.status;
  throw error;
}
