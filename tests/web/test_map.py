"""The similarity map in a real Chromium, over a small pool: looking, picking, coloring, searching.

``EARMARK_SCREENSHOTS=DIR`` keeps pictures there, to look at.
"""

import io
import os
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from flask import jsonify, request
from PIL import Image

from tests.browsing import opened, served, until
from tests.small_pool import CLASS_NAMES, SmallPool, create_small_app, packed

pytestmark = pytest.mark.browser

SIREN, BARK, OTHER = CLASS_NAMES
WORDS = ["Siren", "Civil defense siren", "Dog"]


class MapPool(SmallPool):
    """A pool with a map for every locality, that knows words and sounds."""

    def __init__(self, n=300):
        super().__init__(n)
        rng = np.random.default_rng(5)
        self.places = 0.05 + 0.9 * rng.random((4, n, 2))
        self.map = {"locality": 1, "kind": "umap", "progress": 1, "state": ""}
        self.similarity = rng.random(n)
        self.n_refused, self.refusal = 0, (202, {"state": "The clips are being read."})

    def column(self, name):
        self.xy = self.places[self.map["locality"]]
        if name.startswith("word:"):
            return name, "number", "f4", self.similarity, {}
        return super().column(name)


def create_map_app(pool):
    app = create_small_app(pool)

    @app.before_request
    def look():
        pool.map["locality"] = int(request.args.get("locality", pool.map["locality"]))
        if request.path.endswith("/frame") and pool.n_refused > 0:
            pool.n_refused -= 1
            code, said = pool.refusal
            return jsonify(said), code, {"Retry-After": "0.3"}
        return None

    @app.get("/projects/1/words")
    def words():
        found = [word for word in WORDS if request.args["q"].lower() in word.lower()]
        return jsonify(names=found, nearest=[] if found else WORDS[:2])

    @app.post("/projects/1/search")
    def search():
        if request.files["audio"].read() != b"RIFF of a sound":
            return jsonify(error="The upload is no sound that can be read."), 400
        column = ("similarity", "number", "f4", pool.similarity, {})
        return app.response_class(packed(pool.n, [column]), mimetype="application/octet-stream")

    return app


@pytest.fixture
def visit(browser):
    """Serve a pool and open its map page."""
    with ExitStack() as stack:

        def visit(pool, query="", **how):
            address = stack.enter_context(served(create_map_app(pool)))
            page = stack.enter_context(opened(browser, f"{address}/projects/1/map{query}", **how))
            page.wait_for_selector("body[data-ready=yes]")
            page.wait_for_timeout(50)
            return page

        yield visit


@pytest.fixture
def pool():
    return MapPool()


def keep_picture(page, name):
    if folder := os.environ.get("EARMARK_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"map-{name}.png", full_page=True)


def state(page):
    return page.evaluate(
        """async () => {
          const page = document.querySelector('script[src*="map_page.js"]').src;
          const { state } = await import(page.replace("map_page.js", "data/state.js"));
          const { visible, ...rest } = state.get();
          return rest;
        }"""
    )


def canvas_box(page):
    return page.locator("#map canvas").bounding_box()


def places_on_screen(page, pool):
    """Where the clips are in the window while the whole map is shown, (n_clips, 2)."""
    box = canvas_box(page)
    scale = 0.94 * min(box["width"], box["height"])
    middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    return middle + (pool.places[pool.map["locality"]] - 0.5) * [scale, -scale]


def lonely(pool, places, margin=30):
    """Rows in the order of how far their nearest neighbor is, loneliest first."""
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    return np.argsort(-apart.min(axis=1))


def draw_box(page, start, end, key=None):
    if key:
        page.keyboard.down(key)
    start, end = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*((start + end) / 2))
    page.mouse.move(*end)
    page.mouse.up()
    if key:
        page.keyboard.up(key)


def color_at(page, place):
    """The color of the pixel at a place of the window."""
    page.mouse.move(5, 5)  # no hover card in the way
    page.wait_for_timeout(150)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    return picture.getpixel(tuple(round(one) for one in place))


def choose_color(page, words):
    page.keyboard.press("c")
    page.keyboard.type(words)
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("Enter")


def wait_color(page, name):
    until(page, "name => document.querySelector('#map').dataset.color === name", arg=name)


# Colors


def swatches(page):
    return page.locator(".legend .entry").evaluate_all(
        """entries => Object.fromEntries(entries.map((entry) => [
            entry.querySelector(".name").textContent,
            entry.querySelector("circle").getAttribute("fill"),
        ]))"""
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_point_has_the_color_that_the_legend_gives_its_class(visit, pool, scheme):
    page = visit(pool, "?color=predicted", color_scheme=scheme)
    places = places_on_screen(page, pool)
    colors = swatches(page)
    for row in lonely(pool, places)[:4]:
        said = colors[CLASS_NAMES[pool.probabilities[row].argmax()]]
        expected = [int(said[at : at + 2], 16) for at in (1, 3, 5)]
        ground = 255 if scheme == "light" else 24
        seen = np.array(color_at(page, places[row]))
        mixed = (
            215 / 255 * np.array(expected) + 40 / 255 * ground
        )  # points are slightly transparent
        assert np.abs(seen - mixed).max() < 14 or np.abs(seen - expected).max() < 3


def test_the_color_is_chosen_with_keys_and_stands_in_the_address(visit, pool):
    page = visit(pool)
    wait_color(page, "predicted")
    choose_color(page, "entropy")
    wait_color(page, "entropy")
    assert page.locator(".legend .ends").inner_text().split() == ["0", "1"]
    until(page, "location.search.includes('color=entropy')")
    choose_color(page, "probability siren")
    wait_color(page, f"probability:{SIREN}")
    until(page, "location.search.includes('color=probability:')")
    page.reload()
    wait_color(page, f"probability:{SIREN}")


@pytest.mark.parametrize(
    "name",
    [
        *("label", "rank", "coverage", "recording"),
        *("meta:salience", "meta:taken", "meta:street", "meta:outdoors"),
    ],
)
def test_every_kind_of_column_colors_the_map(visit, pool, name):
    page = visit(pool, f"?color={name}")
    wait_color(page, name)
    assert page.locator(".legend .entry, .legend .ends span").count() >= 2
    assert page.locator("#trouble").is_hidden()


def test_a_column_that_is_gone_leaves_the_map_in_its_usual_colors(visit, pool):
    page = visit(pool, "?color=meta:gone&focus=10")
    wait_color(page, "predicted")
    told = page.locator(".notice.failed").get_by_text("The map cannot be colored by gone.")
    assert told.is_visible()
    until(page, "location.search === '?focus=10'")


def test_back_and_forward_go_through_the_views(visit, pool):
    page = visit(pool, "?color=entropy")
    sound = {"name": "mine.wav", "mimeType": "audio/wav", "buffer": b"RIFF of a sound"}
    page.set_input_files("#map input[type=file]", files=[sound])
    wait_color(page, "similarity")
    page.wait_for_timeout(1100)
    page.get_by_role("button", name="Skipped").click()
    page.keyboard.press("Escape")  # the selection is no step of its own
    until(page, "location.search === '?f.skipped=true'")

    page.go_back()
    assert state(page)["color"] == "similarity"
    assert state(page)["filters"] == {}
    assert len(state(page)["selection"]) == 20
    wait_color(page, "similarity")
    assert page.locator("#filters .total").inner_text() == "All 300 clips"
    page.go_back()
    wait_color(page, "entropy")
    assert state(page)["selection"] == []
    assert page.url.endswith("?color=entropy")
    page.go_forward()
    page.go_forward()
    until(page, "document.querySelector('#filters .total').textContent.startsWith('1 of')")
    assert state(page)["filters"] == {"skipped": {"values": ["true"]}}


def test_a_slider_that_is_drawn_is_one_step_back(visit, pool):
    page = visit(pool, "?locality=1")
    n_before = page.evaluate("history.length")
    page.evaluate(
        """async () => {
          const slider = document.querySelector(".locality input");
          for (const value of [2, 3, 0]) {
            slider.value = value;
            slider.dispatchEvent(new Event("input"));
            await new Promise((go) => setTimeout(go, 250)); // the address is written meanwhile
          }
        }"""
    )
    until(page, "location.search === '?locality=0'")
    assert page.evaluate("history.length") == n_before + 1
    page.go_back()
    until(page, "document.querySelector('.locality input').value === '1'")


def test_a_color_that_cannot_be_had_is_no_trap_on_the_way_back(visit, pool):
    page = visit(pool, "?color=predicted")
    page.goto(page.url.replace("predicted", "meta:gone"))
    until(page, "!location.search")
    page.go_back()
    until(page, "location.search === '?color=predicted'")


def test_a_click_on_the_legend_filters_and_another_takes_it_back(visit, pool):
    page = visit(pool, "?color=predicted")
    entry = page.locator(".legend .entry", has_text="bark")
    entry.click()
    assert state(page)["filters"] == {"predicted": {"values": [BARK]}}
    others = page.locator(".legend .entry[aria-pressed=false] .name").all_inner_texts()
    assert sorted(others) == sorted([SIREN, OTHER])
    page.locator(".legend .entry", has_text="bark").click()
    assert state(page)["filters"] == {}


def test_names_with_markup_are_shown_as_text(visit, pool):
    page = visit(pool, "?color=predicted")
    assert BARK in page.locator(".legend .name").all_inner_texts()
    assert page.locator(".legend b").count() == 0


# Picking


def test_a_click_opens_the_clip_and_shift_and_alt_change_the_selection(visit, pool):
    page = visit(pool)
    places = places_on_screen(page, pool)
    first, second = (int(row) for row in lonely(pool, places)[:2])
    page.mouse.click(*places[first])
    chosen = state(page)
    assert chosen["selection"] == []
    assert chosen["focus"] == pool.ids[first]
    page.keyboard.down("Shift")
    page.mouse.click(*places[second])
    page.keyboard.up("Shift")
    assert state(page)["selection"] == sorted([pool.ids[first], pool.ids[second]])
    page.keyboard.down("Alt")
    page.mouse.click(*places[first])
    page.keyboard.up("Alt")
    assert state(page)["selection"] == [pool.ids[second]]
    assert "1 clip selected" in page.locator("#said").inner_text()


def within(places, start, end):
    return ((places > start) & (places < end)).all(axis=1)


def test_a_box_holds_what_lies_in_it_and_adds_and_takes_away(visit, pool):
    page = visit(pool)
    places = places_on_screen(page, pool)
    box = canvas_box(page)
    corner = np.array([box["x"], box["y"]])
    size = np.array([box["width"], box["height"]])
    a, b, c = corner + 0.3 * size, corner + 0.6 * size, corner + 0.75 * size
    page.keyboard.press("b")
    draw_box(page, a, b)
    expected = within(places, a, b)
    assert expected.sum() > 10
    assert state(page)["selection"] == pool.ids[expected].tolist()
    draw_box(page, a + 10, c, "Shift")
    expected |= within(places, a + 10, c)
    assert state(page)["selection"] == pool.ids[expected].tolist()
    draw_box(page, a, b, "Alt")
    expected &= ~within(places, a, b)
    assert state(page)["selection"] == pool.ids[expected].tolist()


def test_a_lasso_takes_only_what_the_filters_let_through(visit, pool):
    page = visit(pool, "?f.predicted=siren")
    until(page, "document.querySelector('#filters .total').textContent.includes('of')")
    box = canvas_box(page)
    page.keyboard.press("l")
    corners = [(0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99)]
    along = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    # The toolbar lies over the corner: start beside it.
    page.mouse.move(box["x"] + 120, along[0][1])
    page.mouse.down()
    for place in (*along[1:], (along[3][0], box["y"] + box["height"] - 60)):
        page.mouse.move(*place, steps=3)
    page.mouse.up()
    is_siren = pool.probabilities.argmax(axis=1) == 0
    selected = state(page)["selection"]
    assert set(selected) <= set(pool.ids[is_siren].tolist())
    assert len(selected) > 0.8 * is_siren.sum()


def test_dragging_moves_the_map_and_the_wheel_zooms_where_the_pointer_is(visit, pool):
    page = visit(pool)
    places = places_on_screen(page, pool)
    row = int(lonely(pool, places)[0])
    box = canvas_box(page)
    start = np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])
    page.mouse.move(*places[row])
    shift = np.array([40, 25])
    page.mouse.wheel(0, -300)  # under the pointer it stays
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*(start + shift), steps=4)
    page.mouse.up()
    assert state(page)["selection"] == []
    page.mouse.click(*(places[row] + shift))
    assert state(page)["focus"] == pool.ids[row]


def test_the_card_shows_what_the_clip_is(visit, pool):
    page = visit(pool)
    places = places_on_screen(page, pool)
    row = int(lonely(pool, places)[0])
    page.mouse.move(*places[row])
    card = page.locator(".hover-card")
    card.get_by_text(pool.clips[row]).wait_for()
    assert f"entropy {pool.entropy[row]:.2f}" in card.inner_text()
    until(page, "document.querySelector('.hover-card img').naturalWidth > 0")
    page.mouse.move(5, 5)
    assert card.is_hidden()


# The map itself


def test_another_locality_moves_the_clips_and_keeps_the_selection(visit, pool):
    page = visit(pool, "?sel=10&focus=10")
    slider = page.get_by_role("slider", name="Local or global map")
    assert slider.input_value() == "1"
    slider.press("ArrowRight")
    slider.press("ArrowRight")
    until(page, "location.search.includes('locality=3')")
    assert any("frame?locality=3" in asked for asked in pool.asked)
    page.wait_for_timeout(900)  # they have arrived
    places = places_on_screen(page, pool)
    row = int(lonely(pool, places)[0])
    assert state(page)["selection"] == [10]
    page.mouse.click(*places[row])
    assert state(page)["focus"] == pool.ids[row]


def test_a_new_revision_recolors_in_place(visit, pool):
    page = visit(pool, "?color=label")
    places = places_on_screen(page, pool)
    row = next(int(row) for row in lonely(pool, places) if pool.ids[row] not in pool.labels)
    before = color_at(page, places[row])
    pool.annotate([int(pool.ids[row])], [SIREN])
    until(page, "document.querySelector('.legend').textContent.includes('none239')", timeout_s=5)
    assert color_at(page, places[row]) != before


def test_a_map_that_is_being_drawn_says_so(visit, pool):
    pool.map |= {"kind": "pca", "progress": 0.4, "state": "fitting the map"}
    page = visit(pool)
    line = page.locator(".map-progress")
    assert "first sketch (PCA); fitting the map" in line.inner_text()
    assert line.locator("progress").get_attribute("value") == "0.4"
    pool.map |= {"kind": "umap", "progress": 1, "state": ""}
    pool.revision += 1
    line.wait_for(state="hidden", timeout=5000)


@pytest.mark.parametrize(
    "refusal",
    [(202, {"state": "The clips are being read."}), (503, {"error": "Too many ask at once."})],
)
def test_an_answer_that_is_not_there_yet_is_waited_for(browser, pool, refusal):
    pool.n_refused, pool.refusal = 3, refusal
    (why,) = refusal[1].values()
    with ExitStack() as stack:
        address = stack.enter_context(served(create_map_app(pool)))
        page = stack.enter_context(opened(browser, f"{address}/projects/1/map"))
        page.get_by_text(why).wait_for()
        page.wait_for_selector("body[data-ready=yes]")
        assert page.locator("#waiting").is_hidden()


def test_a_backend_that_stays_busy_is_not_asked_for_ever(visit, pool):
    page = visit(pool)
    pool.n_refused, pool.refusal = 99, (503, {"error": "Too many ask at once."})
    said = page.evaluate(
        """async () => {
          const page = document.querySelector('script[src*="map_page.js"]').src;
          const { getPacked } = await import(page.replace("map_page.js", "data/server.js"));
          return getPacked("frame").catch((error) => error.message);
        }"""
    )
    assert said == "Too many ask at once."


@pytest.mark.parametrize("n", [1, 2])
def test_tiny_projects_have_a_map(visit, n):
    page = visit(MapPool(n))
    assert page.locator("#trouble").is_hidden()


def test_clips_without_a_place_are_nowhere(visit, pool):
    pool.places[:, 5] = 65535 / 65534  # stored as missing
    page = visit(pool)
    page.keyboard.press("b")
    box = canvas_box(page)
    corner = np.array([box["x"], box["y"]])
    size = np.array([box["width"], box["height"]])
    draw_box(page, corner + np.array([60, 1]), corner + size - 2)  # beside the toolbar
    selected = state(page)["selection"]
    assert len(selected) > 200
    assert pool.ids[5] not in selected


# Searching


def test_a_sound_lights_up_its_neighbors(visit, pool):
    page = visit(pool)
    sound = {"name": "mine.wav", "mimeType": "audio/wav", "buffer": b"RIFF of a sound"}
    page.set_input_files("#map input[type=file]", files=[sound])
    wait_color(page, "similarity")
    best = np.argsort(-pool.similarity)[:20]
    chosen = state(page)
    assert chosen["selection"] == sorted(pool.ids[best].tolist())
    assert chosen["focus"] == pool.ids[best[0]]
    assert "most like mine.wav" in page.locator("#said").inner_text()
    assert page.locator(".notice").get_by_text("The 20 clips most like mine.wav").is_visible()
    head = page.get_by_role("columnheader", name="Similarity to the dropped sound")
    assert head.get_attribute("aria-sort") == "descending"
    page.get_by_text("1 of 20 selected").wait_for()
    page.keyboard.press("ArrowRight")
    until(page, "id => document.querySelector('.clip-name').title.includes(id)", f"{best[1]:05d}")
    page.locator(".column-filter summary", has_text="Similarity to the").click()
    page.locator(".column-filter .histogram").wait_for()


def test_a_view_by_a_dropped_sound_can_be_loaded_anew_and_sent(visit, pool):
    page = visit(pool, "?f.entropy=..1")
    sound = {"name": "mine.wav", "mimeType": "audio/wav", "buffer": b"RIFF of a sound"}
    page.set_input_files("#map input[type=file]", files=[sound])
    wait_color(page, "similarity")
    until(page, "location.search.includes('sel=')")
    assert "similarity" not in page.url
    selected = state(page)["selection"]
    page.reload()
    wait_color(page, "predicted")
    assert state(page)["selection"] == selected
    assert page.locator(".notice").count() == 0


def test_what_fails_is_told_in_sight_and_stays(visit, pool):
    page = visit(pool)
    page.clock.install()
    junk = {"name": "junk.wav", "mimeType": "audio/wav", "buffer": b"junk"}
    page.set_input_files("#map input[type=file]", files=[junk])
    told = page.locator(".notice.failed")
    told.get_by_text(
        "The search by junk.wav failed. The upload is no sound that can be read."
    ).wait_for()
    page.clock.run_for(60_000)
    assert told.is_visible()
    told.get_by_role("button", name="Close").click()
    assert told.count() == 0


def test_another_sound_takes_the_place_of_the_one_before(visit, pool):
    page = visit(pool)
    sound = {"name": "mine.wav", "mimeType": "audio/wav", "buffer": b"RIFF of a sound"}
    for _ in range(2):
        page.set_input_files("#map input[type=file]", files=[sound])
        best = int(pool.similarity.argmax())
        wait_color(page, "similarity")
        until(
            page,
            "id => document.getElementById(id)?.getAttribute('aria-rowindex') === '2'",
            arg=f"clip-{pool.ids[best]}",
        )
        pool.similarity = pool.similarity[::-1].copy()


def test_a_sound_may_be_dropped_on_the_map(visit, pool):
    page = visit(pool)
    page.evaluate(
        """() => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File(["RIFF of a sound"], "a.wav", { type: "audio/wav" }));
          const stage = document.querySelector(".map-stage");
          const how = { dataTransfer, bubbles: true, cancelable: true };
          for (const name of ["dragenter", "dragover", "drop"]) {
            stage.dispatchEvent(new DragEvent(name, how));
          }
        }"""
    )
    wait_color(page, "similarity")
    assert page.locator(".drop-veil").is_hidden()


def test_a_word_sorts_the_table_and_its_scale_is_explained(visit, pool):
    page = visit(pool)
    page.get_by_role("combobox", name="Find by word").fill("civil")
    page.get_by_role("option", name="Civil defense siren").click()
    wait_color(page, "word:Civil defense siren")
    page.get_by_text("Probability from 0 to 1").wait_for()
    best = np.argsort(-pool.similarity)[:3]
    until(
        page,
        "id => document.querySelector('.grid-row[aria-rowindex=\"2\"]')?.id === id",
        arg=f"clip-{pool.ids[best[0]]}",
    )
    head = page.get_by_role("columnheader", name="Sounds like “Civil defense siren”")
    assert head.get_attribute("aria-sort") == "descending"
    assert float(page.locator(".legend .ends span").first.inner_text()) == 0
    assert float(page.locator(".legend .ends span").last.inner_text()) <= 1
    keep_picture(page, "word")


def test_of_an_unknown_word_the_nearest_names_are_offered(visit, pool):
    page = visit(pool)
    page.get_by_role("combobox", name="Find by word").fill("sirene")
    page.get_by_text("AudioSet has no “sirene”. Its nearest names:").wait_for()
    assert page.get_by_role("option").all_inner_texts() == WORDS[:2]
    keep_picture(page, "nearest")


def test_where_the_embedder_knows_no_words_the_box_says_why(visit, pool):
    pool.why_no_words = "melstats has no names for sounds"
    page = visit(pool)
    box = page.get_by_role("combobox", name="Find by word")
    assert box.is_disabled()
    assert box.get_attribute("title").startswith("melstats has no names for sounds.")
    assert "no search by word" in box.get_attribute("placeholder")
    keep_picture(page, "no-words")


def test_a_word_colors_the_map(visit, pool):
    page = visit(pool)
    box = page.get_by_role("combobox", name="Find by word")
    box.fill("sir")
    page.get_by_role("option").first.wait_for()
    found = page.get_by_role("option").all_inner_texts()
    assert found == ["Siren", "Civil defense siren"]
    box.press("ArrowDown")
    box.press("Enter")
    wait_color(page, "word:Civil defense siren")


# For everybody


def test_the_map_is_used_with_the_keyboard_alone(visit, pool):
    page = visit(pool)
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "CANVAS":
            break
    assert page.evaluate("document.activeElement.matches('canvas:focus-visible')")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("+")
    page.keyboard.press("Enter")
    box = canvas_box(page)
    scale = 0.94 * min(box["width"], box["height"])
    middle = np.array([0.5 - 60 / scale, 0.5])  # one step to the left of the middle
    nearest = np.linalg.norm(pool.places[1] - middle, axis=1).argmin()
    assert state(page)["focus"] == pool.ids[nearest]


def test_help_lists_the_keys(visit, pool):
    page = visit(pool)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    assert "lasso" in dialog.inner_text()
    page.keyboard.press("Escape")
    assert dialog.is_hidden()


def test_letters_typed_into_a_field_are_no_commands(visit, pool):
    page = visit(pool)
    page.get_by_role("combobox", name="Find by word").fill("lb?")
    assert page.locator(".map-tools [aria-pressed=true]").get_attribute("title").startswith("Move")
    assert page.get_by_role("dialog").count() == 0


def test_light_and_dark_are_chosen_and_remembered(visit, pool):
    page = visit(pool, color_scheme="light")
    ground = "getComputedStyle(document.querySelector('#map')).backgroundColor"
    light = page.evaluate(ground)
    for _ in range(2):  # light, then dark
        page.locator("#theme").click()
    assert page.evaluate(ground) != light
    page.reload()
    page.wait_for_selector("body[data-ready=yes]")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.parametrize("width", [390, 760, 1000, 1400, 2200])
def test_the_page_fits_its_window(visit, pool, width):
    page = visit(pool, "?sel=10,13&focus=10", viewport={"width": width, "height": 800})
    keep_picture(page, f"{width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert canvas_box(page)["width"] >= 300
    assert canvas_box(page)["height"] >= 300


def test_in_a_narrow_window_the_map_has_the_most_room_and_the_filters_can_be_opened(visit, pool):
    page = visit(pool, viewport={"width": 760, "height": 800})
    panels = ("#map", "#inspector", "#table")
    width = {one: page.locator(one).bounding_box()["width"] for one in panels}
    assert width["#map"] > 1.5 * width["#inspector"]
    assert page.locator("#filters").is_hidden()
    page.get_by_role("separator", name="Width of the filters").press("Enter")
    assert page.get_by_role("button", name="Not labeled").is_visible()


def test_on_a_phone_every_panel_can_be_reached(visit, pool):
    page = visit(pool, "?focus=10", viewport={"width": 390, "height": 800})
    for one in (
        "#map canvas",
        ".labels button >> nth=0",
        ".menu summary",
        ".quick button >> nth=0",
    ):
        page.locator(one).scroll_into_view_if_needed()
        box = page.locator(one).bounding_box()
        assert box["width"] > 40
        assert box["x"] + box["width"] <= 390
    page.locator(".quick button", has_text="Not labeled").click()
    until(page, "location.search.includes('f.label=-')")


def test_panels_are_resized_closed_and_remembered(visit, pool):
    page = visit(pool)
    splitter = page.get_by_role("separator", name="Width of the filters")
    before = page.locator("#filters").bounding_box()["width"]
    splitter.press("ArrowRight")
    assert page.locator("#filters").bounding_box()["width"] == pytest.approx(before + 24)
    splitter.press("Home")
    assert page.locator("#filters").is_hidden()
    page.reload()
    page.wait_for_selector("body[data-ready=yes]")
    assert page.locator("#filters").is_hidden()
    page.get_by_role("separator", name="Width of the filters").press("Enter")
    assert page.locator("#filters").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault_of_accessibility(visit, pool, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = visit(pool, "?color=predicted&sel=10,13&focus=10", color_scheme=scheme)
    page.wait_for_timeout(500)
    found = Axe().run(page).response
    assert len(found["passes"]) > 30
    faults = [(one["impact"], one["id"], one["nodes"][0]["html"]) for one in found["violations"]]
    assert faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_to_look_at(visit, scheme, tmp_path):
    folder = Path(os.environ.get("EARMARK_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    page = visit(MapPool(3000), "?color=entropy&f.predicted=siren", color_scheme=scheme)
    page.screenshot(path=folder / f"map-{scheme}.png")
    assert (folder / f"map-{scheme}.png").stat().st_size > 50_000
