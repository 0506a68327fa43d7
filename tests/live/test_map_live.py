"""The story of the map: look at a street, hear it, label it, and have Label Studio ask for more.

A real Chromium on the pages of a real backend beside a real Label Studio. The clips are a
synthesized street; some of them were labeled by somebody else before the visitor arrives.
``EARMARK_SCREENSHOTS=DIR`` keeps pictures there, to look at.
"""

import csv
import io
import os
import time
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from PIL import Image

from importer.demo.streets import make_street_set
from tests.browsing import until
from tests.live.served import Earmark
from tests.live.test_loop_live import chosen, next_task

pytestmark = [pytest.mark.live, pytest.mark.browser]

N_CLIPS = 48
N_PER_CLASS = 6
WINDOW = {"width": 1400, "height": 950}
PATIENCE_S = 180
TOOLS_PX = 60
ZOOM_STEP = 1.6

# Players are not in the document: remember them as they are made.
REMEMBER_PLAYERS = """
  window.players = [];
  window.Audio = class extends window.Audio {
    constructor(...how) { super(...how); window.players.push(this); }
  };
"""

# What the page knows of its clips, one value per clip, from its own modules.
KNOWN = """async () => {
  const page = document.querySelector('script[src*="map_page.js"]').src;
  const { clipData } = await import(page.replace("map_page.js", "data/clip_data.js"));
  const { columns } = clipData.frame;
  const numbers = (name) => [...columns.get(name).values];
  const labels = [...columns.get("label").codes].map((code) => columns.get("label").names[code]);
  return {
    ids: [...clipData.ids], x: numbers("x"), y: numbers("y"), entropy: numbers("entropy"),
    rank: numbers("rank"), label: labels.map((name) => name ?? null),
  };
}"""

IS_FITTED = """async () => {
  const page = document.querySelector('script[src*="map_page.js"]').src;
  const { clipData } = await import(page.replace("map_page.js", "data/clip_data.js"));
  return clipData.frame.map.kind === "umap" && clipData.frame.map.progress === 1;
}"""

STATE = """async () => {
  const page = document.querySelector('script[src*="map_page.js"]').src;
  const { state } = await import(page.replace("map_page.js", "data/state.js"));
  const { selection, focus } = state.get();
  return { selection, focus };
}"""

# Texts and controls of which the middle, where it is in sight, shows something else.
COVERED = """() => {
  const inSight = (one, box) => {
    let { left, top, right, bottom } = box;
    const cut = (by) => {
      left = Math.max(left, by.left); right = Math.min(right, by.right);
      top = Math.max(top, by.top); bottom = Math.min(bottom, by.bottom);
    };
    cut({ left: 0, top: 0, right: innerWidth, bottom: innerHeight });
    for (let parent = one; parent; parent = parent.parentElement) {
      if (getComputedStyle(parent).overflow !== "visible") cut(parent.getBoundingClientRect());
    }
    return right - left > 3 && bottom - top > 3 ? [(left + right) / 2, (top + bottom) / 2] : null;
  };
  const things = [...document.querySelectorAll("button, a, input, select, summary, canvas")]
    .map((one) => [one, one.getBoundingClientRect(), one.outerHTML.slice(0, 120)]);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode;
    if (!text.textContent.trim()) continue;
    const range = document.createRange();
    range.selectNode(text);
    for (const box of range.getClientRects())
      things.push([text.parentElement, box, text.textContent]);
  }
  const covered = [];
  for (const [one, box, name] of things) {
    if (!one.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (one.closest(".unseen, .skip") || getComputedStyle(one).pointerEvents === "none") continue;
    const place = inSight(one, box);
    const hit = place && document.elementFromPoint(...place);
    if (!hit || one.contains(hit) || hit.contains(one)) continue;
    covered.push(`${name.trim()} is under ${hit.outerHTML.slice(0, 120)}`);
  }
  return covered;
}"""


class Story:
    """A project that has been worked on, and what Label Studio says of it."""

    def __init__(self, earmark, project_id, table):
        self.earmark, self.project_id, self.table = earmark, project_id, table
        self.label_studio = earmark.label_studio
        self.visitor_id = self.label_studio.whoami()["id"]
        self.path = f"{earmark.settings.backend_url}/projects/{project_id}"
        listed = self.label_studio.tasks(project_id)
        self.clips = {task["id"]: task["data"]["clip"] for task in listed}
        self.session = None

    def ids_where(self, column, value):
        return sorted(
            task_id for task_id, clip in self.clips.items() if self.table[clip][column] == value
        )

    def said(self, task_id):
        """What each user answered, as Label Studio tells it: user → labels."""
        return {
            one["completed_by"]: one["result"][0]["value"]["choices"]
            for one in self.label_studio.annotations(task_id)
        }

    def wait_said(self, task_ids, expected):
        deadline = time.monotonic() + PATIENCE_S
        while any(self.said(task_id) != expected for task_id in task_ids):
            assert time.monotonic() < deadline, [self.said(task_id) for task_id in task_ids]
            time.sleep(0.1)


@pytest.fixture(scope="module")
def story(studio, second_annotator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("story")
    street = make_street_set(folder / "street", n_clips=N_CLIPS)
    with street.open(encoding="utf-8") as file:
        table = {row["file"]: row for row in csv.DictReader(file)}
    with Earmark(studio, folder, EARMARK_EMBEDDER="melstats", EARMARK_QUIET_S="3600") as earmark:
        project_id = earmark.set_up("The street", street, n_clips=N_CLIPS)
        told = Story(earmark, project_id, table)
        sirens = told.ids_where("label", "siren")
        others = sorted(set(told.clips) - set(sirens))
        for label, task_ids in (("siren", sirens), ("other", others)):
            for task_id in task_ids[:N_PER_CLASS]:
                second_annotator.annotate(task_id, chosen(label))
        earmark.wait_for_labels(project_id, 2 * N_PER_CLASS)
        yield told


@pytest.fixture
def open_page(browser):
    """Open pages that must not complain: no error in the console, no breach of their policy."""
    contexts, complaints = [], []

    def listen(said):
        # A picture that a busy server put off is asked for again.
        if said.type == "error" and "503" not in said.text:
            complaints.append(f"{said.text} {said.location}")

    def open_page(address, session=None, **how):
        context = browser.new_context(**{"viewport": WINDOW, "storage_state": session, **how})
        context.set_default_timeout(PATIENCE_S * 1000)
        contexts.append(context)
        context.add_init_script(REMEMBER_PLAYERS)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", listen)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def visit(open_page, story):
    """Open the map as the visitor, who arrives by the link that `earmark map` prints."""

    def visit(query="", **how):
        if story.session is None:
            link = story.earmark.say("map", "--project", str(story.project_id)).strip()
            page = open_page(link)
            story.session = page.context.storage_state()
        page = open_page(f"{story.path}/map{query}", story.session, **how)
        wait_ready(page)
        return page

    return visit


def wait_ready(page):
    """Wait until the map is drawn, and is no mere sketch of it."""
    page.wait_for_selector("body[data-ready=yes]")
    wait_until(page, IS_FITTED)


def wait_until(page, expression, arg=None):
    until(page, expression, arg, timeout_s=PATIENCE_S)


def wait_total(page, words):
    total = "words => document.querySelector('#filters .total').textContent === words"
    wait_until(page, total, words)


def keep_picture(page, name):
    if folder := os.environ.get("EARMARK_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"story-{name}.png")


def known(page):
    told = page.evaluate(KNOWN)
    return SimpleNamespace(**{name: np.array(values) for name, values in told.items()})


def open_ids(page, n):
    """Some clips that nobody has labeled."""
    told = known(page)
    return [int(one) for one in told.ids[told.label == None][:n]]  # noqa: E711


def map_box(page):
    return page.locator("#map canvas").bounding_box()


def places_on_screen(page, zoom=1.0):
    """Where each clip is in the window while the map has not been moved, (n_clips, 2)."""
    box, told = map_box(page), known(page)
    scale = zoom * 0.94 * min(box["width"], box["height"])
    middle = np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])
    return middle + (np.column_stack([told.x, told.y]) - 0.5) * [scale, -scale]


def lonely(page, places):
    """Rows in the order of how far their nearest neighbor is, without those under the tools."""
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    rows = np.argsort(-apart.min(axis=1))
    return rows[places[rows, 0] > map_box(page)["x"] + TOOLS_PX]


def drag(page, *places):
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def selection(page):
    return page.evaluate(STATE)["selection"]


def focus(page):
    return page.evaluate(STATE)["focus"]


def notice(page, text):
    return page.locator(".notice").get_by_text(text)


def press_until(page, key, expression, arg=None):
    for _ in range(150):
        page.keyboard.press(key)
        if page.evaluate(expression, arg):
            return
    raise AssertionError(f"{key} does not lead to where {expression}")


# --- arriving ---


def test_the_printed_link_signs_in_once_and_leads_to_a_map_of_every_clip(story, open_page):
    link = story.earmark.say("map", "--project", str(story.project_id)).strip()
    page = open_page(link)
    wait_ready(page)
    assert page.url == f"{story.path}/map"
    story.session = page.context.storage_state()
    wait_total(page, f"All {N_CLIPS} clips")
    assert sorted(known(page).ids) == sorted(story.clips)
    page.reload()  # nothing is on its way from the sketch to its place
    wait_ready(page)
    places = places_on_screen(page)
    for row in lonely(page, places)[:3]:
        page.mouse.click(*places[row])
        clip = story.clips[int(known(page).ids[row])]
        page.get_by_role("heading", name=clip).wait_for()
    keep_picture(page, "arrived")
    assert httpx.get(link).status_code == 403, "it leads in once"


# --- looking ---


def test_entropy_colors_the_map(visit):
    page = visit()
    page.keyboard.press("c")
    page.keyboard.type("entropy")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("Enter")
    wait_until(page, "document.querySelector('#map').dataset.color === 'entropy'")
    page.mouse.move(5, 5)
    page.wait_for_timeout(300)
    keep_picture(page, "entropy")
    places, entropy = places_on_screen(page), known(page).entropy
    rows = [row for row in lonely(page, places)[:20] if np.isfinite(entropy[row])]
    sure, unsure = min(rows, key=lambda r: entropy[r]), max(rows, key=lambda r: entropy[r])
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    colors = [np.array(picture.getpixel(tuple(places[row].round()))) for row in (sure, unsure)]
    assert np.abs(colors[0] - colors[1]).max() > 15


def test_a_filter_hides_clips_from_the_count_the_lasso_and_the_box(visit, story):
    page = visit()
    wanted = story.ids_where("salience", "1")
    assert 0 < len(wanted) < N_CLIPS
    page.locator(".column-filter summary", has_text="salience").click()
    page.get_by_label("salience, to", exact=True).fill("1")
    page.keyboard.press("Enter")
    wait_total(page, f"{len(wanted)} of {N_CLIPS} clips")
    assert page.get_by_role("grid").get_attribute("aria-rowcount") == str(len(wanted) + 1)

    page.get_by_role("button", name="Zoom out").click()  # all clips lie beside the tools
    box = map_box(page)
    left, top = box["x"] + TOOLS_PX, box["y"] + 3
    right, bottom = box["x"] + box["width"] - 3, box["y"] + box["height"] - 3
    page.get_by_role("button", name="Lasso (L)").click()
    drag(page, (left, top), (right, top), (right, bottom), (left, bottom))
    assert selection(page) == wanted
    page.get_by_text(f"1 of {len(wanted)} selected").wait_for()
    keep_picture(page, "lasso")

    ids, places = known(page).ids, places_on_screen(page, zoom=1 / ZOOM_STEP)
    middle = (left + right) / 2
    inside = {int(one) for one in ids[(places[:, 0] < middle) & (places[:, 0] > left)]}
    page.get_by_role("button", name="Box (B)").click()
    drag(page, (left, top), (middle, bottom))
    assert selection(page) == sorted(inside & set(wanted))


def test_the_picked_clip_is_heard(visit):
    page = visit()
    places = places_on_screen(page)
    page.mouse.click(*places[lonely(page, places)[0]])
    wait_until(page, "players.some((audio) => audio.duration > 3.9)")
    page.keyboard.press("Space")
    wait_until(page, "players.some((audio) => audio.currentTime > 0.5)")
    assert page.get_by_role("button", name="Pause").is_visible()


# --- labeling ---


def test_a_number_labels_under_the_visitor_s_name_and_undo_takes_it_away(visit, story):
    page = visit()
    (task_id,) = open_ids(page, 1)
    page.locator(f"#clip-{task_id}").click()
    page.get_by_role("heading", name=story.clips[task_id]).wait_for()
    page.keyboard.press("1")
    story.wait_said([task_id], {story.visitor_id: ["siren"]})
    wait_until(page, "!document.querySelector('.labels-rest .quiet').disabled")
    page.keyboard.press("Control+z")
    notice(page, "Undone").wait_for()
    assert story.said(task_id) == {}


def test_what_one_visitor_labels_another_s_open_map_shows(visit, story):
    here, there = visit(), visit()
    (task_id,) = open_ids(here, 1)
    here.locator(f"#clip-{task_id}").click()
    here.get_by_role("heading", name=story.clips[task_id]).wait_for()
    for key, label in (("2", "other"), ("Control+z", None)):
        here.keyboard.press(key)
        deadline = time.monotonic() + PATIENCE_S
        while dict(zip(known(there).ids, known(there).label, strict=True))[task_id] != label:
            assert time.monotonic() < deadline, f"{label} does not arrive"
            there.wait_for_timeout(100)
    assert story.said(task_id) == {}


def test_several_are_labeled_after_a_question_and_taken_back_together(visit, story):
    page = visit()
    task_ids = open_ids(page, 3)
    page.locator(f"#clip-{task_ids[0]}").click()
    for task_id in task_ids[1:]:
        page.locator(f"#clip-{task_id}").click(modifiers=["Control"])
    page.get_by_role("heading", name=story.clips[task_ids[-1]]).wait_for()
    question = page.get_by_role("heading", name="Label these 3 clips as other?")
    page.keyboard.press("Shift+Digit2")
    question.wait_for()
    keep_picture(page, "question")
    page.keyboard.press("Escape")
    question.wait_for(state="detached")
    assert [story.said(task_id) for task_id in task_ids] == [{}] * 3
    page.keyboard.press("Shift+Digit2")
    page.get_by_role("button", name="Label 3 clips").click()
    notice(page, "3 clips: other.").wait_for()
    story.wait_said(task_ids, {story.visitor_id: ["other"]})
    page.locator(".notice").get_by_role("button", name="Undo").click()
    notice(page, "Undone").wait_for()
    assert [story.said(task_id) for task_id in task_ids] == [{}] * 3


def test_all_clips_are_labeled_but_those_that_somebody_answered(visit, story):
    page = visit()
    before = {task_id: story.said(task_id) for task_id in story.clips}
    free = [task_id for task_id, said in before.items() if not said]
    n_answered = len(before) - len(free)
    page.get_by_label("Select all that pass the filters, or none").check()
    page.locator(".labeling .target").wait_for()
    page.get_by_text(f"1 of {N_CLIPS} selected").wait_for()
    page.wait_for_timeout(1000)
    page.keyboard.press("Shift+Digit2")
    question = page.get_by_role("dialog", name=f"Label these {N_CLIPS} clips as other?")
    question.get_by_text(f"{n_answered} of them are labeled already").wait_for()
    page.keyboard.press("Enter")  # only those without an answer
    notice(page, f"{len(free)} clips: other.").wait_for()
    for task_id, said in before.items():
        assert story.said(task_id) == (said or {story.visitor_id: ["other"]})
    page.locator(".notice").get_by_role("button", name="Undo").click()
    notice(page, f"Undone: {len(free)} clips.").wait_for()
    assert {task_id: story.said(task_id) for task_id in story.clips} == before


def test_the_keyboard_alone_finds_labels_and_takes_back(visit, story):
    page = visit()
    (task_id,) = open_ids(page, 1)
    press_until(page, "Tab", "document.activeElement.role === 'grid'")
    for _ in range(N_CLIPS):
        page.keyboard.press("ArrowDown")
        if focus(page) == task_id:
            break
    page.get_by_role("heading", name=story.clips[task_id]).wait_for()
    on_label = "name => document.activeElement.matches('.labels button[title=\"' + name + '\"]')"
    press_until(page, "Shift+Tab", on_label, "siren")
    page.keyboard.press("Enter")
    story.wait_said([task_id], {story.visitor_id: ["siren"]})
    wait_until(page, "!document.querySelector('.labels-rest .quiet').disabled")
    page.wait_for_timeout(500)  # the next clip has arrived
    assert page.evaluate(on_label, "siren"), "whoever labels with Enter stays on the button"
    press_until(page, "Tab", "document.activeElement.textContent.startsWith('Undo')")
    page.keyboard.press("Enter")
    notice(page, "Undone").wait_for()
    assert story.said(task_id) == {}
    press_until(page, "Shift+Tab", "document.activeElement.matches('canvas')")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    assert page.evaluate(STATE)["focus"] is not None


# --- from seeing to labeling ---


def test_label_studio_asks_next_for_what_was_chosen(visit, story):
    page = visit()
    told = known(page)
    last = np.argsort(np.nan_to_num(told.rank, nan=-1))[-2:]
    wanted = sorted(int(task_id) for task_id in told.ids[last])
    page = visit(f"?sel={','.join(map(str, wanted))}")
    earmark, project_id = story.earmark, story.project_id
    before = earmark.model_version(project_id)
    n_labeled = earmark.backend.project(project_id)["n_labeled"]
    page.get_by_role("button", name="Label these 2 next").click()
    notice(page, "Requested first: 2 clips").wait_for()
    earmark.wait_for(project_id, lambda status: status["model_version"] != before)
    served = []
    for n_more in range(3):
        earmark.wait_for_labels(project_id, n_labeled + n_more)
        task = next_task(story.label_studio, project_id)
        served.append(task["id"])
        if n_more < 2:
            said = "siren" if story.table[story.clips[task["id"]]]["label"] == "siren" else "other"
            story.label_studio.annotate(task["id"], chosen(said))
    assert sorted(served[:2]) == wanted
    assert served[2] not in wanted


def test_a_tab_holds_exactly_the_chosen_clips(visit, story, api):
    page = visit()
    task_ids = open_ids(page, 4)
    page = visit(f"?sel={','.join(map(str, task_ids))}")
    page.get_by_role("button", name="Make a tab of 4").click()
    page.get_by_label("Title").fill("Four of the street")
    page.keyboard.press("Enter")
    link = page.get_by_role("link", name="Open it in Label Studio")
    link.wait_for()
    view = link.get_attribute("href").rpartition("=")[2]
    query = {"view": view, "project": story.project_id, "fields": "task_only", "include": "id"}
    tasks = api.get("/api/tasks", params=query).json()["tasks"]
    assert sorted(task["id"] for task in tasks) == task_ids
    tab = api.get(f"/api/dm/views/{view}").json()["data"]
    assert tab["title"] == "Four of the street"
    assert "tasks:data.content_hash" in tab["hiddenColumns"]["explore"]


# --- for everybody ---


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_covered_or_sticks_out(visit, story, scheme):
    first = min(story.clips)
    query = f"?sel={first},{first + 1}&focus={first}&f.meta:salience=1..2"
    page = visit(query, color_scheme=scheme)
    page.get_by_role("heading", name=story.clips[first]).wait_for()
    wait_until(page, "document.querySelector('.plot-picture').naturalWidth === 1200")
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    for width in (1400, 1000):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(500)
        keep_picture(page, f"{scheme}-{width}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(COVERED) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["sign-in", "map", "progress"])
def test_axe_finds_no_serious_fault(visit, open_page, story, scheme, name):
    from axe_playwright_python.sync_playwright import Axe

    first = min(story.clips)
    if name == "map":
        page = visit(f"?color=entropy&sel={first},{first + 1}&focus={first}", color_scheme=scheme)
        page.get_by_role("heading", name=story.clips[first]).wait_for()
    elif name == "progress":
        page = open_page(story.path, story.session, color_scheme=scheme)
        page.wait_for_selector("#now")
    else:
        page = open_page(f"{story.earmark.settings.backend_url}/sign-in", color_scheme=scheme)
    keep_picture(page, f"{name}-{scheme}")
    found = Axe().run(page).response
    assert len(found["passes"]) > 10
    faults = [
        (one["impact"], one["id"], one["nodes"][0]["html"])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert faults == []
