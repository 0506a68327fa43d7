"""A real Chromium, and a server beside the test."""

import shutil
import threading
import time
from contextlib import contextmanager

from werkzeug.serving import WSGIRequestHandler, make_server

OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--autoplay-policy=no-user-gesture-required",
)


@contextmanager
def chromium():
    """Start the browser that Debian packages."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    assert path, "There is no `chromium` on the PATH; on Debian, install the package `chromium`."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield browser
        browser.close()


@contextmanager
def served(app):
    """Serve an app on a free port; gives its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()


@contextmanager
def opened(browser, address, **how):
    """Open a page that must not complain: neither errors nor breaches of its security policy."""
    context = browser.new_context(**{"viewport": {"width": 1400, "height": 950}, **how})
    page = context.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if is_breach(said) else None)
    page.goto(address)
    yield page
    context.close()
    assert not complaints, complaints


@contextmanager
def signed_in(browser, app, path, token, **how):
    """Serve an app, and open one of its pages as somebody who signs in."""
    with (
        served(app) as address,
        opened(browser, f"{address}/sign-in?next={path}", **how) as page,
    ):
        page.fill("input[name=token]", token)
        page.click("main button[type=submit]")
        page.wait_for_url(f"**{path}")
        yield page


def until(page, expression, arg=None, timeout_s=30):
    """Wait until an expression, or a function of ``arg``, holds.

    Playwright's own ``wait_for_function`` evaluates text in the page, which its policy forbids.
    """
    end = time.monotonic() + timeout_s
    while not page.evaluate(expression, arg):
        assert time.monotonic() < end, f"{expression} does not hold for {arg}"
        page.wait_for_timeout(20)


def wait_so(page, is_so, timeout_s=30):
    """Wait, while the page works, until something that the test sees elsewhere is so."""
    end = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < end, "it does not come to be so"
        page.wait_for_timeout(20)


def is_breach(said):
    """Tell whether the console speaks of the Content-Security-Policy."""
    return "Content Security Policy" in said.text


class _Quiet(WSGIRequestHandler):
    def log_request(self, code="-", size="-"):
        """Leave a failing test's report to what failed."""
