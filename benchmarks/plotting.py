"""Compare libraries that draw the map: each draws the same clips in a headless Chromium.

Run: ``python benchmarks/plotting.py --libraries DIR [--sizes 8732 100000]``

``DIR`` holds the candidates' scripts, which the project itself does not use:

- ``plotly.min.js``: from ``plotly/package_data`` of the package ``plotly``
- ``bokeh.min.js``, ``bokeh-gl.min.js``, ``bokeh-api.min.js``: from ``bokeh/server/static/js``
- ``deck.min.js``: ``dist.min.js`` of the npm package ``deck.gl``
- ``regl-scatterplot.min.js``: ``esbuild regl-scatterplot/dist/regl-scatterplot.esm.js --bundle
  --minify --format=iife --global-name=ReglScatterplot``

Every candidate first runs under the pages' own Content-Security-Policy; if it draws nothing, it
runs again with ``unsafe-eval`` and ``unsafe-inline`` allowed. Times are milliseconds by the page's
clock; the browser renders in software, so frames are slower than on any graphics card.
"""

import argparse
import gzip
import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from flask import Flask, Response, send_from_directory
from PIL import Image
from playwright.sync_api import Browser, TimeoutError, sync_playwright
from werkzeug.serving import make_server

HERE = Path(__file__).resolve().parent
STATIC = HERE.parent / "ml_backend" / "web" / "static"
SCRIPTS = {
    "earmark": [
        STATIC / "map" / f"{n}.js" for n in ("map_view", "points", "camera", "geometry", "gestures")
    ],
    "regl_scatterplot": ["regl-scatterplot.min.js"],
    "deck": ["deck.min.js"],
    "plotly": ["plotly.min.js"],
    "bokeh": ["bokeh.min.js", "bokeh-gl.min.js", "bokeh-api.min.js"],
}
OPTIONS = ("--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--disable-quic")
STRICT = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:"
LAX = (
    "default-src 'none'; script-src 'self' 'unsafe-eval' 'unsafe-inline' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; worker-src blob: data:"
)
PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/pages/page.css">
<link rel="icon" href="data:,"><div id="plot"></div>
<script type="module" src="/pages/page.js"></script>"""
LASSO = ((200, 150), (700, 150), (700, 500), (200, 500), (200, 160))
WAIT_MS = 180_000
VIVID, N_COLORS = 90, 8
COLUMNS = ("first_paint", "recolor", "pan_frame", "pan_worst", "zoom_frame", "zoom_worst", "lasso")


@contextmanager
def serve(libraries: Path) -> Iterator[str]:
    app = Flask(__name__, static_folder=None)

    @app.get("/<policy>/")
    def page(policy: str) -> Response:
        headers = {"Content-Security-Policy": STRICT if policy == "strict" else LAX}
        return Response(PAGE, headers=headers, mimetype="text/html")

    for name, folder in {
        "pages": HERE / "plotting_pages",
        "static": STATIC,
        "libraries": libraries,
    }.items():
        app.add_url_rule(
            f"/{name}/<path:file>",
            name,
            lambda file, folder=folder: send_from_directory(folder, file),
        )
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


def measure(browser: Browser, address: str) -> dict[str, float]:
    """Run one page; raise TimeoutError if it draws nothing, or is too slow."""
    page = browser.new_page(viewport={"width": 900, "height": 640})
    try:
        page.goto(address)
        page.wait_for_selector("body[data-ready]", timeout=WAIT_MS)
        page.wait_for_timeout(1000)
        if not is_drawn(page.screenshot()):
            raise TimeoutError("the page stays empty")
        page.mouse.move(*LASSO[0])
        page.mouse.down()
        for x, y in LASSO[1:]:
            page.mouse.move(x, y, steps=8)
        page.mouse.up()
        page.wait_for_timeout(2500)
        return page.evaluate("window.figures")
    finally:
        page.close()


def is_drawn(picture: bytes) -> bool:
    """Return whether a screenshot shows points of many colors, and not a page of text."""
    pixels = np.asarray(Image.open(BytesIO(picture)).convert("RGB")).reshape(-1, 3).astype(int)
    vivid = pixels[np.ptp(pixels, axis=1) > VIVID] // 48
    return len(np.unique(vivid, axis=0)) >= N_COLORS


def script_bytes(name: str, libraries: Path) -> tuple[int, int]:
    contents = [(libraries / script).read_bytes() for script in SCRIPTS[name]]
    return sum(map(len, contents)), sum(len(gzip.compress(content)) for content in contents)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--libraries", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[8732, 100_000])
    parser.add_argument("--only", nargs="+", default=list(SCRIPTS), choices=SCRIPTS)
    arguments = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    titles = "".join(f"{title:>12}" for title in COLUMNS)
    print(f"{'library':18}{'clips':>8}{'KB':>7}{'gzip':>6} {'policy':8}{titles}   (ms)")
    with serve(arguments.libraries) as root, sync_playwright() as playwright:
        for name in arguments.only:
            size, packed = script_bytes(name, arguments.libraries)
            policies = ["strict", "lax"]
            for n in arguments.sizes:
                for policy in tuple(policies):
                    browser = playwright.chromium.launch(
                        executable_path=shutil.which("chromium"), args=OPTIONS
                    )
                    try:
                        figures = measure(browser, f"{root}/{policy}/?library={name}&n={n}")
                    except TimeoutError:
                        figures = None
                    finally:
                        browser.close()
                    row = f"{name:18}{n:8}{size / 1000:7.0f}{packed / 1000:6.0f} {policy:8}"
                    if figures is None:
                        policies = ["lax"]
                        print(f"{row}  is not done in {WAIT_MS // 1000} s", flush=True)
                        continue
                    values = (figures.get(f"{column}_ms") for column in COLUMNS)
                    print(
                        row
                        + "".join("        none" if v is None else f"{v:12.0f}" for v in values),
                        flush=True,
                    )
                    break


if __name__ == "__main__":
    main()
