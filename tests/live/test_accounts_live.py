"""No clip goes missing: a real Label Studio, whatever its annotations hold, and a real Chromium.

``EARMARK_SCREENSHOTS=DIR`` keeps pictures there, to look at.
"""

import os
from pathlib import Path

import pytest

from importer.demo.streets import make_street_set
from ml_backend.clip import STATES
from tests.browsing import chromium, opened, until
from tests.live.served import Earmark
from tests.live.test_loop_live import chosen, next_task

pytestmark = [pytest.mark.live, pytest.mark.browser]

N_CLIPS = 24


@pytest.fixture(scope="module")
def earmark(studio, tmp_path_factory):
    folder = tmp_path_factory.mktemp("accounts")
    with Earmark(studio, folder, EARMARK_EMBEDDER="melstats") as started:
        yield started


def strange(control, value):
    return [{"from_name": control, "to_name": "audio", "type": "choices", "value": value}]


def test_the_numbers_add_up_and_what_has_no_label_is_asked_about_again(
    earmark, label_studio, second_annotator, api, title, tmp_path
):
    street = make_street_set(tmp_path / "street", n_clips=N_CLIPS)
    project_id = earmark.set_up(title, street, n_clips=N_CLIPS)
    ids = earmark.order(project_id)
    for name, task_id in zip(["siren", "other"] * 2, ids[:4], strict=True):
        label_studio.annotate(task_id, chosen(name))
    empty = [label_studio.annotate(task_id, [])["task"] for task_id in ids[4:9]]
    skipped = [label_studio.annotate(one, [], was_cancelled=True)["task"] for one in ids[9:11]]
    label_studio.annotate(ids[11], chosen("siren"))
    second_annotator.annotate(ids[11], chosen("other"))
    label_studio.annotate(ids[12], strange("label", {"choices": ["siren"]}))
    label_studio.annotate(ids[13], strange("sound", {"choices": ["gone"]}))
    label_studio.annotate(ids[14], strange("sound", {"choices": "siren"}))
    # Label Studio answers 500 to this one, and keeps it.
    odd = {"result": strange("sound", "siren")}
    assert api.post(f"/api/tasks/{ids[15]}/annotations/", json=odd).status_code == 500
    wrong = label_studio.annotate(ids[16], chosen("other"))
    right = second_annotator.annotate(ids[16], chosen("siren"))
    label_studio.update_annotation(right["id"], ground_truth=True)
    gone = label_studio.annotate(ids[17], chosen("siren"))
    label_studio.delete_annotation(gone["id"])
    label_studio.annotate(ids[18], chosen("siren"))
    assert api.delete(f"/api/tasks/{ids[18]}/").status_code == 204

    def told(**wanted):
        states = dict.fromkeys(STATES, 0) | wanted
        status = earmark.wait_for(project_id, lambda one: one["states"] == states)
        earmark.wait_for(project_id, lambda one: not one["is_waiting"])
        assert sum(states.values()) == status["n_clips"] == N_CLIPS - 1
        return status

    status = told(labeled=6, skipped=2, tied=1, no_label=5, unreadable=3, pool=6)
    assert status["labels"] == {"siren": 4, "other": 2}
    said = "\n".join(one["text"] for one in status["unread"])
    assert "1 annotation uses the control 'label'; Earmark reads 'sound'." in said
    assert "1 annotation holds 'gone', which is no label of this project" in said
    assert "1 annotation holds something that is no list of labels" in said
    line = "6 labeled, 2 skipped, 1 tied, 5 submitted without a label, 3 unreadable, 6 in the pool"
    for command in (("status",), ("queue", "--project", str(project_id))):
        assert f"{line}: {N_CLIPS - 1} in all" in earmark.say(*command)
    assert label_studio.annotation(wrong["id"])["result"]

    address = earmark.say("map", "--project", str(project_id)).strip()
    pictures = Path(os.environ.get("EARMARK_SCREENSHOTS", tmp_path))
    pictures.mkdir(parents=True, exist_ok=True)
    with chromium() as browser, opened(browser, address) as page:
        page.wait_for_url("**/map*")
        page.goto(f"{earmark.settings.backend_url}/projects/{project_id}")
        page.screenshot(path=pictures / "states.png", full_page=True)
        there = [state for state in STATES if status["states"][state]]
        for place, state in enumerate(there):
            n_clips, link = status["states"][state], page.locator("#states dd a").nth(place)
            assert link.inner_text() == str(n_clips)
            with page.context.new_page() as tab:
                tab.goto(f"{earmark.settings.backend_url}{link.get_attribute('href')}")
                shown = f"{n_clips} of {N_CLIPS - 1} clips"
                tab.locator(".total", has_text=shown).wait_for()
                if state == "no_label":
                    tab.locator("[id^=clip-]").first.click()
                    tab.get_by_text("Submitted without a label by").first.wait_for()
                    assert tab.get_by_text("do not agree").count() == 0
                    tab.screenshot(path=pictures / "without_a_label.png")

        page.get_by_role("button", name="Ask about them again").click()
        page.get_by_text("hold no label. They are deleted").wait_for()
        page.screenshot(path=pictures / "ask_again.png")
        page.get_by_role("button", name="Delete and ask again").click()
        page.get_by_text("5 clips will be asked about again first.").first.wait_for()
        told(labeled=6, skipped=2, tied=1, unreadable=3, pool=11)
        until(page, "!document.querySelector('[data-ask-again=no_label]')")
        page.get_by_role("button", name="Take the skips back").click()
        page.get_by_role("button", name="Take them back").click()
        told(labeled=6, tied=1, unreadable=3, pool=13)

        # What holds something is still there: on the map, a label goes into one's own annotation.
        page.locator("#states a", has_text="Label on the map").last.click()
        page.locator(".total", has_text=f"3 of {N_CLIPS - 1} clips").wait_for()
        page.locator("[id^=clip-]").first.click()
        page.get_by_text("Earmark cannot read the annotation").first.wait_for()
        page.screenshot(path=pictures / "unreadable.png")
        page.keyboard.press("1")
        told(labeled=7, tied=1, unreadable=2, pool=13)

    served = []
    for _ in range(len(empty)):
        task = next_task(label_studio, project_id)
        served.append(task["id"])
        label_studio.annotate(task["id"], chosen("other"))
        told(labeled=7 + len(served), tied=1, unreadable=2, pool=13 - len(served))
    assert sorted(served) == sorted(empty)
    assert [label_studio.annotations(one) for one in skipped] == [[], []]
