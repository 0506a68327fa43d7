"""Measure the time from a label on the map to Label Studio, and to another open map.

Run: ``python benchmarks/label_speed.py http://127.0.0.1:9090/projects/1/map --token TOKEN
--label-studio http://127.0.0.1:8080``

Two browsers show the same project. In one, pool clips are labeled by key, and the labels withdrawn;
times are ms from the key to the annotation in Label Studio's API, and to the label on the other
map. Project and backend are running ones, and ``TOKEN`` is a Label Studio token.
"""

import argparse
import shutil
import statistics
import time

import httpx
from map_page import OPTIONS, READY_MS, open_map
from playwright.sync_api import Page, sync_playwright

LIMIT_S = 30.0
POOL = """
  const page = document.querySelector('script[src*="map_page.js"]').src;
  const { clipData } = await import(page.replace("map_page.js", "data/clip_data.js"));
"""
OPEN_CLIPS = f"""async (n) => {{ {POOL}
  const {{ codes }} = clipData.frame.columns.get("label");
  return [...clipData.ids].filter((_, row) => codes[row] < 0).slice(0, n);
}}"""
WATCH = f"""async (taskId) => {{ {POOL}
  const isLabeled = () => clipData.frame.columns.get("label").codes[clipData.rowOf(taskId)] >= 0;
  window.seen = new Promise((done) => {{
    const look = () => isLabeled() && done(Date.now());
    clipData.addEventListener("revision", look);
  }});
}}"""


def wait_in_label_studio(studio: httpx.Client, task_id: int) -> float:
    """Wait until a task has an annotation; return the time, in s since 1970."""
    deadline = time.time() + LIMIT_S
    while not studio.get(f"/api/tasks/{task_id}/annotations/").raise_for_status().json():
        if time.time() > deadline:
            raise TimeoutError(f"Task {task_id} is not labeled after {LIMIT_S} s.")
        time.sleep(0.005)
    return time.time()


def label(here: Page, there: Page, studio: httpx.Client, task_id: int) -> tuple[float, float]:
    """Label one clip, and withdraw the label; return both times, in ms."""
    here.evaluate("(hash) => history.replaceState(null, '', hash)", f"?focus={task_id}")
    here.reload()
    here.wait_for_selector("body[data-ready]", timeout=READY_MS)
    here.wait_for_selector(".labels button")
    here.wait_for_timeout(1500)
    there.evaluate(WATCH, task_id)
    began = time.time()
    here.keyboard.press("1")
    written = wait_in_label_studio(studio, task_id)
    seen = there.evaluate("seen") / 1000
    here.wait_for_selector(".labels-rest .quiet:enabled")
    here.keyboard.press("Control+z")
    here.wait_for_selector(".notice >> text=Taken back")
    here.wait_for_timeout(3000)  # the round that follows is over
    return (written - began) * 1000, (seen - began) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address")
    parser.add_argument("--token", required=True)
    parser.add_argument("--label-studio", required=True)
    parser.add_argument("--clips", type=int, default=12)
    arguments = parser.parse_args()
    headers = {"Authorization": f"Token {arguments.token}"}
    with (
        sync_playwright() as playwright,
        httpx.Client(base_url=arguments.label_studio, headers=headers) as studio,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        here, there = (open_map(browser, arguments.address, arguments.token) for _ in range(2))
        task_ids = here.evaluate(OPEN_CLIPS, arguments.clips)
        times = [label(here, there, studio, task_id) for task_id in task_ids]
        browser.close()
    for name, values in zip(
        ("in Label Studio", "on another map"), zip(*times, strict=True), strict=True
    ):
        ranked = sorted(values)
        print(f"{name}: median {statistics.median(ranked):.0f} ms, worst {ranked[-1]:.0f} ms")


if __name__ == "__main__":
    main()
