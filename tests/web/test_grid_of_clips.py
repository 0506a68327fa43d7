"""The grid of a selection on the map page, in a real Chromium, over a small pool.

``EARMARK_SCREENSHOTS=DIR`` keeps pictures there, to look at.
"""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.browsing import opened, served, until
from tests.small_pool import CLASS_NAMES, SmallPool, create_small_app

pytestmark = pytest.mark.browser

SIREN, BARK, OTHER = CLASS_NAMES

REMEMBER_PLAYED = """
  window.played = [];
  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function () {
    window.played.push(Number(/clips\\/(\\d+)/.exec(this.src)[1]));
    return play.call(this);
  };
"""


@pytest.fixture
def visit(browser):
    """Serve a pool, select clips on its map, and open their grid."""
    with ExitStack() as stack:

        def visit(pool, task_ids, **how):
            address = stack.enter_context(served(create_small_app(pool)))
            page = stack.enter_context(opened(browser, f"{address}/blank", **how))
            page.add_init_script(REMEMBER_PLAYED)
            page.goto(f"{address}/projects/1/map?sel={','.join(map(str, task_ids))}")
            page.wait_for_selector("body[data-ready=yes]")
            until(page, "document.activeElement === document.body")
            page.get_by_role("button", name=f"Grid of {len(task_ids)}").wait_for()
            page.keyboard.press("g")
            page.locator(".tile").nth(len(task_ids) - 1).wait_for(state="attached")
            return page

        yield visit


@pytest.fixture
def pool():
    return SmallPool(600)


def free(pool, n):
    """Clips that nobody has answered."""
    return [int(i) for i in pool.ids if i not in pool.labels and i not in pool.skipped][:n]


def tile(page, task_id):
    return page.locator(f".tile[data-task='{task_id}']")


def wait_total(page, words):
    until(
        page, "words => document.querySelector('.clip-grid header p').textContent === words", words
    )


def selected(page):
    return page.evaluate(
        """async () => {
          const page = document.querySelector('script[src*="map_page.js"]').src;
          const { state } = await import(page.replace("map_page.js", "data/state.js"));
          return state.get().selection;
        }"""
    )


def test_one_key_labels_all_but_those_that_were_left_out(visit, pool):
    ids = free(pool, 30)
    out = [ids[2], ids[9]]
    page = visit(pool, ids)
    for task_id in (*out, ids[5], ids[5]):  # the last is taken in again
        tile(page, task_id).click()
    wait_total(page, "28 clips included, 2 excluded")
    page.keyboard.press("2")
    page.get_by_role("dialog", name=f"Label these 28 clips as {BARK}?").wait_for()
    page.keyboard.press("Enter")
    page.locator(".notice").get_by_text(f"28 clips: {BARK}.").wait_for()
    assert page.locator(".clip-grid").count() == 0
    assert all(pool.labels[i] == [BARK] for i in ids if i not in out)
    assert not any(i in pool.labels for i in out)
    assert selected(page) == out, "what is left of the cluster"
    page.keyboard.press("Control+z")
    page.locator(".notice").get_by_text("Undone: 28 clips.").wait_for()
    assert not any(i in pool.labels for i in ids)


def test_the_question_tells_what_is_labeled_and_keeps_it(visit, pool):
    labeled, ids = [int(i) for i in list(pool.labels)[:3]], free(pool, 5)
    before = dict(pool.labels)
    page = visit(pool, [*labeled, *ids])
    assert tile(page, labeled[0]).locator(".caption").inner_text() == before[labeled[0]][0]
    page.keyboard.press("3")
    page.get_by_text("3 of them are labeled already").wait_for()
    page.get_by_role("button", name="Label only the 5 without an answer").click()
    page.locator(".notice").get_by_text("5 clips: other.").wait_for()
    assert {i: pool.labels[i] for i in before} == before
    assert all(pool.labels[i] == [OTHER] for i in ids)


def test_calling_the_question_off_leads_back_to_the_grid(visit, pool):
    ids = free(pool, 4)
    page = visit(pool, ids)
    tile(page, ids[1]).click()
    page.keyboard.press("1")
    page.get_by_role("dialog", name="Label these 3 clips as siren?").wait_for()
    page.keyboard.press("Escape")
    wait_total(page, "3 clips included, 1 excluded")
    page.keyboard.press("Escape")
    assert page.locator(".clip-grid").count() == 0
    assert pool.said == []


def test_hovering_plays_the_clip_and_passing_over_it_does_not(visit, pool):
    ids = free(pool, 20)
    page = visit(pool, ids)
    page.mouse.move(5, 5)
    page.evaluate("window.played = []")
    for task_id in ids[:8]:  # in passing
        box = tile(page, task_id).bounding_box()
        page.mouse.move(box["x"] + 9, box["y"] + 9)
    until(page, "id => window.played.at(-1) === id", ids[7])
    assert page.evaluate("window.played.length") < 8
    assert tile(page, ids[7]).evaluate("tile => tile.classList.contains('playing')")
    page.mouse.move(5, 5)
    assert page.locator(".tile.playing").count() == 0


def test_it_is_done_by_keys_alone(visit, pool):
    ids = free(pool, 40)
    page = visit(pool, ids)
    columns = page.evaluate(
        "getComputedStyle(document.querySelector('.tiles')).gridTemplateColumns.split(' ').length"
    )
    focused = "document.activeElement.dataset.task"
    assert page.evaluate(focused) == str(ids[0])
    for key, place in [("ArrowRight", 1), ("ArrowDown", 1 + columns), ("End", 39), ("Home", 0)]:
        page.keyboard.press(key)
        assert page.evaluate(focused) == str(ids[place])
    page.keyboard.press(" ")
    until(page, "id => window.played.at(-1) === id", ids[0])
    page.keyboard.press("Enter")
    assert tile(page, ids[0]).get_attribute("aria-pressed") == "false"
    wait_total(page, "39 clips included, 1 excluded")
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(focused) == str(ids[0]), "one stop on the way of Tab"
    page.keyboard.press("s")
    page.get_by_role("dialog", name="Skip these 39 clips?").wait_for()
    page.keyboard.press("Enter")
    until(page, "document.querySelector('.clip-grid') === null")
    page.locator(".notice").get_by_text("39 clips: skipped.").wait_for()
    assert pool.skipped >= set(ids[1:])


def test_pictures_come_as_they_are_seen(visit, pool):
    ids = free(pool, 450)
    page = visit(pool, ids)
    until(page, "document.querySelectorAll('.tile img[src]').length > 20")
    page.wait_for_timeout(300)
    asked = [one for one in pool.asked if one.endswith("/thumbnail")]
    assert len(asked) < 250
    tile(page, ids[-1]).scroll_into_view_if_needed()
    until(
        page, "id => document.querySelector(`.tile[data-task='${id}'] img[src]`) !== null", ids[-1]
    )
    assert len([one for one in pool.asked if one.endswith("/thumbnail")]) > len(asked)


@pytest.mark.parametrize("out", ["x", "Control+ "])
def test_where_clips_have_several_labels_keys_switch_and_enter_labels(visit, out):
    pool = SmallPool(60, multi_label=True)
    ids = free(pool, 6)
    page = visit(pool, ids)
    assert page.get_by_role("button", name="Choose labels").is_disabled()
    for key in "123":
        page.keyboard.press(key)
    page.keyboard.press("2")
    page.get_by_role("button", name=f"Label as: {SIREN}, {OTHER}").wait_for()
    page.keyboard.press("ArrowRight")
    page.keyboard.press(out)
    wait_total(page, "5 clips included, 1 excluded")
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name=f"Label these 5 clips as {SIREN}, {OTHER}?").wait_for()
    page.keyboard.press("Enter")
    page.locator(".notice").get_by_text(f"5 clips: {SIREN}, {OTHER}.").wait_for()
    assert all(pool.labels[i] == [SIREN, OTHER] for i in ids if i != ids[1])
    assert ids[1] not in pool.labels


def test_none_of_them_is_said_of_a_whole_grid(visit):
    pool = SmallPool(60, multi_label=True)
    ids = free(pool, 6)
    page = visit(pool, ids)
    page.keyboard.press("n")
    page.get_by_role("dialog", name="Label these 6 clips as none of them?").wait_for()
    page.keyboard.press("Enter")
    page.locator(".notice").get_by_text("6 clips: none of them.").wait_for()
    assert all(pool.labels[i] == [] for i in ids)


def test_a_single_clip_has_no_grid(browser, pool):
    with (
        served(create_small_app(pool)) as address,
        opened(browser, f"{address}/projects/1/map?sel=10") as page,
    ):
        page.wait_for_selector("body[data-ready=yes]")
        assert page.get_by_role("button", name="Grid", exact=True).is_disabled()
        page.keyboard.press("g")
        assert page.locator(".clip-grid").count() == 0


@pytest.mark.parametrize("width", [420, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault_of_accessibility(visit, pool, scheme, width, tmp_path):
    from axe_playwright_python.sync_playwright import Axe

    ids = [int(i) for i in pool.ids[100:200]]
    page = visit(pool, ids, color_scheme=scheme, viewport={"width": width, "height": 900})
    for task_id in ids[3:6]:
        tile(page, task_id).click()
    page.wait_for_timeout(400)
    folder = Path(os.environ.get("EARMARK_SCREENSHOTS", tmp_path))
    page.screenshot(path=folder / f"grid-{scheme}-{width}.png")
    found = Axe().run(page, context=".clip-grid").response
    faults = [(one["impact"], one["id"], one["nodes"][0]["html"]) for one in found["violations"]]
    assert faults == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
