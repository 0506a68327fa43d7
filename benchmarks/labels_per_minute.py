"""Measure labels per minute on Earmark's labeling page and on Label Studio's, in one run.

    python benchmarks/labels_per_minute.py CLIPS [--labels 60] [--studio DATA]

``CLIPS`` is a folder with ``metadata.csv`` (columns ``file`` and ``label``), such as a part of
UrbanSound8K. The loudest second of each clip is imported into a real Label Studio, served beside a
real backend; a real Chromium opens both pages in turn. The annotator is a script that knows the
labels: it waits from the moment a clip is audible for the clip's duration, then presses the keys,
50 ms apart, without a delay for thinking. On Label Studio's page these are Space to play as soon as
the new clip's player is ready, the class and Ctrl+Enter; on Earmark's, the class.

Reported are labels per minute (without the first ``--warm`` ones), and the time in ms from the key
that sends an answer (keydown, by the page's clock) until the next clip is audible: for Web Audio,
``getOutputTimestamp`` when the first sample of a started sound reaches the output; for a media
element, which Label Studio uses, the event ``playing``, without the delay of the output (the same
for both).
"""

import argparse
import csv
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from playwright.sync_api import Browser, Page, sync_playwright
from served import Served

from importer.demo.label_studio_process import Studio
from importer.demo.ports import free_port

OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-quic")
N_CLIPS = 240
CLIP_S = 1.0
KEY_PAUSE_MS = 50
LIMIT_S = 60.0

# Every sound that starts on the page: the time when it is audible, on the clock of its keys.
WATCH = """
  window.sounds = []; window.keys = [];
  addEventListener("keydown", ({ key }) => keys.push([key, performance.now()]), { capture: true });
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function (...how) {
    const { context } = this, began = context.currentTime, called = performance.now();
    const look = () => {
      const { contextTime, performanceTime } = context.getOutputTimestamp();
      if (contextTime < began) return setTimeout(look, 1);
      sounds.push({ at: performanceTime - 1000 * (contextTime - began), called });
    };
    start.apply(this, how);
    look();
  };
  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function () {
    const called = performance.now();
    const heard = () => sounds.push({ at: performance.now(), called });
    this.addEventListener("playing", heard, { once: true });
    return play.call(this);
  };
"""
PLAYER = """document.querySelector('button[aria-label="Play"]:enabled') !== null"""
CLIP = r"() => /\S+\.wav/.exec(document.body.innerText)?.[0]"
IS_CHOSEN = """name => [...document.querySelectorAll("input:checked")]
  .some((one) => one.closest("label")?.innerText.includes(name))"""


def cut(source: Path, folder: Path, n_clips: int) -> dict[str, str]:
    """Write the loudest second of clips of every class; return the label of each file."""
    with (source / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows = rows[:: max(1, len(rows) // n_clips)][:n_clips]
    folder.mkdir()
    labels = {}
    for row in rows:
        samples, rate_hz = soundfile.read(source / row["file"], always_2d=True)
        n_samples = int(CLIP_S * rate_hz)
        energy = np.concatenate([[0.0], np.cumsum((samples**2).sum(axis=1))])
        start = int(np.argmax(energy[n_samples:] - energy[:-n_samples]))
        name = Path(row["file"]).with_suffix(".wav").name
        soundfile.write(folder / name, samples[start : start + n_samples], rate_hz)
        labels[name] = row["label"]
    return labels


def wait(page: Page, expression: str, argument: object = None) -> None:
    """Wait until an expression is true, polling every few milliseconds."""
    deadline = time.monotonic() + LIMIT_S
    while not page.evaluate(expression, argument):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{expression} does not hold after {LIMIT_S} s")
        page.wait_for_timeout(5)


def listen(page: Page, n_heard: int) -> None:
    """Wait until a new sound is audible, and for its duration."""
    wait(page, "n => sounds.length > n", n_heard)
    wait(page, "end => performance.now() > sounds.at(-1).at + end", 1000 * CLIP_S)


def label_here(page: Page, keys: dict[str, str], labels: dict[str, str], n: int) -> list[float]:
    """Label clips on Earmark's page; return the time of each answer, in ms."""
    for number in range(n):
        listen(page, number)
        clip = page.evaluate("document.querySelector('.clip-name').textContent")
        page.keyboard.press(keys[labels[clip]])
    listen(page, n)
    return [at for key, at in page.evaluate("keys") if key in keys.values()]


def label_there(page: Page, keys: dict[str, str], labels: dict[str, str], n: int) -> list[float]:
    """Label clips on Label Studio's page; return the time of each answer, in ms."""
    for number in range(n):
        play(page, number)
        listen(page, number)
        wait(page, f"({CLIP})()")
        clip = page.evaluate(CLIP)
        name = labels[clip]
        # A predicted class is selected already.
        if not page.evaluate(IS_CHOSEN, name):
            page.keyboard.press(keys[name])
            page.wait_for_timeout(KEY_PAUSE_MS)
        page.keyboard.press("Control+Enter")
    play(page, n)
    listen(page, n)
    return [at for key, at in page.evaluate("keys") if key == "Enter"]


def play(page: Page, n_heard: int) -> None:
    """Press Space as soon as the next clip's player exists, and again if that was too early."""
    if n_heard:
        wait(page, f"!({PLAYER})")
    while page.evaluate("sounds.length") <= n_heard:
        wait(page, PLAYER)
        page.keyboard.press(" ")
        page.wait_for_timeout(150)


def tell(page: Page, name: str, sent: list[float], n_warm: int) -> None:
    """Print labels a minute, and the time from an answer to the next sound."""
    heard = [one["at"] for one in page.evaluate("window.sounds")]
    waits = [min(at for at in heard if at > one) - one for one in sent[n_warm:]]
    rate = (len(sent) - 1 - n_warm) / (sent[-1] - sent[n_warm]) * 60_000
    p50, p95 = np.percentile(waits, [50, 95])
    print(f"{name}: {rate:.0f} labels a minute, next clip after p50 {p50:.0f} ms, p95 {p95:.0f} ms")


def count_annotations(studio: Studio, project_id: int) -> int:
    """Count the tasks with exactly one annotation, which has a label."""
    told = studio.client().annotated_tasks(project_id)
    return sum([bool(said["result"]) for said in one["annotations"]] == [True] for one in told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("--labels", type=int, default=60, help="answers on each page")
    parser.add_argument("--warm", type=int, default=5, help="of them before timing starts")
    parser.add_argument("--studio", type=Path, help="data of a Label Studio to start from")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        labels = cut(options.clips, folder / "clips", N_CLIPS)
        if options.studio:
            shutil.copytree(options.studio, folder / "studio")
        port = free_port(8180)
        with (
            Studio(folder / "studio", files_root=folder / "files", port=port) as studio,
            Served(studio, folder, EARMARK_EMBEDDER="melstats") as earmark,
            sync_playwright() as playwright,
        ):
            chromium = shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
            measure(browser, earmark, labels, folder / "clips", options)
            browser.close()


def measure(
    browser: Browser,
    earmark: Served,
    labels: dict[str, str],
    clips: Path,
    options: argparse.Namespace,
) -> None:
    names = sorted(set(labels.values()))
    made = earmark.tell("setup", "--title", "Seconds", "--labels", ",".join(names))
    project_id, studio = made["project_id"], earmark.studio
    earmark.tell("import", str(clips), "--project", str(project_id))
    earmark.wait_until_ordered(project_id, len(labels))
    keys = dict(zip(names, "1234567890", strict=False))
    there = open_page(browser, f"{studio.url}/user/login/")
    there.fill("input[name=email]", studio.credentials.username)
    there.fill("input[name=password]", studio.credentials.password)
    there.click("button[type=submit]")
    there.wait_for_load_state("networkidle")
    there.goto(f"{studio.url}/projects/{project_id}/data")
    there.get_by_text("Label All Tasks").click()
    sent = label_there(there, keys, labels, options.labels)
    tell(there, "Label Studio", sent, options.warm)
    there.context.close()
    n_there = count_annotations(studio, project_id)
    here = open_page(browser, f"{earmark.settings.backend_url}/projects/{project_id}/label")
    here.fill("input[name=token]", studio.credentials.token)
    here.click("main button[type=submit]")
    here.wait_for_selector("body[data-ready]")
    sent = label_here(here, keys, labels, options.labels)
    tell(here, "Earmark", sent, options.warm)
    wait(here, "document.body.dataset.waiting === '0'")
    n_here = count_annotations(studio, project_id) - n_there
    print(f"clips with one annotation and a label: {n_there} and {n_here} of {options.labels} each")


def open_page(browser: Browser, address: str) -> Page:
    page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
    page.add_init_script(WATCH)
    page.goto(address)
    return page


if __name__ == "__main__":
    main()
