"""What an annotator sees and presses: a real Chromium on the labeling page of a real Label Studio.

The clips are a synthesized street. ``EARMARK_SCREENSHOTS=DIR`` keeps pictures there, to look at.
"""

import csv
import os
import re
import shutil
from pathlib import Path

import pytest

from importer.streets import make_street_set
from tests.live.served import Earmark

pytestmark = pytest.mark.browser

N_CLIPS = 40
N_LABELS = 12
SIZES = ((1400, 950), (1000, 800))
OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def chromium():
    path = shutil.which("chromium")
    assert path, "There is no `chromium` on the PATH; on Debian, install the package `chromium`."
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def earmark(studio, tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    with Earmark(studio, folder, EARMARK_EMBEDDER="melstats") as started:
        yield started


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    return make_street_set(tmp_path_factory.mktemp("street"), n_clips=N_CLIPS)


@pytest.fixture(scope="module")
def project_id(earmark, street):
    """A project of the street's clips, some of them labeled, so that a classifier exists."""
    report = earmark.tell("setup", "--title", "Street sounds", "--labels", "siren,other")
    project_id = report["project_id"]
    earmark.tell("import", street, "--project", str(project_id))
    earmark.wait_for_order(project_id, N_CLIPS)
    with street.open(encoding="utf-8") as file:
        is_siren = {row["file"]: row["label"] == "siren" for row in csv.DictReader(file)}
    for _ in range(N_LABELS):
        task = earmark.label_studio.next_task(project_id)
        said = "siren" if is_siren[task["data"]["clip"]] else "other"
        result = {"from_name": "sound", "to_name": "audio", "type": "choices"}
        value = {"value": {"choices": [said]}}
        earmark.label_studio.annotate(task["id"], [result | value])
    status = earmark.wait_for_labels(project_id, N_LABELS)
    assert all(status["labels"].values()), status["labels"]
    return project_id


@pytest.fixture
def page(chromium, studio, project_id):
    """The labeling page, as it looks after a login and a press of Label All Tasks."""
    context = chromium.new_context(viewport={"width": 1400, "height": 950})
    page = context.new_page()
    page.goto(f"{studio.url}/user/login/")
    page.fill("[name=email]", studio.credentials.username)
    page.fill("[name=password]", studio.credentials.password)
    page.click("button[type=submit]")
    page.wait_for_url(re.compile("/(projects)?/?$"))
    page.goto(f"{studio.url}/projects/{project_id}/data")
    page.get_by_role("button", name="Label All Tasks").click()
    page.get_by_role("button", name="Close modal").click()
    page.locator(".lsf-choices").wait_for()
    yield page
    context.close()


@pytest.fixture
def pictures(tmp_path):
    folder = Path(os.environ.get("EARMARK_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def head(earmark, project_id, page):
    """The first two tasks of the order; the page must show the first."""
    first, second = earmark.order(project_id)[:2]
    tasks = {task["id"]: task["data"] for task in earmark.label_studio.tasks(project_id)}
    return tasks[first], tasks[second]


def in_words(value):
    return f"{value:g}" if isinstance(value, float) else str(value)


def choice(page, name):
    return page.locator(f".lsf-choices input[name={name}]")


def test_the_page_shows_the_clip_and_what_the_classifier_makes_of_it(
    page, head, earmark, project_id
):
    data, _ = head
    page.get_by_text(data["clip"]).first.wait_for()
    spectrogram = page.wait_for_function(
        "[...document.images].map(i => [i.naturalWidth, i.naturalHeight]).find(s => s[0] > 1000)"
    )
    assert spectrogram.json_value() == [1200, 220]
    for number, name in enumerate(("siren", "other"), start=1):
        assert page.locator(".lsf-choice__item", has_text=f"{name}[{number}]").is_visible()
    rows = page.locator(".ant-table-row").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.innerText))"
    )
    assert dict(rows) == {name: in_words(value) for name, value in data["meta"].items()}
    assert "label" not in dict(rows)
    judgment = page.locator(".lsf-text-area").inner_text()
    assert re.search(r"siren 0\.\d\d .* entropy [01]\.\d\d .* place 1 of \d\d", judgment), judgment
    likelier = re.match(r"\w+", judgment)[0]
    assert choice(page, likelier).is_checked()


def test_space_plays_the_clip(page, head):
    data, _ = head
    page.wait_for_function("document.querySelector('audio')?.duration > 0")
    assert page.evaluate("document.querySelector('audio').duration") == data["duration_s"]
    assert page.locator(".lsf-timer-duration-control, .lsf-time-box").first.is_visible()
    page.keyboard.press("Space")
    page.wait_for_function("document.querySelector('audio').currentTime > 0.5")


def test_a_key_chooses_and_submitting_brings_the_next_task_of_the_order(
    page, head, earmark, project_id
):
    first, second = head
    page.get_by_text(first["clip"]).first.wait_for()
    page.keyboard.press("1")
    assert choice(page, "siren").is_checked()
    page.keyboard.press("2")
    assert choice(page, "other").is_checked()
    assert not choice(page, "siren").is_checked()
    before = earmark.model_version(project_id)
    page.keyboard.press("Control+Enter")
    page.get_by_text(second["clip"]).first.wait_for()
    earmark.wait_for_labels(project_id, N_LABELS + 1)
    assert earmark.model_version(project_id) != before


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_nothing_is_cut_off_or_left_light_in_the_dark(page, head, pictures, theme):
    page.evaluate("theme => localStorage.setItem('preferred-color-scheme', theme)", theme)
    page.reload()
    page.get_by_role("button", name="Close modal").click()
    page.wait_for_function("document.querySelector('audio')?.duration > 0")
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(500)
        page.screenshot(path=pictures / f"labeling-{theme.lower()}-{width}.png")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        submit = page.get_by_role("button", name="Submit current annotation").bounding_box()
        assert submit["y"] + submit["height"] <= height
    cell = page.locator(".ant-table-cell").first
    background = cell.evaluate("cell => getComputedStyle(cell).backgroundColor")
    assert background == "rgba(0, 0, 0, 0)"
