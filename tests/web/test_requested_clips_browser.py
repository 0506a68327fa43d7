"""What is asked for first, on the progress page and on the map, in a real Chromium.

``EARMARK_SCREENSHOTS=DIR`` keeps pictures there, to look at.
"""

import os
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from ml_backend.store.queue import Wanted
from tests.browsing import signed_in, until
from tests.seeing import SeenProject
from tests.visiting import TOKEN

pytestmark = pytest.mark.browser

WEATHER = ("rain, hail", "a..b", "~snow", None)
ROWS = [
    {
        "clip": f"clip {row}.wav",
        "salience": 1 + row % 3,
        "level db": -row / 10,
        "recorded_at": f"2024-05-0{1 + row % 4}T{(row * 5) % 24:02d}:15:00",
        "weather": WEATHER[row % 4],
        "wet": row % 5 == 0,
    }
    for row in range(60)
]
NIGHT = "salience == 1 and hour(recorded_at) >= 20"
VISIBLE = """async () => {
  const page = document.querySelector('script[src*="map_page.js"]').src;
  const { state } = await import(page.replace("map_page.js", "data/state.js"));
  const { clipData } = await import(page.replace("map_page.js", "data/clip_data.js"));
  const { visible, selection } = state.get();
  if (selection.length) return selection;
  return visible && [...clipData.ids].filter((_, row) => visible[row]);
}"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    made = SeenProject(tmp_path_factory.mktemp("seen"), len(ROWS), data=ROWS)
    for row in range(12):
        made.label(row)
    made.follow()
    made.fit_maps()
    return made


@pytest.fixture
def visit(browser, project):
    """Sign in and open a page of the project."""
    with ExitStack() as stack:

        def visit(more="", **how):
            path = f"/projects/{project.project_id}{more}"
            app = project.place.app
            return stack.enter_context(signed_in(browser, app, path, TOKEN, **how))

        yield visit
        project.store.queue.forget(project.project_id)


def ask_first(project, where=None, task_ids=None):
    project.store.queue.ask(
        project.project_id, Wanted(where, task_ids, "ada@studio.test", time.time())
    )


def keep_picture(page, name):
    if folder := os.environ.get("EARMARK_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"requested-first-{name}.png")


def test_it_comes_and_goes_on_the_progress_page_without_a_reload(visit, project):
    page = visit()
    assert not page.is_visible("#requested-first")
    ask_first(project, where=NIGHT)
    page.wait_for_selector("#requested-first:not([hidden])")
    words = page.inner_text("#requested-first")
    assert NIGHT in words
    assert "ada@studio.test" in words
    keep_picture(page, "progress")
    page.get_by_role("button", name="Withdraw the request").click()
    page.get_by_role("button", name="Cancel").click()
    assert project.store.queue.wanted(project.project_id).where == NIGHT
    page.get_by_role("button", name="Withdraw the request").click()
    keep_picture(page, "question")
    page.get_by_role("dialog").get_by_role("button", name="Withdraw it").click()
    page.wait_for_selector("#requested-first", state="hidden")
    assert project.store.queue.wanted(project.project_id) is None
    assert page.evaluate("document.activeElement.id") == "main"
    page.locator(".notice").get_by_text("The request is withdrawn").wait_for()


def test_without_a_script_nothing_is_offered_that_needs_one(visit, project):
    ask_first(project, where=NIGHT)
    page = visit(java_script_enabled=False)
    assert NIGHT in page.inner_text("#requested-first")
    assert not page.get_by_role("button", name="Withdraw the request").is_visible()


def test_the_link_opens_the_map_on_exactly_the_clips_still_to_label(visit, project):
    page = visit()
    conditions = {
        NIGHT: lambda row: row["salience"] == 1 and hour(row) >= 20,
        "8 <= hour(recorded_at) < 20": lambda row: 8 <= hour(row) < 20,
        "-3.5 <= `level db` <= -1.3": lambda row: -3.5 <= row["level db"] <= -1.3,
        "weather in ['a..b', '~snow']": lambda row: row["weather"] in ("a..b", "~snow"),
        "weather == 'rain, hail' and wet": lambda row: row["weather"] == WEATHER[0] and row["wet"],
        "wet == False": lambda row: not row["wet"],
        "salience > 1 or wet": lambda row: row["salience"] > 1 or row["wet"],
    }
    for condition, holds in conditions.items():
        ask_first(project, where=condition)
        is_left = [row >= 12 and holds(said) for row, said in enumerate(ROWS)]
        left = [project.task_ids[row] for row in np.flatnonzero(is_left)]
        page.goto(page.url.partition("/map")[0])
        link = page.locator("#requested-first a")
        assert link.inner_text() == f"Open all {len(left)} on the map"
        assert ("#sel=" in link.get_attribute("href")) == (" or " in condition)
        link.click()
        page.wait_for_selector("body[data-ready=yes]")
        until(page, f"async () => (await ({VISIBLE})()) !== null")
        assert page.evaluate(VISIBLE) == left, condition


def hour(row):
    return int(row["recorded_at"][11:13])


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 1000)])
def test_the_map_tells_it_beside_the_buttons_and_follows(visit, project, scheme, width):
    page = visit("/map", color_scheme=scheme, viewport={"width": width, "height": 900})
    page.wait_for_selector("body[data-ready=yes]")
    line = page.locator("#table .requested-first")
    assert not line.is_visible()
    ask_first(project, task_ids=tuple(project.task_ids[10:22]))
    line.get_by_text("12 requested first, 2 labeled").wait_for()
    assert line.get_attribute("title") == "Chosen clips, requested by ada@studio.test"
    keep_picture(page, f"map-{scheme}")
    page.locator(f"#clip-{project.task_ids[0]} .tick").click()
    page.get_by_role("button", name="Label this one next").click()
    line.get_by_text("1 requested first, all labeled").wait_for()
    page.get_by_role("button", name="Withdraw the request").click()
    page.get_by_role("dialog").get_by_role("button", name="Withdraw it").click()
    line.wait_for(state="hidden")
    page.wait_for_timeout(1500)  # what the server says next must not bring it back
    assert not line.is_visible()
    assert project.store.queue.wanted(project.project_id) is None
