"""What an annotator sees and presses: a real Chromium on the labeling page of a real Label Studio.

The clips are a synthesized street. ``EARMARK_SCREENSHOTS=DIR`` keeps pictures there, to look at.
"""

import csv
import io
import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from importer.demo.streets import make_street_set
from ml_backend.audio.spectrogram import BOTTOM, LEFT, RIGHT, TOP
from ml_backend.label_studio.label_config import label_config_xml, parse_label_config
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
        shown = ["--hide-scrollbars"]  # people's browsers show them
        browser = playwright.chromium.launch(
            executable_path=path, args=OPTIONS, ignore_default_args=shown
        )
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
    project_id = earmark.set_up("Street sounds", street, n_clips=N_CLIPS)
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


@contextmanager
def signed_in(chromium, studio):
    context = chromium.new_context(viewport={"width": 1400, "height": 950})
    page = context.new_page()
    page.goto(f"{studio.url}/user/login/")
    page.fill("[name=email]", studio.credentials.username)
    page.fill("[name=password]", studio.credentials.password)
    page.click("button[type=submit]")
    page.wait_for_url(re.compile("/(projects)?/?$"))
    yield page
    context.close()


@contextmanager
def labeling(chromium, studio, project_id):
    """The labeling page, as it looks after a login and a press of Label All Tasks."""
    with signed_in(chromium, studio) as page:
        page.goto(f"{studio.url}/projects/{project_id}/data")
        page.get_by_role("button", name="Label All Tasks").click()
        page.get_by_role("button", name="Close modal").click()
        page.locator(".lsf-choices").first.wait_for()
        yield page


@pytest.fixture
def page(chromium, studio, project_id):
    with labeling(chromium, studio, project_id) as page:
        yield page


def task_shown(page):
    return page.evaluate("Htx.task?.id")


def wait_for_another(page, task_id):
    """Wait until the page shows another task than this one, whole."""
    page.wait_for_function(
        "past => Htx.task && Htx.task.id !== past && Htx.annotationStore.selected"
        " && !Htx.isLoading && !Htx.isSubmitting && document.querySelector('.lsf-choices')",
        arg=task_id,
    )


def chosen(page):
    """The labels that are on, as the page shows them."""
    return page.locator(".lsf-choices input:checked").evaluate_all("all => all.map(i => i.name)")


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


@pytest.fixture(scope="module")
def fresh(earmark, street):
    """Another project of the same clips; nobody has labeled anything in it."""
    return earmark.set_up("A newcomer's", street, n_clips=N_CLIPS)


def test_the_first_thirty_labels_by_keys_are_thirty_labels(
    chromium, studio, earmark, fresh, street
):
    with street.open(encoding="utf-8") as file:
        key_of = {row["file"]: "12"[row["label"] != "siren"] for row in csv.DictReader(file)}
    files = {task["id"]: task["data"]["clip"] for task in earmark.label_studio.tasks(fresh)}
    n_confirmed = 0
    with labeling(chromium, studio, fresh) as page:
        for number in range(30):
            task_id = task_shown(page)
            key = key_of[files[task_id]]
            name = {"1": "siren", "2": "other"}[key]
            n_confirmed += chosen(page) == [name]
            page.keyboard.press(key)
            assert chosen(page) == [name]
            page.keyboard.press("Enter" if number % 2 else "Control+Enter")
            wait_for_another(page, task_id)
    assert n_confirmed >= 5
    status = earmark.wait_for_labels(fresh, 30)
    assert sum(status["labels"].values()) == 30
    said = [task["annotations"][0] for task in earmark.label_studio.annotated_tasks(fresh)]
    assert [len(annotation["result"]) for annotation in said] == [1] * 30


def test_the_key_of_what_is_chosen_keeps_it_and_undo_brings_back_what_was(page):
    page.wait_for_function("document.querySelector('.lsf-choices input:checked')")
    (guess,) = chosen(page)
    key, other = {"siren": "12", "other": "21"}[guess]
    page.keyboard.press(key)
    assert chosen(page) == [guess]
    for _ in range(3):
        page.keyboard.press(other)
    assert chosen(page) != [guess]
    for _ in range(6):  # each press is two steps: cleared, chosen
        page.keyboard.press("Control+z")
    assert chosen(page) == [guess]


def test_without_a_label_nothing_is_submitted_and_the_page_says_what_is_missing(page):
    page.wait_for_function("document.querySelector('.lsf-choices input:checked')")
    task_id = task_shown(page)
    page.keyboard.press("1")
    page.keyboard.press("Control+z")
    assert chosen(page) == []
    told = "getComputedStyle(document.querySelector('.lsf-choices'), '::after').content"
    assert page.evaluate(told) == '"Choose what you hear."'
    page.keyboard.press("Control+Enter")
    page.get_by_text("Choose a label, or skip the clip.").wait_for()
    assert task_shown(page) == task_id


def test_an_annotation_carries_no_figures_of_the_prediction(page, head, earmark, project_id):
    page.wait_for_function("document.querySelector('.lsf-choices input:checked')")
    assert "entropy" in page.locator(".lsf-text-area").inner_text()
    task_id, guess = task_shown(page), chosen(page)
    page.keyboard.press("Enter")  # accepts the guess as it is
    wait_for_another(page, task_id)
    (annotation,) = earmark.label_studio.annotations(task_id)
    (result,) = annotation["result"]
    assert (result["from_name"], result["value"]) == ("sound", {"choices": guess})
    assert "meta" not in result
    earmark.label_studio.delete_annotation(annotation["id"])


def scroll_bars(page):
    """The heights of the scroll bars in the player."""
    return page.locator(".lsf-audio-tag div").evaluate_all(
        "all => all.map(one => one.offsetHeight - one.clientHeight).filter(height => height > 4)"
    )


def geometry(page):
    return page.evaluate(
        "['.sound img', '.lsf-audio-tag canvas'].map(which => {"
        "  const {x, y, width, height} = document.querySelector(which).getBoundingClientRect();"
        "  return [x, y, width, height] })"
    )


@pytest.mark.parametrize(
    ("theme", "width"), [("Light", 1900), ("Dark", 1400), ("Light", 1000), ("Dark", 900)]
)
def test_spectrogram_and_waveform_share_a_time_axis_and_the_playhead_crosses_both(
    page, head, theme, width
):
    data, _ = head
    page.evaluate("theme => localStorage.setItem('preferred-color-scheme', theme)", theme)
    page.set_viewport_size({"width": width, "height": 900})
    page.reload()
    page.get_by_role("button", name="Close modal").click()
    page.wait_for_function("document.querySelector('audio')?.duration > 0")
    page.wait_for_function("document.querySelector('.sound img')?.naturalWidth === 1200")
    page.wait_for_timeout(1000)
    assert scroll_bars(page) == []
    picture, canvas = geometry(page)
    left = picture[0] + picture[2] * LEFT / 1200
    right = picture[0] + picture[2] * (1 - RIGHT / 1200)
    assert canvas[0] == pytest.approx(left, abs=1)
    assert canvas[0] + canvas[2] == pytest.approx(right, abs=1)
    assert canvas[1] < picture[1] + TOP
    assert canvas[1] + canvas[3] == pytest.approx(picture[1] + picture[3] - BOTTOM, abs=1)
    x, y = left + 0.4 * (right - left), canvas[1] + canvas[3] / 2
    page.mouse.click(x, y)
    page.mouse.move(x, canvas[1] + 400)
    page.wait_for_timeout(500)
    time_s = page.evaluate("document.querySelector('audio').currentTime")
    assert time_s == pytest.approx(0.4 * data["duration_s"], abs=0.02)
    screen = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("L"), float)
    plot = screen[int(picture[1]) + TOP + 6 : int(picture[1] + picture[3]) - BOTTOM - 2]
    is_bright = (plot > 245).mean(axis=0) > 0.95  # no sound is as bright from top to bottom
    found = np.flatnonzero(is_bright[int(left) + 3 : int(right) - 3]) + int(left) + 3
    assert 1 <= len(found) <= 4
    assert found.mean() == pytest.approx(x, abs=3)


def test_the_side_panels_are_folded_until_somebody_points_at_them(page):
    panel = page.locator(".lsf-sidepanels__wrapper_align_right")
    assert panel.bounding_box()["width"] <= 24
    panel.hover()
    page.wait_for_timeout(100)
    assert panel.bounding_box()["width"] <= 24  # not when the pointer only passes
    page.wait_for_timeout(900)
    assert panel.bounding_box()["width"] > 200
    page.mouse.move(10, 300)
    page.wait_for_timeout(100)
    assert panel.bounding_box()["width"] <= 24


def test_of_several_labels_none_is_a_step_of_its_own(chromium, studio, earmark, street):
    project_id = earmark.set_up("Several", street, n_clips=N_CLIPS, is_multi=True)
    with labeling(chromium, studio, project_id) as page:
        first = task_shown(page)
        page.keyboard.press("1")
        page.keyboard.press("2")
        page.keyboard.press("1")
        assert chosen(page) == ["other"]
        page.keyboard.press("Enter")
        wait_for_another(page, first)
        second = task_shown(page)
        for name in chosen(page):
            page.keyboard.press({"siren": "1", "other": "2"}[name])
        page.keyboard.press("Enter")
        page.wait_for_timeout(1000)
        assert task_shown(page) == second
        page.keyboard.press("Escape")
        page.keyboard.press("n")
        page.keyboard.press("n")
        assert chosen(page) == ["none of them"]
        page.keyboard.press("Enter")
        wait_for_another(page, second)
    said = {
        task_id: [
            (one["from_name"], one["value"]["choices"])
            for one in earmark.label_studio.annotations(task_id)[0]["result"]
        ]
        for task_id in (first, second)
    }
    assert said == {first: [("sound", ["other"])], second: [("none", ["none of them"])]}
    status = earmark.wait_for_labels(project_id, 2)
    assert status["labels"]["other"] == 1


SOUND = '<Audio name="audio" value="$audio"/>'
QUESTION = '<Choices name="sound" toName="audio"{more}>{choices}</Choices>'


def asked(*keys, more="", above=""):
    choices = "".join(
        f'<Choice value="class {number}"' + (f' hotkey="{key}"/>' if key else "/>")
        for number, key in enumerate(keys)
    )
    return f"<View>{SOUND}{above}{QUESTION.format(more=more, choices=choices)}</View>"


def test_label_studio_hands_out_the_keys_that_are_told(chromium, studio, api, title):
    configs = [
        asked("", "", ""),
        asked("", "1", ""),
        asked("Q", "3", ""),
        asked("2", "2", ""),
        asked("f,g", "", "shift+a"),
        asked(*[""] * 35),
        asked("", "", above='<Rating name="quality" toName="audio"/>'),
        asked("", "", above='<Number name="n" toName="audio"/><Filter name="f" toName="sound"/>'),
        label_config_xml([f"class {number}" for number in range(27)], multi_label=False),
        label_config_xml([f"class {number}" for number in range(27)], multi_label=True),
    ]
    read_keys = """() => {
        const found = [];
        Htx.annotationStore.selected.traverseTree((tag) => {
            if (tag?.type === 'choice' && tag.parent.name === 'sound' && tag._value)
                found.push((tag.hotkey ?? '').trim().toLowerCase().split(',')[0]);
        });
        return found;
    }"""
    with signed_in(chromium, studio) as page:
        for xml in configs:
            project = api.post("/api/projects", json={"title": title, "label_config": xml}).json()
            tasks = [{"data": dict.fromkeys(("audio", "spectrogram", "clip"), "") | {"meta": {}}}]
            api.post(f"/api/projects/{project['id']}/import", json=tasks).raise_for_status()
            found = api.get("/api/tasks", params={"project": project["id"]}).json()["tasks"]
            page.goto(f"{studio.url}/projects/{project['id']}/data?task={found[0]['id']}")
            page.locator(".lsf-choices").first.wait_for()
            assert tuple(page.evaluate(read_keys)) == parse_label_config(xml).hotkeys, xml


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_nothing_is_cut_off_or_left_light_in_the_dark(page, head, pictures, theme):
    page.evaluate("theme => localStorage.setItem('preferred-color-scheme', theme)", theme)
    page.reload()
    page.get_by_role("button", name="Close modal").click()
    page.wait_for_function("document.querySelector('audio')?.duration > 0")
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.mouse.move(10, 300)  # not on the folded panels
        page.wait_for_timeout(500)
        page.screenshot(path=pictures / f"labeling-{theme.lower()}-{width}.png")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        submit = page.get_by_role("button", name="Submit current annotation").bounding_box()
        assert submit["y"] + submit["height"] <= height
    cell = page.locator(".ant-table-cell").first
    background = cell.evaluate("cell => getComputedStyle(cell).backgroundColor")
    assert background == "rgba(0, 0, 0, 0)"
