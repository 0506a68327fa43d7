"""Every page has the same numbers, and they are those of Label Studio, whatever was done to clips.

A real Label Studio and a real Chromium. What the pages tell is compared with a count made straight
from Label Studio's API, one task and one annotator after the other.
"""

import re
import time
from collections import Counter
from html.parser import HTMLParser

import httpx
import numpy as np
import pytest

from ml_backend.clip import STATES
from ml_backend.label_studio.credentials import USER
from ml_backend.settings import read_secret
from ml_backend.web.snapshot.packed import unpack
from tests.browsing import opened
from tests.live.served import Earmark
from tests.live.test_loop_live import chosen
from tests.sounds import noise, write

pytestmark = [pytest.mark.live, pytest.mark.browser, pytest.mark.timeout(600)]

N_CLIPS = 300
N_BULK = 75
CLIP_S = 0.2
PATIENCE_S = 120


class Site:
    """A project of noises, with every place that tells how its clips stand."""

    def __init__(self, earmark, project_id, api):
        self.earmark, self.project_id, self.api = earmark, project_id, api
        self.path = f"{earmark.settings.backend_url}/projects/{project_id}"

    def count(self):
        """Count the clips from what Label Studio lists: by state, and by label."""
        query = {"project": self.project_id, "fields": "all", "page_size": 2 * N_CLIPS}
        listed = self.api.get("/api/tasks", params=query).json()["tasks"]
        states, labels = Counter(dict.fromkeys(STATES, 0)), Counter(siren=0, other=0)
        for task in listed:
            state, label = _read(task["annotations"])
            states[state] += 1
            if label is not None:
                labels[label] += 1
        return dict(states), dict(labels)

    def check(self):
        """Wait until the round is over; everything that is told must be what was counted."""
        states, labels = self.count()
        self.earmark.wait_for(self.project_id, lambda one: one["states"] == states, PATIENCE_S)
        status = self.earmark.wait_for(self.project_id, lambda one: not one["is_waiting"])
        assert self.count() == (states, labels)
        (told,) = (
            one
            for one in self.earmark.tell("status")["projects"]
            if one["project"] == self.project_id
        )
        queue = self.earmark.tell("queue", "--project", str(self.project_id))
        page = _Facts(self._ask("").text)
        frame = self._frame()
        assert status["states"] == told["states"] == queue["clips"] == frame == states
        assert page.states == {"All": sum(states.values()), **_in_words(states)}
        assert status["n_clips"] == told["n_clips"] == sum(states.values())
        assert status["n_labeled"] == sum(labels.values()) == states["labeled"]
        assert status["labels"] == told["labels"] == page.labels == labels
        return states

    def _frame(self):
        _, columns = unpack(self._ask("/frame").content)
        state = columns["state"]
        counts = np.bincount(state.stored, minlength=len(state.names)).tolist()
        words = dict(zip(state.names, counts, strict=True))
        return {name: words[text] for name, text in STATES.items()}

    def _ask(self, path):
        auth = (USER, read_secret(self.earmark.settings))
        end = time.monotonic() + PATIENCE_S
        while (
            answered := httpx.get(f"{self.path}{path}", auth=auth, timeout=60)
        ).status_code == 202:
            assert time.monotonic() < end, answered.text  # it is being made
            time.sleep(0.2)
        assert answered.status_code == 200, answered.text
        return answered


def _read(annotations):
    """Tell the state and the label that a task's annotations make, by the rules of the pages."""
    last_of = {}
    for one in sorted(annotations, key=lambda one: one["updated_at"]):
        last_of[one["completed_by"]] = one
    said = [one for one in last_of.values() if one["result"] and not one["was_cancelled"]]
    votes = Counter(one["result"][0]["value"]["choices"][0] for one in said)
    if votes:
        most = max(votes.values())
        winners = [name for name, n_votes in votes.items() if n_votes == most]
        return ("labeled", winners[0]) if len(winners) == 1 else ("tied", None)
    if any(not one["was_cancelled"] for one in last_of.values()):
        return "no_label", None
    return ("skipped" if last_of else "pool"), None


def _in_words(states):
    return {text.capitalize(): states[name] for name, text in STATES.items()}


class _Facts(HTMLParser):
    """Reads the progress page: the numbers under "Every clip", and those of the classes."""

    def __init__(self, page):
        super().__init__()
        self._section, self._tag, self._texts = None, None, []
        self.feed(page)
        texts = [text for section, text in self._texts if section == "states"]
        self.states = {
            name: _number(text) for name, text in zip(texts[::2], texts[1::2], strict=True)
        }
        rows = [text for section, text in self._texts if section == "classes"]
        self.labels = {
            name: _number(text) for name, text in zip(rows[::2], rows[1::2], strict=True)
        }

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "section":
            self._section = attrs["id"]
        is_told = tag in ("dt", "dd") or (tag == "th" and attrs.get("scope") == "row")
        if is_told or (tag == "td" and attrs.get("class") == "number"):
            self._tag = tag
            self._texts.append((self._section, ""))

    def handle_endtag(self, tag):
        if tag == self._tag:
            self._tag = None

    def handle_data(self, data):
        if self._tag is not None:
            section, text = self._texts.pop()
            self._texts.append((section, text + data.strip()))


def _number(text):
    return int(re.match(r"[\d,]+", text)[0].replace(",", ""))


@pytest.fixture(scope="module")
def site(studio, api, tmp_path_factory):
    folder = tmp_path_factory.mktemp("numbers")
    for n in range(N_CLIPS):
        write(folder / "noises" / f"{n:03}.wav", noise(CLIP_S, seed=n))
    with Earmark(studio, folder, EARMARK_EMBEDDER="melstats") as earmark:
        project_id = earmark.set_up("Noises", folder / "noises", n_clips=N_CLIPS)
        yield Site(earmark, project_id, api)


def test_every_page_has_the_numbers_of_label_studio_whatever_is_done(
    site, browser, label_studio, second_annotator, api
):
    project = str(site.project_id)
    ids = sorted(task["id"] for task in label_studio.tasks(site.project_id))
    assert site.check()["pool"] == N_CLIPS

    address = site.earmark.say("map", "--project", project).strip()
    with opened(browser, address) as page:
        page.set_default_timeout(PATIENCE_S * 1000)
        page.wait_for_url("**/map*")
        page.goto(f"{site.path}/map?sel={','.join(map(str, ids[:N_BULK]))}")
        page.get_by_role("heading", name=re.compile(r"\d+\.wav")).first.wait_for()
        page.keyboard.press("Shift+Digit2")
        page.get_by_role("button", name=f"Label {N_BULK} clips").click()
        page.locator(".notice", has_text=f"{N_BULK} clips: other.").wait_for()
        assert site.check()["labeled"] == N_BULK
        page.keyboard.press("Control+z")
        page.locator(".notice", has_text="Undone").wait_for()
    assert site.check()["pool"] == N_CLIPS

    siren, other, empty, skipped, tied, spare = (ids[n : n + 5] for n in range(0, 30, 5))
    given = [label_studio.annotate(one, chosen("siren"))["id"] for one in siren + tied]
    given += [label_studio.annotate(one, chosen("other"))["id"] for one in other]
    for one in tied:
        second_annotator.annotate(one, chosen("other"))
    for one in empty:
        label_studio.annotate(one, [])
    for one in skipped:
        label_studio.annotate(one, [], was_cancelled=True)
    states = site.check()
    assert (states["labeled"], states["tied"]) == (10, 5)
    assert (states["no_label"], states["skipped"]) == (5, 5)

    second_annotator.annotate(skipped[0], chosen("siren"))  # a label counts over a skip
    second_annotator.annotate(empty[0], chosen("other"))  # and over an empty answer
    second_annotator.annotate(siren[0], [], was_cancelled=True)
    for annotation_id in given[5:8]:  # of the tied ones: what is left decides
        label_studio.delete_annotation(annotation_id)
    label_studio.delete_annotation(given[0])  # what is left is a skip
    label_studio.delete_annotation(given[10])
    states = site.check()
    assert (states["labeled"], states["tied"], states["skipped"]) == (13, 2, 5)

    everything = {"project": site.project_id}
    some = {"all": False, "included": [siren[1], empty[1], skipped[1], tied[3], spare[0]]}
    action = {**everything, "id": "delete_tasks"}
    assert api.post("/api/dm/actions", params=action, json={"selectedItems": some}).is_success
    assert sum(site.check().values()) == N_CLIPS - len(some["included"])

    action = {**everything, "id": "delete_tasks_annotations"}
    rest = {"selectedItems": {"all": True, "excluded": []}}
    assert api.post("/api/dm/actions", params=action, json=rest).is_success
    assert site.check()["pool"] == N_CLIPS - len(some["included"])
