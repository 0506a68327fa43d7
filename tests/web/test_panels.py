"""Filters, table and inspector on the map page, in a real Chromium, over a small pool.

``EARMARK_SCREENSHOTS=DIR`` keeps pictures there, to look at.
"""

import os
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from tests.browsing import opened, served, until, wait_so
from tests.small_pool import CLASS_NAMES, CSRF_TOKEN, SmallPool, create_small_app

pytestmark = pytest.mark.browser

SIREN, BARK, OTHER = CLASS_NAMES


@pytest.fixture
def visit(browser):
    """Serve a pool and open its map page."""
    with ExitStack() as stack:

        def visit(pool, query="", **how):
            address = stack.enter_context(served(create_small_app(pool)))
            page = stack.enter_context(opened(browser, f"{address}/projects/1/map{query}", **how))
            page.wait_for_selector("body[data-ready=yes]")
            return page

        yield visit


@pytest.fixture
def pool():
    return SmallPool(300)


def wait_total(page, n):
    until(
        page, "n => document.querySelector('#filters .total').textContent.startsWith(n)", arg=str(n)
    )


def column(page, title):
    """Open a column's filter."""
    section = page.locator(".column-filter").filter(
        has=page.locator(".title", has_text=title).and_(page.get_by_text(title, exact=True))
    )
    if section.locator("details[open]").count() == 0:
        section.locator("summary").first.click()
    return section


def wait_address(page, part):
    until(page, "part => (location.search + location.hash).includes(part)", arg=part)


def ids_in_table(page):
    return page.locator(".grid-body .grid-row:visible").evaluate_all(
        """rows => rows.sort((a, b) => a.dataset.place - b.dataset.place)
            .map(row => Number(row.id.slice(5)))"""
    )


def keep_picture(page, name):
    if folder := os.environ.get("EARMARK_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"panels-{name}.png")


def notice(page, text):
    return page.locator(".notice").get_by_text(text)


def state(page):
    """The state that all panels share; modules are one per address, so take the page's own."""
    return page.evaluate(
        """async () => {
          const page = document.querySelector('script[src*="map_page.js"]').src;
          const { state } = await import(page.replace("map_page.js", "data/state.js"));
          const { visible, ...rest } = state.get();
          return { ...rest, visible: visible && [...visible] };
        }"""
    )


# Filters


def test_columns_are_fetched_when_they_are_opened_or_when_the_address_names_them(visit, pool):
    page = visit(pool, "?f.meta:street=street%201")
    wait_total(page, int((pool.street == 1).sum()))
    asked = [path for path in pool.asked if "column" in path]
    names = {"meta:street", "clip", "recording", "meta:salience", "meta:taken", "meta:level_db"}
    fetched = {name for name in names if f"GET /projects/1/column?name={name}" in asked}
    assert fetched <= {"meta:street", "clip", "recording"}  # the table shows the last two
    column(page, "salience").locator(".histogram").wait_for()
    assert "GET /projects/1/column?name=meta:salience" in pool.asked


def test_clips_without_a_place_on_the_map_are_told_until_they_have_one(visit, pool):
    pool.n_placed, pool.map["progress"] = 120, 0.4
    page = visit(pool)
    wait_total(page, "All 300 clips (120 of 300 on the map)")
    page.locator(".map-progress").get_by_text("120 of 300 clips placed").wait_for()
    keep_picture(page, "placed")
    pool.n_placed, pool.map["progress"] = 300, 1
    pool.revision += 1
    until(page, "document.querySelector('#filters .total').textContent === 'All 300 clips'")
    page.locator(".map-progress").wait_for(state="hidden")


LONG = "recordings/2024-05-03/the_northern_corner_of_a_very_long_street/clip_%05d.wav"


def test_long_names_are_cut_in_the_middle_and_whole_in_their_titles(visit, pool):
    pool.clips = [LONG % number for number in range(300)]
    pool.class_names = ["siren", "a_very_long_name_of_a_class_of_sounds_1", "other"]
    page = visit(pool, f"?focus={pool.ids[7]}&f.label=-,siren")
    page.locator(".clip-name .tail").get_by_text("/clip_00007.wav").wait_for()
    whole = """all => all.map(one => {
      const tail = one.querySelector('.tail') ?? one.firstChild;
      return [one.title, one.textContent, tail.scrollWidth <= tail.clientWidth];
    })"""
    for place in (f"#clip-{pool.ids[7]} .cut", ".clip-name .cut", ".legend .name", ".labels .name"):
        for title, text, is_seen in page.locator(place).evaluate_all(whole):
            assert title == text
            assert is_seen, (place, title)


@pytest.mark.parametrize("width", [1400, 420])
def test_a_legend_of_twenty_classes_names_all_of_them_and_leaves_the_map_in_sight(visit, width):
    names = [f"class of sounds {number}" for number in range(20)]
    names[3:5] = ["صفارة الإنذار", "汽车喇叭"]
    page = visit(SmallPool(300, class_names=names), viewport={"width": width, "height": 900})
    legend = page.locator(".legend")
    assert legend.locator(".name").all_text_contents() == names
    colors = legend.locator("circle").evaluate_all(
        "all => all.map(one => one.getAttribute('fill'))"
    )
    assert len(set(colors)) == 20
    (key, stage) = (legend.bounding_box(), page.locator(".map-stage").bounding_box())
    is_beside = key["x"] >= stage["x"] + stage["width"] - 1
    is_below = key["y"] >= stage["y"] + stage["height"] - 1
    assert is_beside or is_below
    lefts = legend.locator(".name > .head").evaluate_all(
        "all => all.slice(0, 6).map(one => one.getBoundingClientRect().left)"
    )
    assert width < 1000 or max(lefts) - min(lefts) < 2, "names stand beside their colors"
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_range_is_typed_and_says_how_many_pass(visit, pool):
    page = visit(pool)
    wait_total(page, "All 300 clips")
    salience = column(page, "salience")
    salience.get_by_label("salience, from").fill("3")
    salience.get_by_label("salience, from").press("Enter")
    wait_total(page, int((pool.salience >= 3).sum()))
    salience.get_by_label("salience, to").fill("5")
    salience.get_by_label("salience, to").press("Enter")
    wait_total(page, int(((pool.salience >= 3) & (pool.salience <= 5)).sum()))
    wait_address(page, "f.meta:salience=3..5")
    salience.get_by_label("without a value").check()
    is_missing = np.isnan(pool.salience)
    wait_total(page, int(((pool.salience >= 3) & (pool.salience <= 5) | is_missing).sum()))
    salience.get_by_label("Clear the filter of salience").click()
    wait_total(page, "All 300 clips")
    salience.get_by_label("without a value").uncheck()
    wait_total(page, int((~is_missing).sum()))


def test_a_control_that_is_opened_comes_in_sight(visit, pool):
    page = visit(pool, viewport={"width": 1400, "height": 620})
    section = column(page, "level_db")
    section.locator(".histogram").wait_for()
    panel = page.locator("#filters").bounding_box()
    until(
        page,
        "([box, end]) => box.getBoundingClientRect().bottom <= end + 1",
        arg=[section.element_handle(), panel["y"] + panel["height"]],
    )


def test_a_histogram_is_brushed_by_hand_and_by_keys(visit, pool):
    page = visit(pool)
    salience = column(page, "salience")
    box = salience.locator(".histogram-plot").bounding_box()

    def x(share):
        return box["x"] + share * box["width"]

    page.mouse.move(x(0.3), box["y"] + 20)  # bins 1 … 8, one value each
    page.mouse.down()
    page.mouse.move(x(0.5), box["y"] + 20, steps=3)
    page.mouse.up()
    wait_address(page, "f.meta:salience=3..5")
    wait_total(page, int(((pool.salience >= 3) & (pool.salience <= 5)).sum()))
    low, high = salience.get_by_role("slider").all()
    low.focus()
    page.keyboard.press("ArrowLeft")
    wait_address(page, "f.meta:salience=2..5")
    high.focus()
    page.keyboard.press("End")
    wait_address(page, "f.meta:salience=2..")
    assert low.get_attribute("aria-valuetext") == "2"
    page.keyboard.press("Escape")
    until(page, "!location.search.includes('salience')")


def test_checkboxes_tell_what_passes_and_what_there_is(visit, pool):
    page = visit(pool, "?f.meta:outdoors=true")
    label = column(page, "label")
    is_out = pool.outdoors == 1
    said = np.array([(pool.labels.get(int(i)) or [None])[0] for i in pool.ids])
    row = label.locator(".check", has_text=SIREN)
    n, n_out = int((said == SIREN).sum()), int(((said == SIREN) & is_out).sum())
    assert row.locator(".counts").inner_text() == f"{n_out} of {n}"
    row.locator("input").check()
    wait_total(page, n_out)
    label.locator(".check", has_text="no value").locator("input").check()
    wait_total(page, int((((said == SIREN) | (said == None)) & is_out).sum()))  # noqa: E711
    wait_address(page, "f.label=siren,-")
    assert column(page, "outdoors").get_by_label("yes").is_checked()


def test_names_with_html_in_them_are_text(visit, pool):
    page = visit(pool, f"?focus={pool.ids[1]}&f.label=%3Cb%3Ebark%3C%2Fb%3E")
    wait_total(page, sum(labels == [BARK] for labels in pool.labels.values()))
    page.get_by_text("<u>note</u>", exact=True).wait_for()
    assert page.get_by_text("<img src=x onerror=alert(1)>", exact=True).is_visible()
    panels = page.locator("#filters, #table, #inspector")
    assert panels.locator("b, i, u, [src=x]").count() == 0
    assert page.locator(".labels button", has_text=BARK).is_visible()


def test_many_values_are_searched_and_shown_all(visit, pool):
    page = visit(pool)
    street = column(page, "street")
    street.get_by_role("button", name="Show all 20").wait_for()
    assert street.locator(".check").count() == 12
    street.get_by_role("button", name="Show all 20").click()
    assert street.locator(".check").count() == 20
    street.get_by_role("searchbox").fill("street 1")
    assert street.locator(".check").count() == 11
    street.get_by_label("street 17").check()
    wait_total(page, int((pool.street == 17).sum()))
    street.get_by_role("searchbox").fill("nowhere")
    assert street.locator(".check").count() == 1, "what is chosen stays in sight"
    assert street.get_by_text("No value holds “nowhere”").is_visible()
    street.get_by_role("searchbox").fill("street 1")
    assert street.get_by_text("No value holds").count() == 0


def test_after_eight_in_the_evening_and_words(visit, pool):
    page = visit(pool)
    taken = column(page, "taken")
    taken.get_by_label("taken, hour of day, from").fill("20")
    taken.get_by_label("taken, hour of day, from").press("Enter")
    hour = pool.taken % 86_400 / 3600
    wait_total(page, int((hour >= 20).sum()))
    taken.get_by_label("taken, hour of day, to").fill("4")
    taken.get_by_label("taken, hour of day, to").press("Enter")
    at_night = (hour >= 20) | (hour < 4)
    wait_total(page, int(at_night.sum()))
    wait_address(page, "f.meta:taken@hour=20..4")
    column(page, "clip").get_by_role("searchbox").fill("BARK dog")
    has_words = np.array(["dog bark" in clip for clip in pool.clips])
    wait_total(page, int((at_night & has_words).sum()))
    page.get_by_role("button", name="Clear all").click()
    wait_total(page, "All 300 clips")


def test_quick_filters_switch_on_and_off(visit, pool):
    page = visit(pool)
    quick = page.get_by_role("group", name="Quick filters")
    quick.get_by_role("button", name="Labeled", exact=True).click()
    wait_total(page, len(pool.labels))
    quick.get_by_role("button", name="Not labeled").click()
    wait_total(page, 300 - len(pool.labels))
    quick.get_by_role("button", name="Not labeled").click()
    quick.get_by_role("button", name="Skipped").click()
    wait_total(page, 1)
    quick.get_by_role("button", name="Skipped").click()
    quick.get_by_role("button", name="High entropy").click()
    until(page, "location.search.includes('f.entropy=')")
    shown = np.array(state(page)["visible"], dtype=bool)
    assert 30 <= shown.sum() <= 40
    assert pool.entropy[shown].min() >= np.max(pool.entropy[~shown]) - 1e-4


def test_an_unknown_column_is_told_and_hides_nothing(visit, pool):
    page = visit(pool, "?f.meta:gone=1..2&f.label=siren")
    wait_total(page, sum(labels == [SIREN] for labels in pool.labels.values()))
    page.get_by_text("There is no column 'meta:gone'.").wait_for()


def test_where_several_labels_may_hold_a_clip_passes_with_one_of_them(visit):
    pool = SmallPool(300, multi_label=True)
    page = visit(pool)
    label = column(page, "label")
    has_siren = sum("siren" in labels for labels in pool.labels.values())
    label.get_by_label("no value").wait_for()
    assert label.locator(".check").count() == 4, "three classes, and no value"
    row = label.locator(".check", has_text="siren")
    assert row.locator(".counts").inner_text() == str(has_siren)
    row.locator("input").check()
    wait_total(page, has_siren)


# Table


def test_the_table_sorts_both_ways_and_back(visit, pool):
    page = visit(pool)
    head = page.get_by_role("columnheader", name="entropy")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    by_entropy = pool.ids[np.argsort(np.round(pool.entropy * 65534), kind="stable")]
    until(page, "id => document.getElementById(`clip-${id}`)", arg=str(by_entropy[0]))
    assert ids_in_table(page)[:5] == by_entropy[:5].tolist()
    head.get_by_role("button").click()
    until(page, "id => document.getElementById(`clip-${id}`)", arg=str(by_entropy[-1]))
    assert ids_in_table(page)[0] == by_entropy[-1]
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "none"


def test_keys_walk_the_table_and_select(visit, pool):
    page = visit(pool, f"?focus={pool.ids[0]}")
    grid = page.get_by_role("grid")
    grid.focus()
    page.keyboard.press("ArrowDown")
    assert state(page)["focus"] == pool.ids[1]
    page.keyboard.press("x")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    assert state(page)["selection"] == pool.ids[1:4].tolist()
    page.keyboard.press("End")
    assert state(page)["focus"] == pool.ids[-1]
    last = page.locator(f"#clip-{pool.ids[-1]}")
    last.wait_for()
    assert last.get_attribute("aria-rowindex") == "301"
    assert grid.get_attribute("aria-activedescendant") == f"clip-{pool.ids[-1]}"
    page.keyboard.press("Escape")
    assert state(page)["selection"] == []
    page.keyboard.press("Control+a")
    assert state(page)["selection"] == pool.ids.tolist()


def test_clicks_select_and_the_selection_of_others_is_shown(visit, pool):
    page = visit(pool)
    a, b, c = (page.locator(f"#clip-{pool.ids[i]}") for i in (1, 2, 4))
    a.click()
    c.click(modifiers=["Shift"])
    b.click(modifiers=["Control"])
    assert state(page)["selection"] == [int(pool.ids[i]) for i in (1, 3, 4)]
    assert state(page)["focus"] == pool.ids[4], "what was taken away is not heard"
    b.locator(".tick").click()
    assert state(page)["selection"] == pool.ids[1:5].tolist()
    page.evaluate(
        """async (ids) => {
          const page = document.querySelector('script[src*="map_page.js"]').src;
          const { state } = await import(page.replace("map_page.js", "data/state.js"));
          state.set({ selection: ids });
        }""",
        pool.ids[:2].tolist(),
    )
    until(page, "document.querySelectorAll('[aria-selected=true]').length === 2")
    assert "2 selected" in page.locator(".counts-line").inner_text()


@pytest.mark.parametrize("width", [1400, 760])
@pytest.mark.parametrize("n_columns", [6, 12])
def test_headings_stand_over_their_columns(visit, pool, width, n_columns):
    page = visit(pool, viewport={"width": width, "height": 900})
    page.get_by_text("Columns", exact=True).click()
    for box in page.locator(".menu-list input").all()[:n_columns]:
        box.check()
    lefts = (
        """row => [...row.children].map(cell => Math.round(cell.getBoundingClientRect().left))"""
    )
    page.wait_for_timeout(100)
    heads = page.locator(".grid-head").evaluate(lefts)
    assert len(heads) > 6
    assert page.locator(".grid-body .grid-row:visible").first.evaluate(lefts) == heads


def test_opening_clips_changes_no_tick(visit, pool):
    page = visit(pool)
    ids = [int(one) for one in pool.ids]
    page.locator(f"#clip-{ids[1]}").click()
    page.get_by_role("heading", name=pool.clips[1]).wait_for()
    page.keyboard.press("ArrowRight")
    page.get_by_role("heading", name=pool.clips[2]).wait_for()
    assert state(page)["selection"] == []
    page.locator(f"#clip-{ids[2]} .tick").click()
    page.get_by_role("grid").focus()
    page.keyboard.press("ArrowDown")
    page.locator(f"#clip-{ids[4]}").click()
    page.get_by_role("heading", name=pool.clips[4]).wait_for()
    now = state(page)
    assert (now["selection"], now["focus"]) == ([ids[2]], ids[4])
    page.keyboard.press("Space")
    page.get_by_role("button", name="Pause").wait_for()
    assert state(page)["selection"] == [ids[2]], "Space plays"


def test_the_inspector_says_that_the_filters_hide_the_clip_that_a_key_labels(visit, pool):
    page = visit(pool)
    low = np.flatnonzero(pool.salience == 1)[0]
    high = np.flatnonzero(pool.salience > 5)
    chosen = [low, *high[high > low][:2]]
    select(page, pool.ids[chosen].tolist())
    page.get_by_role("heading", name=pool.clips[low]).wait_for()
    salience = column(page, "salience")
    salience.get_by_label("salience, from").fill("3")
    salience.get_by_label("salience, from").press("Enter")
    target = page.locator(".labeling .target")
    target.get_by_text("Labels are for the clip above, which the filters hide.").wait_for()


def test_the_inspector_says_which_clips_a_key_labels(visit, pool):
    page = visit(pool)
    ids = [int(one) for one in pool.ids[100:106]]
    target = page.locator(".labeling .target")
    select(page, [ids[0], ids[1]])
    page.get_by_role("heading", name=pool.clips[100]).wait_for()
    assert target.inner_text() == "Labels are for the clip above."
    page.locator(f"#clip-{ids[2]}").click()
    page.get_by_text("Labels are for the clip above, which is not selected.").wait_for()
    page.get_by_role("heading", name=pool.clips[102]).wait_for()
    page.get_by_text("103 of 300").wait_for()
    keep_picture(page, "aside")
    page.wait_for_timeout(200)
    page.keyboard.press("1")
    page.get_by_role("heading", name=pool.clips[103]).wait_for()
    wait_so(page, lambda: pool.labels.get(ids[2]) == [SIREN])
    assert pool.labels[ids[2]] == [SIREN]
    assert not {ids[0], ids[1]} & set(pool.labels)
    page.get_by_label("Label all 2 selected").check()
    assert target.inner_text() == "Labels are for all 2 selected, after a question."
    page.keyboard.press("2")
    page.get_by_role("button", name="Label 2 clips").click()
    notice(page, f"2 clips: {BARK}.").wait_for()
    assert [pool.labels.get(one) for one in ids[:4]] == [[BARK], [BARK], [SIREN], None]


def test_one_ticked_clip_is_labeled_as_such_and_not_the_one_that_is_open(visit, pool):
    page = visit(pool)
    ticked, opened = (int(pool.ids[row]) for row in (100, 101))
    page.locator(".grid").evaluate("grid => (grid.scrollTop = 28 * 98)")
    page.locator(f"#clip-{opened}").click()
    page.get_by_role("heading", name=pool.clips[101]).wait_for()
    page.locator(f"#clip-{ticked} .tick").click()
    assert state(page)["focus"] == opened
    page.get_by_label("Label the selected clip").wait_for()
    page.keyboard.press("Shift+Digit1")
    page.get_by_role("button", name="Label 1 clip").click()
    until(page, "document.querySelector('#said').textContent.includes('siren')")
    assert (pool.labels[ticked], opened in pool.labels) == ([SIREN], False)


def test_the_box_over_the_ticks_takes_all_or_none(visit, pool):
    page = visit(pool, "?f.meta:salience=5..")
    wait_total(page, int((pool.salience >= 5).sum()))
    box = page.get_by_label("Select all that pass the filters, or none")
    box.check()
    assert state(page)["selection"] == pool.ids[pool.salience >= 5].tolist()
    box.click()
    assert state(page)["selection"] == []
    page.locator(".tick-box").nth(3).click()
    until(page, "document.querySelector('.grid-head input').indeterminate")
    box.click()
    assert state(page)["selection"] == []


def test_what_the_filters_hide_is_neither_labeled_nor_queued_with_the_selection(visit, pool):
    hidden, shown = np.flatnonzero(pool.salience <= 4), np.flatnonzero(pool.salience > 4)
    chosen = pool.ids[np.concatenate([hidden[70:72], shown[70:73]])].tolist()
    page = visit(pool, f"?f.meta:salience=5..&sel={','.join(map(str, chosen))}")
    wait_total(page, len(shown))
    until(
        page,
        "text => document.querySelector('.counts-line').textContent.includes(text)",
        arg="5 selected, 2 of them hidden by the filters",
    )
    page.get_by_text("1 of 3 selected").wait_for()
    page.keyboard.press("Shift+Digit1")
    page.get_by_role("heading", name="Label these 3 clips as siren?").wait_for()
    page.get_by_text("2 clips more are selected, but the filters hide them.").wait_for()
    page.get_by_role("button", name="Label 3 clips").click()
    notice(page, "3 clips: siren.").wait_for()
    assert [task_id for task_id in chosen if pool.labels.get(task_id) == [SIREN]] == sorted(
        pool.ids[shown[70:73]].tolist()
    )
    page.get_by_role("button", name="Label these 3 next").click()
    notice(page, "None of them is left to label.").wait_for()
    assert sorted(pool.queue) == sorted(pool.ids[shown[70:73]].tolist())


def test_clips_that_are_not_there_are_not_selected(visit, pool):
    page = visit(pool, f"?sel=99999,{pool.ids[3]}&focus=99999")
    until(page, "document.querySelector('.counts-line').textContent.includes('1 selected')")
    assert state(page)["selection"] == [pool.ids[3]]


def test_a_range_typed_the_wrong_way_round_is_turned(visit, pool):
    page = visit(pool)
    salience = column(page, "salience")
    for end, value in (("from", "6"), ("to", "2")):
        salience.get_by_label(f"salience, {end}").fill(value)
        salience.get_by_label(f"salience, {end}").press("Enter")
    wait_total(page, int(((pool.salience >= 2) & (pool.salience <= 6)).sum()))
    wait_address(page, "f.meta:salience=2..6")


def test_a_hundred_thousand_rows_are_never_all_drawn_and_never_blank(visit):
    page = visit(SmallPool(100_000))
    assert page.get_by_role("grid").get_attribute("aria-rowcount") == "100001"
    page.locator(".grid-row", has_text="clip 00000").wait_for()
    blanks = page.evaluate(
        """async () => {
          const grid = document.querySelector(".grid");
          const frame = () => new Promise((done) => requestAnimationFrame(() => done()));
          let blanks = 0;
          for (let step = 1; step <= 60; step++) {
            grid.scrollTop = step * step * 700;
            await frame(); await frame();
            const box = grid.getBoundingClientRect();
            for (const share of [0.3, 0.6, 0.95]) {
              const hit = document.elementFromPoint(box.left + 80, box.top + share * box.height);
              if (!hit?.closest(".grid-row[id]")?.textContent.includes("clip")) blanks++;
            }
          }
          return blanks;
        }"""
    )
    assert blanks == 0
    assert page.locator(".grid-row").count() < 60


def test_columns_are_chosen(visit, pool):
    page = visit(pool)
    page.locator(".menu summary").click()
    page.get_by_role("group", name="Columns of the table").get_by_label("street").check()
    page.keyboard.press("Escape")
    page.get_by_role("columnheader", name="street").wait_for()
    first = page.locator(f"#clip-{pool.ids[0]}")
    until(page, "row => row.textContent.includes('street ')", arg=first.element_handle())


def test_a_column_that_cannot_be_had_is_told_once(visit, pool):
    page = visit(pool)
    page.route("**/column?name=meta%3Astreet", lambda route: route.fulfill(status=500, json={}))
    page.locator(".menu summary").click()
    page.get_by_role("group", name="Columns of the table").get_by_label("street").check()
    told = notice(page, "The column street cannot be shown. The backend answered 500.")
    told.wait_for()
    page.locator(".notice.failed").get_by_role("button", name="Close").click()
    n_asked = len(pool.asked)
    pool.revision += 1
    while not any("frame" in one for one in pool.asked[n_asked:]):
        page.wait_for_timeout(50)
    page.wait_for_timeout(200)
    assert told.count() == 0


def test_the_selection_or_the_filter_goes_to_the_head_of_the_queue(visit, pool):
    page = visit(pool, "?f.skipped=true")
    wait_total(page, 1)
    page.get_by_role("button", name="Label this one next").click()
    notice(page, "Requested first: 1 clip").wait_for()
    assert pool.queue == list(pool.skipped)
    page.get_by_role("button", name="Clear all").click()
    page.locator(f"#clip-{pool.ids[2]}").click()
    page.locator(f"#clip-{pool.ids[3]}").click(modifiers=["Control"])
    page.get_by_role("button", name="Label these 2 next").click()
    notice(page, "None of them is left to label.").wait_for()
    assert pool.queue == pool.ids[2:4].tolist()
    page.get_by_role("button", name="Make a tab of 2").click()
    page.get_by_label("Title").fill("Odd <ones>")
    page.keyboard.press("Enter")
    link = page.get_by_role("link", name="Open it in Label Studio")
    assert link.get_attribute("href") == "http://127.0.0.1:9/projects/1/data?tab=5"
    assert pool.tabs == [{"title": "Odd <ones>", "task_ids": pool.ids[2:4].tolist()}]


# Inspector


def test_space_plays_and_a_click_on_the_spectrogram_seeks(visit, pool):
    page = visit(pool, f"?focus={pool.ids[0]}")
    slider = page.get_by_role("slider", name="Place in the clip")
    until(page, "document.querySelector('.clock').textContent.endsWith('0:01.5')")
    page.locator("body").press("Space")
    page.get_by_role("button", name="Pause").wait_for()
    until(page, "document.querySelector('.plot').getAttribute('aria-valuenow') > 0.2")
    page.locator("body").press("Space")
    page.get_by_role("button", name="Play", exact=True).wait_for()
    box = slider.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 30)
    assert float(slider.get_attribute("aria-valuenow")) == pytest.approx(0.75, abs=0.02)
    cursor = page.locator(".cursor").bounding_box()
    assert cursor["x"] - box["x"] == pytest.approx(box["width"] / 2, abs=3)
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert float(slider.get_attribute("aria-valuenow")) == pytest.approx(1.0, abs=0.03)
    assert state(page)["focus"] == pool.ids[0]


def test_the_colors_fill_the_plot_and_the_picture_s_margins_fall_outside(visit, pool):
    page = visit(pool, f"?focus={pool.ids[0]}")
    until(page, "document.querySelector('.plot-picture').naturalWidth === 1200")
    plot = page.locator(".plot").bounding_box()
    picture = page.locator(".plot-picture").bounding_box()
    scale = plot["width"] / (1200 - 58 - 92)
    assert picture["x"] == pytest.approx(plot["x"] - 58 * scale, abs=1)
    assert picture["width"] == pytest.approx(1200 * scale, abs=1)
    assert picture["y"] == pytest.approx(plot["y"] - 8, abs=1)
    assert (picture["height"], plot["height"]) == (220, 188)


def test_arrows_go_on_and_the_next_clip_is_fetched_before(visit, pool):
    page = visit(pool, f"?focus={pool.ids[0]}")
    page.get_by_role("heading", name=pool.clips[0]).wait_for()
    next_audio = f"GET /projects/1/clips/{pool.ids[1]}/audio"
    wait_so(page, lambda: next_audio in pool.asked)
    assert next_audio in pool.asked
    page.get_by_label("Autoplay").check()
    page.keyboard.press("ArrowRight")
    page.get_by_role("heading", name=pool.clips[1]).wait_for()
    page.get_by_role("button", name="Pause").wait_for()
    assert pool.asked.count(next_audio) == 1
    page.keyboard.press("ArrowLeft")
    page.get_by_role("heading", name=pool.clips[0]).wait_for()


def test_several_selected_are_walked_among_themselves(visit, pool):
    chosen = pool.ids[[3, 9, 20]].tolist()
    page = visit(pool, f"?sel={','.join(map(str, chosen))}")
    page.get_by_text("1 of 3 selected").wait_for()
    assert state(page)["focus"] == chosen[0]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.get_by_text("3 of 3 selected").wait_for()
    assert state(page)["focus"] == chosen[2]
    assert page.get_by_role("button", name="Next clip").is_disabled()


def test_a_number_labels_the_clip_and_the_next_one_comes(visit, pool):
    page = visit(pool, f"?focus={pool.ids[100]}")
    page.get_by_role("heading", name=pool.clips[100]).wait_for()
    page.keyboard.press("1")
    page.get_by_role("heading", name=pool.clips[101]).wait_for()
    until(
        page,
        "id => document.getElementById(`clip-${id}`)?.textContent.includes('siren') ",
        arg=str(pool.ids[100]),
    )
    wait_so(page, lambda: pool.ids[100] in pool.labels)  # the row says so before it is sent
    assert pool.labels[pool.ids[100]] == [SIREN]
    page.keyboard.press("s")
    page.get_by_role("heading", name=pool.clips[102]).wait_for()
    wait_so(page, lambda: pool.ids[101] in pool.skipped)
    assert pool.ids[101] in pool.skipped
    page.keyboard.press("Control+z")
    page.get_by_role("heading", name=pool.clips[101]).wait_for()
    notice(page, "Undone").wait_for()
    assert pool.ids[101] not in pool.skipped
    page.keyboard.press("Control+z")
    page.get_by_role("heading", name=pool.clips[100]).wait_for()
    wait_so(page, lambda: pool.ids[100] not in pool.labels)
    assert pool.ids[100] not in pool.labels, "the label before that goes, too"
    page.keyboard.press("Control+z")
    notice(page, "There is nothing to undo.").wait_for()


def test_a_label_stays_in_sight_while_the_server_tells_of_earlier_ones_only(visit, pool):
    page = visit(pool, f"?focus={pool.ids[100]}")
    page.get_by_role("heading", name=pool.clips[100]).wait_for()
    pool.unseen = {pool.ids[100]}
    row = page.locator(f"#clip-{pool.ids[100]}")
    asked = len(pool.asked)
    page.keyboard.press("1")
    page.get_by_role("heading", name=pool.clips[101]).wait_for()
    while "GET /projects/1/frame" not in pool.asked[asked:]:
        page.wait_for_timeout(50)
    page.wait_for_timeout(300)
    assert "siren" in row.locator(".grid-cell").nth(2).inner_text(), "it does not flicker"


def test_a_number_that_is_not_finished_changes_no_filter(visit, pool):
    page = visit(pool, "?f.meta:salience=3..")
    n = int((pool.salience >= 3).sum())
    wait_total(page, n)
    field = column(page, "salience").get_by_label("salience, from")
    field.click()
    page.keyboard.type("-")
    page.keyboard.press("Enter")
    until(page, "field => field.value === '3'", arg=field.element_handle())
    wait_total(page, n)


def test_without_webgl_filters_table_and_inspector_work(browser, pool):
    hide = "HTMLCanvasElement.prototype.getContext = () => null;"
    with served(create_small_app(pool)) as address:
        context = browser.new_context()
        context.add_init_script(hide)
        page = context.new_page()
        page.goto(f"{address}/projects/1/map?f.meta:salience=3..")
        page.get_by_text("shows no WebGL2").wait_for()
        wait_total(page, int((pool.salience >= 3).sum()))
        page.locator(f"#clip-{pool.ids[np.flatnonzero(pool.salience >= 3)[0]]}").click()
        page.get_by_role("button", name="Play").wait_for()
        context.close()


def test_a_clip_that_is_not_there_yet_is_not_labeled_nor_the_one_before(visit, pool):
    page = visit(pool, f"?focus={pool.ids[100]}")
    page.get_by_role("heading", name=pool.clips[100]).wait_for()
    before = dict(pool.labels)
    page.evaluate(  # at once, however busy the machine is
        """() => { for (const key of ["ArrowLeft", "1"])
          document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true })); }"""
    )
    page.get_by_role("heading", name=pool.clips[99]).wait_for()
    page.wait_for_timeout(200)
    assert pool.labels == before


def test_the_keyboard_stays_on_the_label_that_it_pressed(visit, pool):
    page = visit(pool, f"?focus={pool.ids[100]}")
    page.get_by_role("heading", name=pool.clips[100]).wait_for()
    page.locator(".labels button", has_text="siren").press("Enter")
    page.get_by_role("heading", name=pool.clips[101]).wait_for()
    page.wait_for_timeout(200)
    assert page.evaluate("document.activeElement.title") == SIREN


def test_a_click_on_a_label_leaves_space_to_the_player(visit, pool):
    page = visit(pool, f"?focus={pool.ids[100]}")
    page.locator(".labels button", has_text="other").click()
    page.get_by_role("heading", name=pool.clips[101]).wait_for()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Pause").wait_for()
    assert pool.ids[101] not in pool.labels


def test_several_are_labeled_after_a_question_and_taken_back_together(visit, pool):
    chosen = pool.ids[[100, 110, 120]].tolist()
    page = visit(pool, f"?sel={','.join(map(str, chosen))}")
    page.get_by_text("1 of 3 selected").wait_for()
    page.keyboard.press("Shift+Digit1")
    page.get_by_role("heading", name="Label these 3 clips as siren?").wait_for()
    page.keyboard.press("Escape")
    assert not set(chosen) & set(pool.labels)
    page.get_by_label("Label all 3 selected").check()
    page.locator(".labels button", has_text="siren").click()
    page.get_by_role("button", name="Label 3 clips").click()
    notice(page, "3 clips: siren.").wait_for()
    assert all(pool.labels[task_id] == [SIREN] for task_id in chosen)
    page.locator(".notice").get_by_role("button", name="Undo").click()
    notice(page, "Undone").wait_for()
    assert not set(chosen) & set(pool.labels)


def select(page, task_ids):
    page.evaluate(
        """async (ids) => {
          const page = document.querySelector('script[src*="map_page.js"]').src;
          const { state } = await import(page.replace("map_page.js", "data/state.js"));
          state.set({ selection: ids });
        }""",
        [int(one) for one in task_ids],
    )
    row = (int(task_ids[0]) - 10) // 3
    until(
        page,
        "name => document.querySelector('.clip-name').textContent.startsWith(name)",
        arg=f"clip {row:05d}",
    )


def press_other_for(page, task_ids):
    """Select clips, and press the key of a class for all of them."""
    select(page, task_ids)
    page.get_by_text(f"1 of {len(task_ids)} selected").wait_for()
    page.keyboard.press("Shift+Digit3")


def test_the_question_says_what_is_labeled_already_and_offers_the_rest_first(visit, pool):
    task_ids = pool.ids[50:100].tolist()  # ten have a label, one is skipped
    before, skipped = dict(pool.labels), set(pool.skipped)
    said = [pool.labels[i][0] for i in task_ids if i in pool.labels]
    assert (len(said), len(skipped & set(task_ids))) == (10, 1)
    page = visit(pool)
    press_other_for(page, task_ids)
    question = page.get_by_role("dialog", name="Label these 50 clips as other?")
    told = question.inner_text()
    assert "10 of them are labeled already" in told
    assert "1 is skipped" in told
    for name in set(said):
        assert f"{said.count(name)} {name}" in told
    keep_picture(page, "question")
    page.keyboard.press("Enter")
    notice(page, "39 clips: other.").wait_for()
    free = [i for i in task_ids if i not in before and i not in skipped]
    assert {i: pool.labels[i] for i in pool.labels if i not in free} == before
    assert all(pool.labels[i] == [OTHER] for i in free)
    assert pool.skipped == skipped
    page.keyboard.press("Control+z")
    notice(page, "Undone: 39 clips.").wait_for()
    assert pool.labels == before


@pytest.mark.parametrize("n_free", [3, 0])
def test_clips_with_an_annotation_and_no_label_are_told_and_labeled_when_asked_for(visit, n_free):
    pool = SmallPool()
    odd, free = pool.ids[100:104].tolist(), pool.ids[104 : 104 + n_free].tolist()
    pool.odd = dict(zip(odd, ["tied", "no_label", "no_label", "unreadable"], strict=True))
    page = visit(pool)
    press_other_for(page, odd + free)
    question = page.get_by_role("dialog", name=f"Label these {len(odd + free)} clips as other?")
    told = "1 of them is tied, 2 are submitted without a label, 1 is unreadable."
    assert told in question.inner_text()
    if free:
        question.get_by_role("button", name="Label only the 3 without an answer").click()
        notice(page, "3 clips: other.").wait_for()
    else:
        question.get_by_role("button", name="Label all 4 again").click()
        notice(page, "4 clips: other.").wait_for()
    assert pool.pieces == [free or odd]


def test_a_held_key_labels_one_clip(visit, pool):
    page = visit(pool)
    page.get_by_role("grid").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_timeout(400)
    page.keyboard.down("Digit3")
    for _ in range(4):
        page.wait_for_timeout(300)
        page.keyboard.down("Digit3")  # as the keyboard repeats it
    page.keyboard.up("Digit3")
    page.wait_for_timeout(300)
    assert len(pool.pieces) == 1


def test_to_label_all_of_them_is_the_second_choice_and_undone_exactly(visit, pool):
    task_ids = pool.ids[50:100].tolist()
    before, skipped = dict(pool.labels), set(pool.skipped)
    page = visit(pool)
    press_other_for(page, task_ids)
    page.get_by_role("button", name="Label all 50").click()
    notice(page, "50 clips: other.").wait_for()
    assert all(pool.labels[i] == [OTHER] for i in task_ids)
    page.locator(".notice").get_by_role("button", name="Undo").click()
    notice(page, "Undone: 50 clips.").wait_for()
    assert (pool.labels, pool.skipped) == (before, skipped)


def test_where_all_have_an_answer_enter_changes_none(visit, pool):
    task_ids, before = pool.ids[:9].tolist(), dict(pool.labels)
    page = visit(pool)
    press_other_for(page, task_ids)
    page.get_by_role("button", name="Label all 9 again").wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for(state="detached")
    assert (pool.labels, pool.pieces) == (before, [])


def test_what_somebody_answered_meanwhile_keeps_its_answer(visit, pool):
    task_ids = pool.ids[100:104].tolist()
    page = visit(pool)
    press_other_for(page, task_ids)
    page.get_by_role("button", name="Label 4 clips").wait_for()
    pool.labels[task_ids[1]] = [SIREN]  # which the page has not heard of
    page.keyboard.press("Enter")
    notice(page, "3 clips: other. 1 clip had an answer and kept it.").wait_for()
    assert pool.labels[task_ids[1]] == [SIREN]


def test_any_number_is_labeled_in_the_background_and_undone_together(visit):
    pool = SmallPool(1000)
    task_ids, before = pool.ids[300:].tolist(), dict(pool.labels)
    page = visit(pool)
    pool.goes_on.clear()
    press_other_for(page, task_ids)
    page.get_by_role("button", name="Label 700 clips").click()
    working = page.locator(".notice.working")
    working.get_by_text("Labeling as other: 0 of 700 clips").wait_for()
    keep_picture(page, "working")
    pool.goes_on.set()
    notice(page, "700 clips: other.").wait_for()
    assert working.count() == 0
    assert max(map(len, pool.pieces)) <= 50
    assert sorted(i for piece in pool.pieces for i in piece) == task_ids
    assert all(pool.labels[i] == [OTHER] for i in task_ids)
    page.keyboard.press("Control+z")
    notice(page, "Undone: 700 clips.").wait_for()
    assert pool.labels == before
    page.keyboard.press("Control+z")
    notice(page, "There is nothing to undo.").wait_for()


@pytest.mark.parametrize("how", ["the button", "undo"])
def test_labeling_many_can_be_stopped(visit, pool, how):
    task_ids, before = pool.ids[100:].tolist(), dict(pool.labels)
    page = visit(pool)
    press_other_for(page, task_ids)
    pool.most_in_bulk = 50
    page.get_by_role("button", name="Label 200 clips").click()
    page.locator(".notice.working").get_by_text("50 of 200 clips").wait_for()
    if how == "undo":
        page.keyboard.press("Control+z")
    else:
        page.get_by_role("button", name="Stop").click()
        notice(page, "50 clips: other, 150 unchanged.").wait_for()
        assert len(pool.labels) == len(before) + 50
        page.locator(".notice").get_by_role("button", name="Undo").click()
    notice(page, "Undone").wait_for()
    assert pool.labels == before
    assert len(pool.pieces) == 1


def test_labeling_many_goes_on_when_the_page_is_closed_and_is_told_of_when_it_is_back(visit, pool):
    task_ids, before = pool.ids[100:].tolist(), dict(pool.labels)
    page = visit(pool)
    pool.goes_on.clear()
    press_other_for(page, task_ids)
    page.get_by_role("button", name="Label 200 clips").click()
    working = page.locator(".notice.working")
    working.get_by_text("Labeling as other: 0 of 200 clips").wait_for()
    page.reload()  # no question holds it up
    working.get_by_text("Labeling as other: 0 of 200 clips").wait_for()
    pool.goes_on.set()
    notice(page, "200 clips: other.").wait_for()
    assert all(pool.labels[i] == [OTHER] for i in task_ids)
    page.reload()
    page.wait_for_selector("body[data-ready=yes]")
    page.get_by_role("grid").focus()
    until(page, "!document.querySelector('.labels-rest button.quiet').disabled")
    page.keyboard.press("Control+z")
    notice(page, "Undone: 200 clips.").wait_for()
    assert pool.labels == before


def test_a_backend_that_forgot_what_it_was_doing_is_told_of(visit, pool):
    page = visit(pool)
    press_other_for(page, pool.ids[100:].tolist())
    pool.most_in_bulk = 50
    page.get_by_role("button", name="Label 200 clips").click()
    page.locator(".notice.working").get_by_text("50 of 200 clips").wait_for()
    pool.bulks.clear()  # it was restarted
    page.locator(".notice.failed").get_by_text("unchanged").wait_for()
    assert "restarted" in page.locator(".notice.failed").inner_text()


def test_what_could_not_be_taken_back_is_tried_again_before_what_came_earlier(visit, pool):
    page = visit(pool, f"?focus={pool.ids[100]}")
    for row, key in ((100, "1"), (101, "1")):
        page.get_by_role("heading", name=pool.clips[row]).wait_for()
        page.keyboard.press(key)
    page.get_by_role("heading", name=pool.clips[102]).wait_for()
    wait_so(page, lambda: len(pool.said) == 2)
    page.wait_for_timeout(300)
    page.evaluate("document.querySelector('meta[name=csrf-token]').content = 'wrong'")
    page.keyboard.press("Control+z")
    page.get_by_text("The undo failed.").first.wait_for()
    page.evaluate(f"document.querySelector('meta[name=csrf-token]').content = '{CSRF_TOKEN}'")
    page.keyboard.press("Control+z")
    notice(page, "Undone").wait_for()
    assert pool.ids[101] not in pool.labels
    assert pool.labels[pool.ids[100]] == [SIREN]


def test_none_of_the_labels_is_shown_as_such_at_once(visit):
    pool = SmallPool(300, multi_label=True)
    page = visit(pool, f"?focus={pool.ids[100]}")
    page.get_by_role("heading", name=pool.clips[100]).wait_for()
    pool.unseen = {pool.ids[100]}
    page.keyboard.press("n")
    row = page.locator(f"#clip-{pool.ids[100]}")
    until(page, "row => row.textContent.includes('none of them')", arg=row.element_handle())


def test_keys_for_a_clip_that_is_still_coming_wait_for_it(visit, pool):
    page = visit(pool)
    coming = []
    page.route(f"**/clips/{pool.ids[100]}", lambda route: coming.append(route))
    page.goto(f"{page.url.split('?')[0]}?focus={pool.ids[100]}")
    wait_so(page, lambda: coming)
    page.locator(".clip-name", has_text=" ").wait_for()
    page.keyboard.press("1")
    page.keyboard.press("2")  # the first has moved on: it is for the clip that comes then
    assert pool.ids[100] not in pool.labels
    coming[0].continue_()
    wait_so(page, lambda: pool.labels.get(pool.ids[100]) == [SIREN])
    page.get_by_role("heading", name=pool.clips[101]).wait_for()
    assert pool.ids[101] not in pool.labels, "its name was not shown when 2 was pressed"


def test_enter_alone_never_says_that_a_clip_has_none_of_the_labels(visit):
    pool = SmallPool(300, multi_label=True)
    page = visit(pool, f"?focus={pool.ids[100]}")
    page.get_by_role("heading", name=pool.clips[100]).wait_for()
    page.keyboard.press("Enter")
    notice(page, "No label is chosen. N says: none of them.").wait_for()
    page.keyboard.press("1")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert pool.ids[100] not in pool.labels
    page.get_by_role("button", name="None of them").click()
    page.get_by_role("heading", name=pool.clips[101]).wait_for()
    wait_so(page, lambda: pool.labels.get(pool.ids[100]) == [])
    assert pool.labels[pool.ids[100]] == []


def test_none_of_them_is_no_answer_where_a_clip_has_one_label(visit, pool):
    page = visit(pool, f"?focus={pool.ids[100]}")
    page.get_by_role("heading", name=pool.clips[100]).wait_for()
    page.keyboard.press("n")
    page.wait_for_timeout(300)
    assert pool.ids[100] not in pool.labels
    assert page.get_by_role("button", name="None of them").is_hidden()


def test_a_sound_that_a_busy_server_refused_is_asked_for_again(visit, pool):
    pool.n_refused_sounds = 2
    page = visit(pool, f"?focus={pool.ids[0]}")
    until(page, "document.querySelector('.clock').textContent.includes('/ 0:01.5')")
    assert page.locator(".player .problem").is_hidden()


def test_where_several_labels_may_hold_they_are_switched_and_entered(visit):
    pool = SmallPool(300, multi_label=True)
    page = visit(pool, f"?focus={pool.ids[100]}")
    page.get_by_role("heading", name=pool.clips[100]).wait_for()
    page.keyboard.press("1")
    page.keyboard.press("3")
    page.get_by_role("button", name="Label as: siren, other").wait_for()
    assert pool.ids[100] not in pool.labels
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=pool.clips[101]).wait_for()
    wait_so(page, lambda: pool.labels.get(pool.ids[100]) == [SIREN, OTHER])
    assert pool.labels[pool.ids[100]] == [SIREN, OTHER]


def test_a_failure_is_told_and_what_was_shown_early_is_taken_back(visit, pool):
    page = visit(pool, f"?focus={pool.ids[100]}")
    page.get_by_role("heading", name=pool.clips[100]).wait_for()
    page.evaluate("document.querySelector('meta[name=csrf-token]').content = 'wrong'")
    page.keyboard.press("1")
    page.get_by_text("Nothing was labeled. The page's token is missing.").first.wait_for()
    assert pool.ids[100] not in pool.labels
    row = page.locator(f"#clip-{pool.ids[100]}")
    until(page, "row => !row.textContent.includes('siren<')", arg=row.element_handle())


def test_similar_clips_are_found_and_heard(visit, pool):
    page = visit(pool, f"?focus={pool.ids[100]}")
    page.get_by_role("heading", name="Find similar").click()
    near = page.locator(".neighbors button")
    near.first.wait_for()
    assert near.count() == 12
    near.nth(1).click()
    page.get_by_role("heading", name=pool.clips[1]).wait_for()
    page.get_by_role("button", name="Select these").click()
    assert len(state(page)["selection"]) == 13


def test_similar_clips_are_told_apart_by_whether_they_are_labeled(visit, pool):
    pool.labels = {int(pool.ids[row]): [SIREN] for row in (2, 5)}
    page = visit(pool, f"?focus={pool.ids[100]}")
    page.get_by_role("heading", name="Find similar").click()
    page.locator(".neighbors button").first.wait_for()
    listed = page.locator(".neighbors li").all_inner_texts()
    assert listed[0].split("\n")[0] == "Nearest labeled clips"
    assert listed[0].split("\n")[1] == "distance"
    assert [SIREN in one for one in listed[1:3]] == [True, True]
    assert listed[3].split("\n")[0] == "Nearest clips without a label"
    assert len(listed) == 14
    keep_picture(page, "similar")


def press_and_see(page, pool, row, key):
    """Open a clip, press a key, and give what the clip is then."""
    task_id, n = int(pool.ids[row]), len(pool.said)
    page.locator(f"#clip-{task_id}").click()
    page.get_by_role("heading", name=pool.clips[row]).wait_for()
    page.keyboard.press(key)
    wait_so(page, lambda: len(pool.said) > n)
    return "skipped" if task_id in pool.skipped else pool.labels[task_id][0]


def test_every_class_has_the_key_that_label_studio_gives_it(visit):
    names = [f"class {number:02d}" for number in range(1, 21)]
    pool = SmallPool(300, class_names=names)
    page = visit(pool, viewport={"width": 1400, "height": 1300})
    page.locator(f"#clip-{pool.ids[0]}").click()
    shown = page.locator(".labels kbd").all_inner_texts()
    assert shown == list("1234567890qwetasdfgz")
    assert press_and_see(page, pool, 0, "0") == "class 10"
    assert press_and_see(page, pool, 1, "q") == "class 11"
    assert press_and_see(page, pool, 2, "z") == "class 20"
    assert press_and_see(page, pool, 3, "s") == "class 16"
    assert press_and_see(page, pool, 4, "u") == "skipped", "as its button says"
    assert "U" in page.get_by_role("button", name="Skip", exact=False).last.inner_text()


def test_a_command_whose_key_is_a_class_s_has_none_and_the_help_says_so(visit):
    pool = SmallPool(300, hotkeys=["f", "x", ""])
    page = visit(pool)
    fit = page.get_by_role("button", name="Show the whole map")
    assert fit.get_attribute("title") == "Show the whole map"
    assert page.get_by_role("button", name="Zoom in (+)").is_visible()
    assert press_and_see(page, pool, 0, "f") == SIREN
    page.get_by_role("grid").focus()
    page.keyboard.press("x")
    wait_so(page, lambda: len(pool.said) == 2)
    page.locator(f"#clip-{pool.ids[3]}").click()
    page.get_by_role("heading", name=pool.clips[3]).wait_for()
    page.keyboard.press("3")
    page.wait_for_timeout(300)
    assert pool.said == [(pool.ids[0], [SIREN]), (pool.ids[1], [BARK])]
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    signs, meanings = (keys.locator(one).all_inner_texts() for one in ("dt", "dd"))
    rows = set(zip(signs, meanings, strict=True))
    assert rows >= {("f", "label siren"), ("x", "label <b>bark</b>"), ("S", "skip the clip")}
    assert "show the whole map" not in meanings
    assert ("Ctrl Space", "select the open clip, or deselect it") in rows
    assert ("G", "open it") in rows
    keep_picture(page, "help")


@pytest.mark.parametrize("key", ["Shift+Digit1", "Shift+KeyQ"])
def test_shift_and_a_key_is_for_all_selected_whether_digit_or_letter(visit, key):
    pool = SmallPool(300, hotkeys=["1", "q", ""])
    page = visit(pool)
    select(page, pool.ids[100:103])
    page.get_by_text("1 of 3 selected").wait_for()
    page.keyboard.press(key)
    name = SIREN if "1" in key else BARK
    page.get_by_role("heading", name=f"Label these 3 clips as {name}?").wait_for()


def test_the_arrows_of_a_number_pad_are_arrows(visit, pool):
    page = visit(pool, f"?focus={pool.ids[100]}")
    page.get_by_role("heading", name=pool.clips[100]).wait_for()
    page.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown',"
        " { key: 'End', code: 'Numpad1', bubbles: true }))"
    )
    page.wait_for_timeout(200)
    assert pool.pieces == []


def test_typing_is_not_labeling(visit, pool):
    page = visit(pool, f"?focus={pool.ids[100]}")
    page.get_by_role("heading", name=pool.clips[100]).wait_for()
    before = dict(pool.labels)
    field = column(page, "clip").get_by_role("searchbox")
    field.press_sequentially("1s0 ")
    page.wait_for_timeout(400)
    assert pool.labels == before
    assert not [path for path in pool.asked if path.startswith("POST")]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 1000])
def test_nothing_is_cut_off(visit, pool, theme, width, tmp_path):
    folder = Path(os.environ.get("EARMARK_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    query = "?focus=37&sel=13,34,37&f.meta:taken@hour=20..4&f.entropy=0.3.."
    page = visit(pool, query, viewport={"width": width, "height": 900}, color_scheme=theme)
    until(page, "document.querySelector('.plot-picture').naturalWidth > 0")
    page.wait_for_timeout(300)
    page.screenshot(path=folder / f"panels-{theme}-{width}.png")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    for panel in ("#filters", "#inspector"):
        overflow = page.locator(panel).evaluate("panel => panel.scrollWidth - panel.clientWidth")
        assert overflow <= 0, panel
