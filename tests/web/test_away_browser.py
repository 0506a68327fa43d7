"""Earmark, or Label Studio behind it, stops while a page is open: one sentence, and it goes on.

``EARMARK_SCREENSHOTS=DIR`` keeps pictures there, to look at.
"""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask import jsonify

from tests.browsing import opened, served, until
from tests.processes import eventually, free_port
from tests.small_pool import SmallPool, create_small_app

pytestmark = pytest.mark.browser

SERVE = """
import sys
from werkzeug.serving import make_server
from tests.small_pool import SmallPool, create_small_app
app = create_small_app(SmallPool(60))
make_server("127.0.0.1", int(sys.argv[1]), app, threaded=True).serve_forever()
"""
BLACK = "document.querySelector('.plot-picture').matches('.awaited') && \
getComputedStyle(document.querySelector('.plot-words')).display === 'none'"
FAILURES = ".notice, .problem:not([hidden])"


class Server:
    """The small pool, served by a process that can be killed and started again."""

    def __init__(self):
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        command = [sys.executable, "-c", SERVE, str(self.port)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)

        def answers():
            import httpx

            try:
                return httpx.get(f"{self.address}/blank").status_code == 200
            except httpx.TransportError:
                return False

        eventually(answers, "the server answers")

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def server():
    started = Server()
    yield started
    started.kill()


@pytest.fixture
def visit(browser):
    with ExitStack() as stack:

        def visit(address, **how):
            page = stack.enter_context(opened(browser, f"{address}/projects/1/map?focus=10", **how))
            page.wait_for_selector("body[data-ready=yes]")
            until(page, "document.querySelector('.clip-name').textContent.startsWith('clip 00000')")
            return page

        yield visit


def keep_picture(page, name):
    if folder := os.environ.get("EARMARK_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"away-{name}.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_backend_that_stops_is_told_of_once_and_the_page_goes_on_when_it_is_back(
    server, visit, scheme
):
    page = visit(server.address, color_scheme=scheme)
    server.kill()
    page.wait_for_selector("#trouble:not([hidden])")
    assert page.inner_text("#trouble") == (
        "Earmark does not answer. What was written is kept; "
        "the page goes on by itself when it is back."
    )
    for _ in range(3):  # to a clip that was not prepared
        page.keyboard.press("ArrowRight")
    until(page, "document.querySelector('.clip-name').textContent.startsWith('clip 00003')")
    until(page, "document.querySelector('.plot-picture').matches('.awaited')")
    page.wait_for_timeout(1000)
    assert "comes when the server answers again" in page.inner_text(".plot-words")
    assert not page.evaluate(BLACK)
    assert page.locator(FAILURES).count() == 0
    # Nothing of the clip before stands under the name of this one.
    assert page.locator(".known").first.inner_text() == ""
    assert page.locator(".inspected button[aria-pressed=true]:visible").count() == 0
    keep_picture(page, f"gone-{scheme}")

    page.wait_for_timeout(11_000)  # longer than a busy server is asked again
    assert page.inner_text(".problem:not([hidden])") == (
        "The sound comes when the server answers again."
    )
    server.start()
    page.wait_for_selector("#trouble", state="hidden")
    until(page, "!document.querySelector('.plot-picture').matches('.awaited')")
    until(page, "document.querySelector('.known').textContent.includes('siren')")
    assert page.locator(FAILURES).count() == 0
    page.keyboard.press(" ")
    until(page, "document.querySelector('.play').getAttribute('aria-label') === 'Pause'")
    keep_picture(page, f"back-{scheme}")


def test_what_somebody_wanted_to_change_meanwhile_is_not_done_later(server, visit):
    page = visit(server.address)
    server.kill()
    page.wait_for_selector("#trouble:not([hidden])")
    page.keyboard.press("1")
    page.wait_for_selector(".notice.failed")
    page.keyboard.press("1")
    page.wait_for_timeout(500)
    assert page.locator(".notice").count() == 1
    assert "Nothing was labeled. Earmark does not answer." in page.inner_text(".notice")


@pytest.mark.parametrize("said", ["Label Studio", "Earmark"])
def test_label_studio_that_stops_is_told_of_as_well(visit, said):
    is_away, pool = [], SmallPool(60)
    app = create_small_app(pool)

    @app.before_request
    def refuse():
        if not is_away:
            return None
        if said == "Earmark":
            return "<h1>Bad gateway</h1>", 502  # what a proxy says where Earmark has stopped
        return jsonify(error="Label Studio does not answer."), 502, {"Retry-After": "2"}

    with served(app) as address:
        page = visit(address)
        is_away.append(True)
        page.wait_for_selector("#trouble:not([hidden])")
        assert page.inner_text("#trouble").startswith(f"{said} does not answer. What was written")
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(600)
        assert page.locator(FAILURES).count() == 0
        is_away.clear()
        page.wait_for_selector("#trouble", state="hidden")
