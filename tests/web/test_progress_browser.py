"""The progress page in a real Chromium: kept true, legible in light and dark, without script too.

``EARMARK_SCREENSHOTS=DIR`` keeps pictures there, to look at.
"""

import os
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from ml_backend.learning.round_input import learned_version
from ml_backend.loop.pinned_version import pinned_version
from tests.browsing import signed_in
from tests.progressing import Project
from tests.visiting import TOKEN

pytestmark = pytest.mark.browser

# The contrast of every text with what is painted behind it (WCAG 2, relative luminance).
FAINT_TEXTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const linear = (c) => c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4;
    const [x, y, z] = [r, g, b].map(linear);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const color = rgba(getComputedStyle(one).backgroundColor);
      if (color[3] > 250) return color;
    }
    return [255, 255, 255, 255];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || !one.checkVisibility() || one.closest(".skip, .unseen, title, desc")) continue;
    const style = getComputedStyle(one);
    const ink = light(rgba(one.closest("svg") ? style.fill : style.color));
    const paper = light(ground(one));
    const contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    if (contrast < 4.5) faint.push(`${text} ${contrast.toFixed(2)}`);
  }
  return faint;
}"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    made = Project(tmp_path_factory.mktemp("street"), ("siren", "dog bark", "children playing"))
    made.studio.annotate(made.task_ids[-1], by=2)
    made.studio.annotate(made.task_ids[-2], skipped=True)
    made.studio.annotate(made.task_ids[-3], "siren", control="a_control_of_another_name")
    for number, name in enumerate(("siren", "dog bark"), start=1):
        made.studio.annotate(made.task_ids[-4], name, by=number)
    for number in (1, 2, 1, 2):
        made.label(15, by=number)
    return made


@pytest.fixture
def visit(browser, project):
    """Sign in and open the page."""
    with ExitStack() as stack:

        def visit(**how):
            app, path = project.place.app, project.address()
            page = stack.enter_context(signed_in(browser, app, path, TOKEN, **how))
            page.wait_for_selector("#now")
            return page

        yield visit


def keep_picture(page, name):
    if folder := os.environ.get("EARMARK_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"progress-{name}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 1000, 420])
def test_it_is_legible_and_fits(visit, scheme, width):
    page = visit(color_scheme=scheme, viewport={"width": width, "height": 900})
    keep_picture(page, f"{scheme}-{width}")
    assert page.evaluate(FAINT_TEXTS) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


NAMES_IN_FIVE_SCRIPTS = (
    *("siren", "dog bark", "Kinder, die spielen", "дрель", "отбойный молоток", "汽车喇叭", "空调"),
    *("街头音乐", "صفارة الإنذار", "نباح كلب", "ילדים משחקים", "מזגן", "エンジンのアイドリング"),
    *("銃声", "very_long_class_name_of_an_industrial_compressor_start", "jackhammer"),
    *("car horn", "street music", "gun shot", "air conditioner"),
)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    made = Project(tmp_path_factory.mktemp("many"), NAMES_IN_FIVE_SCRIPTS, n_clips=300)
    for number in (1, 2):
        made.label(100, by=number)
    return made


@pytest.mark.parametrize("width", [1400, 420])
def test_twenty_classes_in_five_scripts_fit(browser, many, width):
    size = {"width": width, "height": 900}
    with signed_in(browser, many.place.app, many.address(), TOKEN, viewport=size) as page:
        page.wait_for_selector(".confusion")
        keep_picture(page, f"many-{width}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        matrix = page.locator("#confusion .scroll")
        hidden = matrix.evaluate("one => one.scrollWidth - one.clientWidth")
        names = page.locator("#confusion tbody th").all_inner_texts()
        assert names == list(NAMES_IN_FIVE_SCRIPTS)
        if width > 1000:
            assert hidden <= 0
            return
        first = page.locator("#confusion tbody th").first
        before = first.bounding_box()["x"]
        matrix.evaluate("one => (one.scrollLeft = 150)")
        assert abs(first.bounding_box()["x"] - before) <= 1, (
            "the names stay beside what is scrolled"
        )


@pytest.mark.parametrize("which", ["project", "many"])
def test_no_hole_is_left_between_the_panels(browser, request, which):
    shown = request.getfixturevalue(which)
    size = {"width": 1400, "height": 900}
    with signed_in(browser, shown.place.app, shown.address(), TOKEN, viewport=size) as page:
        page.wait_for_selector("#now")
        boxes = page.locator(".sheet .panel:not([hidden])").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect())"
            ".map(({ left, right, top, bottom }) => [left, right, top, bottom])"
        )
    left, right = min(box[0] for box in boxes), max(box[1] for box in boxes)
    places = [(x, y) for x in np.arange(left + 40, right, 40) for y in np.arange(boxes[0][2], max(
        box[3] for box in boxes), 20)]  # fmt: skip
    gap = 7  # half of what is between panels
    bare = [
        (x, y)
        for x, y in places
        if not any(lo - gap <= x <= hi + gap and t - gap <= y <= b + gap for lo, hi, t, b in boxes)
    ]
    assert bare == []


def test_versions_without_a_measurement_are_folded_away(browser, tmp_path):
    made = Project(tmp_path)
    made.label(12)
    for _ in range(3):
        made.label(1)
    with signed_in(browser, made.place.app, made.address(), TOKEN) as page:
        page.wait_for_selector("#versions")
        folded = page.locator("#unmeasured")
        n_folded = folded.locator("tbody tr").count()
        assert n_folded > 0
        assert folded.locator("summary").inner_text() == f"{n_folded} more, not measured"
        assert not folded.locator("tbody tr").first.is_visible()
        shown = page.locator("#versions tbody tr:visible")
        told = shown.all_inner_texts()
        assert all("not measured" not in row or "current" in row.split() for row in told)
        folded.locator("summary").click()
        assert folded.get_by_role("button", name="Pin").count() == n_folded


def test_it_follows_what_happens_and_leaves_the_visitor_in_peace(visit, project):
    page = visit()
    page.click("#curve-table summary")
    page.focus("#curve-table summary")
    page.evaluate("window.isTheSamePage = true")
    project.label(10)
    page.wait_for_function(
        "n => document.querySelector('#versions').innerText.includes(n)",
        arg=f"earmark-{project.n_labeled}-",
    )
    assert page.evaluate("window.isTheSamePage")
    assert page.is_visible("#curve-table table")
    assert page.evaluate("document.activeElement.textContent") == "The curve as a table"
    times = page.locator("#rounds time").all_inner_texts()
    assert all("2023" in one and "T" not in one for one in times)


def test_a_backend_that_is_gone_is_told(visit):
    page = visit()
    page.context.set_offline(True)
    page.wait_for_selector("#trouble:not([hidden])")
    assert "does not answer" in page.inner_text("#trouble")
    page.context.set_offline(False)
    page.wait_for_selector("#trouble", state="hidden")


def test_without_a_script_it_reads_and_goes_back(visit, project):
    page = visit(java_script_enabled=False)
    assert "Learning curve" in page.text_content("#quality svg title")
    early = page.locator("#versions tbody tr").last
    name = early.locator("code").inner_text()
    early.get_by_role("button").click()
    project.round()
    page.reload()
    assert learned_version(page.locator("#now code").first.inner_text()) == name
    page.get_by_role("button", name="Unpin").click()
    project.round()
    page.reload()
    assert page.get_by_role("button", name="Unpin").count() == 0


def test_making_a_version_current_again_asks_first(visit, project):
    page = visit()
    early = page.locator("#versions tbody tr").last
    name, button = early.locator("code").inner_text(), early.get_by_role("button")
    button.click()
    question = page.get_by_role("dialog", name=f"Pin {name}?")
    assert "for everybody" in question.inner_text()
    keep_picture(page, "question")
    question.get_by_role("button", name="Cancel").click()
    assert pinned_version(project.store, project.project_id) is None
    button.click()
    question.get_by_role("button", name="Pin it").click()
    page.locator(".pinned").get_by_text(name).wait_for()
    assert pinned_version(project.store, project.project_id) == name
    project.round()
    page.get_by_text("not for the pinned version").wait_for()
    keep_picture(page, "kept")
    page.locator(".pinned").get_by_role("button", name="Unpin").click()
    page.get_by_role("dialog").get_by_role("button", name="Unpin").click()
    page.locator(".pinned").wait_for(state="detached")
    assert pinned_version(project.store, project.project_id) is None
    project.round()


def test_it_can_be_used_with_the_keyboard_alone(visit):
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.outerHTML"))
    wanted = page.locator("main a, main button, main summary").evaluate_all(
        "all => all.map(one => one.outerHTML)"
    )
    assert set(wanted) <= reached
