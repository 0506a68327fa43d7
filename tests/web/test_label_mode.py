"""Label and go on, in a real Chromium, over a small pool.

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

# What was started, and whether it was decoded before: the tasks of the sounds as they are played.
REMEMBER_SOUNDS = """
  window.fetched = []; window.started = [];
  const fetchNow = window.fetch;
  window.fetch = (address, ...how) => {
    const found = /clips\\/(\\d+)\\/audio/.exec(address);
    if (found) window.fetched.push(Number(found[1]));
    return fetchNow(address, ...how);
  };
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function (...when) {
    window.started.push(performance.now());
    return start.apply(this, when);
  };
  addEventListener("keydown", () => (window.pressedAt = performance.now()), { capture: true });
"""


@pytest.fixture
def visit(browser):
    """Serve a pool and open its page for labeling."""
    with ExitStack() as stack:

        def visit(pool, **how):
            address = stack.enter_context(served(create_small_app(pool)))
            page = stack.enter_context(opened(browser, f"{address}/blank", **how))
            page.add_init_script(REMEMBER_SOUNDS)
            page.goto(f"{address}/projects/1/label")
            page.wait_for_selector("body[data-ready=yes]")
            return page

        yield visit


@pytest.fixture
def pool():
    return SmallPool(60)


def wait_sent(page):
    until(page, "document.body.dataset.waiting === '0'")


def wait_clip(page, pool, task_id):
    name = pool.clip(task_id)["clip"]
    until(page, "name => document.querySelector('.clip-name').textContent === name", name)


def press(page, keys):
    for key in keys:
        page.keyboard.press(key)


def session(page):
    return page.locator(".session").inner_text()


def test_keys_label_the_clips_of_the_queue_in_its_order(visit, pool):
    order = pool.ahead()
    page = visit(pool)
    wait_clip(page, pool, order[0])
    press(page, "123s121")
    wait_sent(page)
    labels = [[SIREN], [BARK], [OTHER], None, [SIREN], [BARK], [SIREN]]
    assert pool.said == list(zip(order, labels, strict=False))
    wait_clip(page, pool, order[7])
    told = "6 labeled in this session · 1 skipped"
    until(page, "told => document.querySelector('.session').textContent.startsWith(told)", told)


def test_the_next_clip_plays_in_the_very_moment_of_the_key(visit, pool):
    order = pool.ahead()
    page = visit(pool)
    until(page, "ids => ids.every(id => window.fetched.includes(id))", order[:4])
    until(page, "window.started.length === 1")
    page.wait_for_timeout(500)  # decoded
    for n in range(2, 4):
        page.keyboard.press("1")
        assert page.evaluate("window.started.length") == n
        assert page.evaluate("window.started.at(-1) - window.pressedAt") >= 0
        assert page.evaluate("document.querySelector('.cursor').style.left") is not None
    page.keyboard.press(" ")
    assert page.evaluate("window.started.length") == 4
    assert page.evaluate("new Set(window.fetched).size === window.fetched.length"), "each once"


def test_back_shows_the_last_answers_and_changes_them(visit, pool):
    order = pool.ahead()
    page = visit(pool)
    undo = page.get_by_role("button", name="Undo")
    assert undo.is_disabled()
    press(page, "11")
    wait_clip(page, pool, order[2])
    assert undo.is_enabled()
    press(page, ["Backspace", "Backspace"])
    wait_clip(page, pool, order[0])
    assert page.locator(".labels [aria-pressed=true] .name").inner_text() == SIREN
    page.keyboard.press("Backspace")  # nothing is before the first
    page.keyboard.press("2")
    wait_clip(page, pool, order[1])
    page.keyboard.press("1")  # as it was: nothing to write
    wait_clip(page, pool, order[2])
    page.keyboard.press("3")
    wait_clip(page, pool, order[3])
    wait_sent(page)
    assert pool.said == [
        (order[0], [SIREN]),
        (order[1], [SIREN]),
        (order[0], [BARK]),
        (order[2], [OTHER]),
    ]
    assert session(page).startswith("3 labeled")


def test_an_earlier_answer_is_opened_by_a_click_and_the_arrow_leads_on(visit, pool):
    order = pool.ahead()
    page = visit(pool)
    press(page, "123")
    page.locator(".last button").nth(2).click()
    wait_clip(page, pool, order[0])
    press(page, ["ArrowRight"] * 5)
    wait_clip(page, pool, order[3])
    page.keyboard.press("ArrowLeft")
    wait_clip(page, pool, order[2])


def test_undo_takes_the_last_answer_back_and_asks_again(visit, pool):
    order = pool.ahead()
    page = visit(pool)
    press(page, "12")
    wait_sent(page)
    page.keyboard.press("Control+z")
    wait_clip(page, pool, order[1])
    wait_sent(page)
    assert order[1] not in pool.labels
    assert pool.labels[order[0]] == [SIREN]
    press(page, "33")
    wait_clip(page, pool, order[3])
    wait_sent(page)
    assert [pool.labels[one] for one in order[:3]] == [[SIREN], [OTHER], [OTHER]]
    press(page, ["Control+z"] * 3)
    wait_clip(page, pool, order[0])
    wait_sent(page)
    assert not any(one in pool.labels for one in order[:3])
    page.keyboard.press("Control+z")
    press(page, "111")
    wait_sent(page)
    assert all(pool.labels[one] == [SIREN] for one in order[:3])


def test_undo_of_a_changed_answer_brings_the_first_one_back(visit, pool):
    order = pool.ahead()
    page = visit(pool)
    press(page, ["1", "Backspace", "2", "Control+z"])
    wait_clip(page, pool, order[0])
    wait_sent(page)
    assert pool.labels[order[0]] == [SIREN]
    assert page.locator(".labels [aria-pressed=true] .name").inner_text() == SIREN


def test_what_cannot_be_sent_is_kept_shown_and_sent_in_order_later(visit, pool):
    order = pool.ahead()
    page = visit(pool)
    pool.is_down = True
    press(page, "123")
    page.get_by_text("3 not sent yet").wait_for()
    assert page.locator(".last").get_by_text("being sent").count() == 3
    assert pool.said == []
    page.keyboard.press("Control+z")  # never sent
    page.keyboard.press("1")
    pool.is_down = False
    wait_sent(page)
    assert pool.said == [(order[0], [SIREN]), (order[1], [BARK]), (order[2], [SIREN])]
    assert page.locator(".sending").inner_text() == ""


def test_without_a_network_labeling_goes_on_and_leaving_warns(visit, pool):
    order = pool.ahead()
    page = visit(pool)
    until(page, "ids => ids.every(id => window.fetched.includes(id))", order[:4])
    page.wait_for_timeout(300)
    page.context.set_offline(True)
    press(page, "12")
    wait_clip(page, pool, order[2])
    page.get_by_text("2 not sent yet").wait_for()
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.close(run_before_unload=True)
    page.wait_for_timeout(300)
    assert asked == ["beforeunload"]
    page.context.set_offline(False)
    wait_sent(page)
    assert pool.said == [(order[0], [SIREN]), (order[1], [BARK])]
    page.goto("about:blank")
    assert asked == ["beforeunload"], "nothing is left to lose"


def test_unsent_answers_outlive_a_reload(visit, pool):
    order = pool.ahead()
    page = visit(pool)
    pool.is_down = True
    press(page, "12")
    page.get_by_text("2 not sent yet").wait_for()
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    page.wait_for_selector("body[data-ready=yes]")
    wait_clip(page, pool, order[2])  # those on their way are not asked about again
    pool.is_down = False
    wait_sent(page)
    assert pool.said == [(order[0], [SIREN]), (order[1], [BARK])]


def test_what_is_refused_for_good_is_said_and_holds_nothing_up(visit, pool):
    order = pool.ahead()
    page = visit(pool)
    pool.refused = {order[0]: "Label Studio does not have it any more."}
    press(page, "12")
    page.get_by_text("1 not written: Label Studio does not have it any more.").wait_for()
    assert page.locator(".last").get_by_text("not written").count() == 1
    wait_sent(page)
    assert pool.said == [(order[1], [BARK])]
    pool.refused = {}
    page.get_by_role("button", name="Send again").click()
    wait_sent(page)
    assert pool.said[-1] == (order[0], [SIREN])
    assert page.locator(".sending").inner_text() == ""


def test_a_refused_answer_that_was_changed_since_is_not_sent_over_the_new_one(visit, pool):
    order = pool.ahead()
    page = visit(pool)
    pool.refused = {order[0]: "Label Studio does not take it."}
    press(page, "1")
    page.get_by_text("1 not written").wait_for()
    pool.refused = {}
    press(page, ["Backspace", "2"])
    wait_sent(page)
    assert page.locator(".sending").inner_text() == ""
    assert pool.said == [(order[0], [BARK])]
    press(page, ["Control+z"])  # and with it comes back what was refused
    page.get_by_role("button", name="Send again").click()
    wait_sent(page)
    assert pool.said[-1] == (order[0], [SIREN])


def test_what_was_given_up_is_not_counted_and_stays_marked(visit, pool):
    order = pool.ahead()
    page = visit(pool)
    pool.refused = {order[0]: "Label Studio does not take it."}
    press(page, "12")
    page.get_by_text("1 not written").wait_for()
    wait_sent(page)
    assert session(page).startswith("1 labeled")
    page.get_by_role("button", name="Give up").click()
    assert session(page).startswith("1 labeled")
    assert page.locator(".last").get_by_text("not written").count() == 1


def test_no_guess_of_the_clip_before_stands_at_the_buttons_of_the_next(visit, pool):
    page = visit(pool)
    page.locator(".labels .guessed").wait_for()
    order = pool.ahead()
    page.route("**/clips/*", lambda route: None)  # nothing more is known of any clip
    for _ in order[:7]:
        press(page, "3")
    wait_sent(page)
    until(page, "document.querySelector('.clip-name').textContent.startsWith('Clip ')")
    assert page.locator(".guessed").count() == 0
    assert "".join(page.locator(".probability").all_inner_texts()) == ""


def test_after_a_round_the_next_clips_follow_the_new_order(visit, pool):
    order = pool.ahead()
    page = visit(pool)
    wait_clip(page, pool, order[0])
    pool.entropy = pool.entropy.max() - pool.entropy  # the last are first now
    pool.revision += 1
    page.keyboard.press("1")
    wait_sent(page)
    new = pool.ahead()
    until(page, "id => window.fetched.includes(id)", new[0])
    press(page, "1")
    wait_clip(page, pool, order[2])  # it was ready
    press(page, "1")
    wait_clip(page, pool, new[0])
    press(page, "111")
    wait_clip(page, pool, new[3])
    wait_sent(page)
    assert [one for one, _ in pool.said] == [*order[:3], *new[:3]]


def test_a_page_that_is_left_gives_its_clips_back(visit, pool):
    page = visit(pool)
    page.goto("about:blank")
    page.wait_for_timeout(200)
    assert [one for one in pool.asked if one.startswith("DELETE /projects/1/label/next/")]


def test_the_end_of_the_queue_is_told(visit):
    pool = SmallPool(12)
    order = pool.ahead()
    page = visit(pool)
    for _ in order:
        page.wait_for_selector(".labeled-clip:visible")
        page.keyboard.press("2")
        page.wait_for_timeout(60)
    page.get_by_text("Every clip of the queue is labeled.").wait_for()
    wait_sent(page)
    assert [one for one, _ in pool.said] == order
    page.keyboard.press("1")
    page.keyboard.press("Backspace")
    wait_clip(page, pool, order[-1])
    assert len(pool.said) == len(order)


def test_a_held_key_labels_one_clip(visit, pool):
    order = pool.ahead()
    page = visit(pool)
    for _ in range(5):
        page.keyboard.down("1")
    page.keyboard.up("1")
    wait_clip(page, pool, order[1])
    wait_sent(page)
    assert pool.said == [(order[0], [SIREN])]


def test_where_clips_have_several_labels_keys_switch_and_enter_submits(visit):
    pool = SmallPool(60, multi_label=True)
    order = pool.ahead()
    page = visit(pool)
    wait_clip(page, pool, order[0])
    page.keyboard.press("Enter")  # nothing is chosen: nothing is said
    press(page, ["1", "2", "3", "2", "Enter"])
    wait_clip(page, pool, order[1])
    press(page, ["n", "s"])
    wait_clip(page, pool, order[3])
    press(page, ["Backspace"] * 3)
    wait_clip(page, pool, order[0])
    press(page, ["1", "Enter"])
    wait_sent(page)
    assert pool.said == [
        (order[0], [SIREN, OTHER]),
        (order[1], []),
        (order[2], None),
        (order[0], [OTHER]),
    ]


def test_one_key_has_one_meaning_where_classes_take_those_of_skip_and_none(visit):
    names = [f"class {number}" for number in range(4)]
    pool = SmallPool(60, class_names=names, hotkeys=["s", "n", "", "u"])
    order = pool.ahead()
    page = visit(pool)
    wait_clip(page, pool, order[0])
    signs = page.locator(".labels kbd").all_inner_texts()
    assert signs == ["s", "n", "u"]
    assert page.get_by_role("button", name="Skip").inner_text().endswith("R")
    press(page, "snur")
    page.get_by_role("button", name="class 2").click()
    press(page, "s")
    wait_sent(page)
    said = [labels for _, labels in pool.said]
    assert said == [["class 0"], ["class 1"], ["class 3"], None, ["class 2"], ["class 0"]]


def test_after_a_click_space_plays_instead_of_pressing_the_button_again(visit, pool):
    order = pool.ahead()
    page = visit(pool)
    page.get_by_role("button", name=SIREN).click()
    wait_clip(page, pool, order[1])
    page.keyboard.press(" ")
    wait_sent(page)
    assert pool.said == [(order[0], [SIREN])]


def test_the_models_guess_is_shown_unless_the_project_hides_it(visit, pool):
    probabilities = pool.clip(pool.ahead()[0])["probabilities"]
    likeliest = max(probabilities, key=probabilities.get)
    page = visit(pool)
    page.get_by_text(f"Model: {likeliest} {probabilities[likeliest]:.2f}").wait_for()
    assert page.locator(".labels .guessed .name").inner_text() == likeliest
    pool.is_blind = True
    blind = visit(pool)
    blind.get_by_text("Open in Label Studio").wait_for()
    assert blind.locator(".guess").inner_text() == ""
    assert blind.locator(".guessed").count() == 0
    assert "".join(blind.locator(".probability").all_inner_texts()) == ""


def test_metadata_is_folded_and_shown_as_text(visit, pool):
    page = visit(pool)
    page.get_by_text("Open in Label Studio").wait_for()
    assert page.get_by_text("<img src=x onerror=alert(1)>").is_hidden()
    page.get_by_text("Metadata").first.click()
    assert page.get_by_text("<img src=x onerror=alert(1)>").is_visible()


def test_a_silent_queue_is_said_and_found_again(visit, pool):
    page = visit(pool)
    page.route("**/label/next", lambda route: route.fulfill(status=502, json={"error": "Silence."}))
    press(page, "1" * 12)
    page.locator(".sending").get_by_text("Silence.").wait_for()
    page.locator(".empty").get_by_text("Silence.").wait_for()
    page.unroute("**/label/next")
    page.wait_for_selector(".labeled-clip:visible")
    wait_sent(page)
    assert len(pool.said) == 8


def test_the_map_leads_there(browser, pool):
    with (
        served(create_small_app(pool)) as address,
        opened(browser, f"{address}/projects/1/map") as page,
    ):
        page.wait_for_selector("body[data-ready=yes]")
        page.get_by_role("link", name="Label and go on").click()
        page.wait_for_url("**/projects/1/label")
        page.wait_for_selector("body[data-ready=yes]")


@pytest.mark.parametrize("width", [420, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault_of_accessibility(visit, scheme, width, tmp_path):
    from axe_playwright_python.sync_playwright import Axe

    pool = SmallPool(60, multi_label=True)
    page = visit(pool, color_scheme=scheme, viewport={"width": width, "height": 900})
    pool.is_down = True
    press(page, ["1", "Enter", "n", "2", "1"])
    page.get_by_text("2 not sent yet").wait_for()
    page.wait_for_timeout(300)
    folder = Path(os.environ.get("EARMARK_SCREENSHOTS", tmp_path))
    page.screenshot(path=folder / f"label-{scheme}-{width}.png", full_page=True)
    found = Axe().run(page).response
    faults = [(one["impact"], one["id"], one["nodes"][0]["html"]) for one in found["violations"]]
    assert faults == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    pool.is_down = False
    wait_sent(page)


def test_the_pace_is_that_of_who_is_there(visit, pool):
    page = visit(pool)
    told = page.evaluate(
        """async () => {
          const { Pace } = await import(document.querySelector('script[type=module]').src
            .replace("label_page.js", "label/pace.js"));
          const pace = new Pace();
          return [0, 2, 4, 600, 601, 603].map((now) => (pace.count(now), pace.perMinute));
        }"""
    )
    assert told == [None, None, 30, 30, pytest.approx(36), pytest.approx(60 * 4 / 7)]
