"""Measure the speed of the map page of a running backend in a headless Chromium.

Run: ``python benchmarks/map_page.py http://127.0.0.1:9090/projects/1/map --token TOKEN``

``TOKEN`` is a Label Studio access token for the sign-in. The first visit fills the server's caches.
Times are milliseconds by the page's clock, of the second to the last of ``--visits``; the browser
renders in software.
"""

import argparse
import io
import shutil
import statistics
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

OPTIONS = ("--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--disable-quic")
N_PICTURES = 12
READY_MS = 180_000
WATCH = """async () => {
  const page = document.querySelector('script[src*="map_page.js"]').src;
  const { state } = await import(page.replace("map_page.js", "data/state.js"));
  const { clipData } = await import(page.replace("map_page.js", "data/clip_data.js"));
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const canvas = document.querySelector("#map canvas");
  window.bench = { state, clipData };
  addEventListener("pointerup", () => (bench.released = performance.now()), { capture: true });
  state.on(["selection"], () => (bench.selected = performance.now()));
  const watched = { childList: true, subtree: true, characterData: true };
  new MutationObserver(() => (bench.inspected ??= performance.now()))
    .observe(document.querySelector("#inspector"), watched);
  bench.color = async (name) => {
    const began = performance.now();
    state.set({ color: name });
    while (document.querySelector("#map").dataset.color !== name) await frame();
    await frame();
    return performance.now() - began;
  };
  bench.move = async (type, n) => {
    const box = canvas.getBoundingClientRect();
    const at = (step) => ({
      bubbles: true, cancelable: true, pointerId: 1, button: 0,
      clientX: box.left + box.width / 2 + 3 * step, clientY: box.top + box.height / 2 + step,
    });
    canvas.setPointerCapture = () => {}; // there is no such pointer
    if (type === "pan") canvas.dispatchEvent(new PointerEvent("pointerdown", at(0)));
    const times = [];
    for (let step = 1; step <= n; step++) {
      const began = performance.now();
      if (type === "pan") canvas.dispatchEvent(new PointerEvent("pointermove", at(step)));
      else {
        const deltaY = step <= n / 2 ? -40 : 40;
        canvas.dispatchEvent(new WheelEvent("wheel", { ...at(0), deltaY }));
      }
      await frame();
      times.push(performance.now() - began);
    }
    if (type === "pan") canvas.dispatchEvent(new PointerEvent("pointerup", at(n)));
    return times;
  };
}"""


def open_map(browser: Browser, address: str, token: str) -> Page:
    """Sign in, in a new context, and wait for the map."""
    page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
    page.goto(address)
    if page.locator("input[type=password]").count():
        page.fill("input[type=password]", token)
        page.click("main button[type=submit]")
        page.wait_for_selector("#map")
    page.wait_for_selector("body[data-ready]", timeout=READY_MS)
    return page


def visit(browser: Browser, address: str, token: str, colors: list[str]) -> dict[str, Any]:
    """Open the page and use it; return figures by name."""
    page = open_map(browser, address, token)
    page.goto(address)  # signed in, and the scripts are in the browser's cache
    page.wait_for_selector("body[data-ready]", timeout=READY_MS)
    page.wait_for_timeout(1500)
    figures = page.evaluate(
        """() => ({
          usable: performance.getEntriesByName("usable")[0].startTime,
          frame_kb: performance.getEntriesByType("resource")
            .find(({ name }) => name.includes("/frame")).encodedBodySize / 1000,
        })"""
    )
    page.evaluate(WATCH)
    figures["n"] = page.evaluate("bench.clipData.frame.n")
    figures["color"] = max(page.evaluate("(name) => bench.color(name)", name) for name in colors)
    figures["color_again"] = max(page.evaluate("(n) => bench.color(n)", name) for name in colors)
    for kind in ("pan", "zoom"):
        times = sorted(page.evaluate("(kind) => bench.move(kind, 60)", kind))
        figures[kind] = statistics.median(times)
        figures[f"{kind}_worst"] = times[-1]
    figures["blank"] = count_blank(page)
    figures |= lasso(page)
    page.context.close()
    return figures


def lasso(page: Page) -> dict[str, float]:
    """Draw a lasso around the middle of the map."""
    page.keyboard.press("f")
    page.keyboard.press("l")
    box = page.locator("#map canvas").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 60, y - 60)
    page.mouse.down()
    for dx, dy in ((60, -60), (60, 60), (-60, 60)):
        page.mouse.move(x + dx, y + dy, steps=6)
    page.evaluate("bench.inspected = null")
    page.mouse.up()
    page.wait_for_timeout(1500)
    return page.evaluate(
        """() => ({
          lasso: bench.selected - bench.released,
          inspector: bench.inspected - bench.released,
          lassoed: bench.state.get().selection.length,
        })"""
    )


def count_blank(page: Page) -> int:
    """Count screenshots without points, taken while the map is dragged and zoomed."""
    box = page.locator("#map canvas").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    n_blank = 0
    for step in range(N_PICTURES):
        page.mouse.wheel(0, -60 if step % 2 else 60)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 2 + 5 * step, box["y"] + box["height"] / 2)
        picture = Image.open(io.BytesIO(page.screenshot(clip=dict(box))))
        page.mouse.up()
        colors = picture.convert("RGB").getcolors(1 << 22)
        n_blank += colors is not None and len(colors) < 200
    return n_blank


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address")
    parser.add_argument("--token", default="")
    parser.add_argument("--visits", type=int, default=4)
    parser.add_argument(
        "--colors", nargs="+", default=["entropy", "recording", "coverage", "label"]
    )
    arguments = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        figures = [
            visit(browser, arguments.address, arguments.token, arguments.colors)
            for _ in range(arguments.visits)
        ]
        browser.close()
    for name in figures[0]:
        values = [one[name] for one in figures[1:]]
        print(f"{name:12} {statistics.median(values):9.1f}   (worst {max(values):.1f})")


if __name__ == "__main__":
    main()
