// Talking to the backend. Every answer is checked; what went wrong is an Error in plain words.
// Where the backend is still making the answer (202), or is too busy to begin with it (503, a few
// times), it is asked again; meanwhile the document fires "waiting", whose detail says what for, and
// null when the answer is there. Where nobody answers, reading waits until somebody does (outage.js);
// changing something fails at once, since nobody wants it done at another time.

import { constants } from "./constants.js";
import { waitFor, waitNoMore, whyNoAnswer } from "./outage.js";
import { decodePacked } from "./packed.js";

const MOST_REFUSALS = 10;
const AWAY_MS = 1500;

const project = document.documentElement.dataset.project;

/** Address of something of this project: `address("clips/12/audio")`.
 * @param {string} path */
export const address = (path) => `/projects/${project}/${path}`;

/** JSON that the project answers with.
 * @param {string} path */
export async function getJson(path) {
  return (await ask(address(path))).json();
}

/** Columns in the packed form, decoded; null when the server says that `etag` still holds.
 * @param {string} path @param {string | null} etag */
export async function getPacked(path, etag = null) {
  /** @type {Record<string, string>} */
  const headers = etag ? { "If-None-Match": etag } : {};
  const answer = await ask(address(path), { headers, cache: "no-store" });
  if (answer.status === 304) return null;
  const packed = decodePacked(await answer.arrayBuffer());
  packed.etag = answer.headers.get("ETag");
  return packed;
}

/** Change something: POST, PUT or DELETE with a JSON body (or a form). Returns JSON.
 * @param {string} method @param {string} path @param {unknown} body */
export async function send(method, path, body = undefined) {
  return (await change(method, path, body)).json();
}

/** The same, where the answer is packed columns.
 * @param {string} method @param {string} path @param {unknown} body */
export async function sendForPacked(method, path, body) {
  return decodePacked(await (await change(method, path, body)).arrayBuffer());
}

/** Say something with the page's last breath; nobody waits for an answer.
 * @param {string} method @param {string} path */
export function sendLeaving(method, path) {
  fetch(address(path), { method, headers: csrf(), credentials: "same-origin", keepalive: true }).catch(() => {});
}

/** @returns {Record<string, string>} */
const csrf = () => ({
  [constants.csrf_header]: document.querySelector('meta[name="csrf-token"]')?.getAttribute("content") ?? "",
});

/** @param {string} method @param {string} path @param {unknown} body */
function change(method, path, body) {
  const headers = csrf();
  const isForm = body instanceof FormData;
  if (body !== undefined && !isForm) headers["Content-Type"] = "application/json";
  return ask(address(path), { method, headers, body: isForm ? body : JSON.stringify(body) });
}

/** Whether the backend did nothing yet, but may soon.
 * @param {Response} answer */
const isBusy = (answer) => answer.status === 503 && answer.headers.has("Retry-After");

/** @param {string | null} state */
const tellWaiting = (state) => document.dispatchEvent(new CustomEvent("waiting", { detail: state }));

/** @param {string} url @param {RequestInit} options */
async function fetchOnce(url, options) {
  const who = {};
  const isReading = options.method === undefined;
  try {
    for (;;) {
      const answer = await fetch(url, { credentials: "same-origin", ...options }).catch(() => null);
      const why = whyNoAnswer(answer);
      if (answer !== null && (why === null || !isReading)) return answer;
      if (!isReading) throw new Error("Earmark does not answer.");
      waitFor(/** @type {string} */ (why), who);
      await new Promise((done) => setTimeout(done, AWAY_MS));
    }
  } finally {
    waitNoMore(who);
  }
}

/** @param {string} url @param {RequestInit} options */
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
  throw Object.assign(error, { status: answer.status });
}
