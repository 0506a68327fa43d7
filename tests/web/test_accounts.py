"""Every clip is in exactly one state, and what is told of it adds up, whatever has happened."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_backend.clip import STATES
from ml_backend.label_studio.label_config import label_config_xml
from ml_backend.learning.round_input import RoundInput
from ml_backend.learning.training import learn
from ml_backend.loop.project_state import Reader
from ml_backend.loop.stopwatch import Stopwatch
from ml_backend.store.queue import Wanted
from ml_backend.strategies.registry import get_strategy
from ml_backend.web.api.status import describe
from ml_backend.web.snapshot.columns import label_columns
from ml_backend.web.snapshot.queue_status import count
from tests.seeing import EMBEDDER, SeenProject
from tests.visiting import AS_BROWSER, BASIC, OTHER_TOKEN, TOKEN, Place, csrf

N_CLIPS, N_PEOPLE = 5, 3
CONFIG = label_config_xml(["siren", "other"], multi_label=False)
SAID = ("siren", "other", "gone", "elsewhere", "", "skip")
CLIP, PERSON = st.integers(0, N_CLIPS - 1), st.integers(1, N_PEOPLE)
EVENTS = st.one_of(
    st.tuples(st.just("annotate"), CLIP, PERSON, st.sampled_from(SAID)),
    st.tuples(st.just("delete annotations"), CLIP, PERSON),
    st.tuples(st.sampled_from(["delete task", "fail", "embed"]), CLIP),
    st.tuples(st.just("add task")),
    st.tuples(st.just("round")),
)


class Site:
    """One project of a shared fake Label Studio, read by rounds."""

    def __init__(self, place):
        self.studio, self.store = place.studio, place.store
        self.store.facts.write("embedder", {"embedder_id": EMBEDDER})
        self.project_id = self.studio.add_project(CONFIG)
        self.reader = Reader(self.store, self.studio.client(), EMBEDDER, None)
        self.task_ids, self.failed = [], set()
        for _ in range(N_CLIPS):
            self.add_task()

    def add_task(self):
        key = f"/{self.project_id} {len(self.task_ids)}.wav"
        self.task_ids += self.studio.add_tasks(self.project_id, [{"audio": key}])

    def key_of(self, task_id):
        tasks = self.store.clips.tasks(self.project_id)
        return next((one.clip_key for one in tasks if one.task_id == task_id), None)

    def happen(self, kind, *how):
        task_id = self.task_ids[how[0]] if how else 0
        if kind == "annotate" and task_id in self.studio.tasks:
            said = how[2]
            labels = (
                ["siren"] if said == "elsewhere" else [said] if said not in ("", "skip") else []
            )
            control = "mood" if said == "elsewhere" else "sound"
            self.studio.annotate(
                task_id, *labels, by=how[1], skipped=said == "skip", control=control
            )
        elif kind == "delete annotations":
            self.forget_annotations(
                lambda one: (one["task"], one["completed_by"]) == (task_id, how[1])
            )
        elif kind == "delete task" and task_id in self.studio.tasks:
            del self.studio.tasks[task_id]
            self.forget_annotations(lambda one: one["task"] == task_id)
        elif kind == "add task":
            self.add_task()
        elif kind == "round":
            self.round()
        elif kind in ("fail", "embed") and (key := self.key_of(task_id)):
            if kind == "fail" and task_id not in self.failed:
                self.store.clips.add_failed(EMBEDDER, key, "silent", now=1.0)
                self.failed.add(task_id)
            elif kind == "embed":
                self.store.clips.add_embeddings(EMBEDDER, [key], np.ones((1, 4), np.float32))
                self.failed.discard(task_id)

    def forget_annotations(self, is_gone):
        for number, one in list(self.studio.annotations.items()):
            if is_gone(one):
                self.studio.take_back(number)

    def round(self):
        project = self.studio.client().project(self.project_id)
        return self.reader.read(project, tasks=True, whole=False, watch=Stopwatch())

    def expected(self):
        """Tell each clip's state the slow way, from what the fake Label Studio holds."""
        states = {}
        for task_id, task in self.studio.tasks.items():
            if task["project"] != self.project_id:
                continue
            mine = [one for one in self.studio.annotations.values() if one["task"] == task_id]
            last = {}
            for one in sorted(mine, key=lambda one: (one["updated_at"], one["id"])):
                last[one["completed_by"]] = said_by(one)
            said = list(last.values())
            votes = Counter(one for one in said if one in ("siren", "other")).most_common()
            if votes:
                is_tie = len(votes) == 2 and votes[0][1] == votes[1][1]
                states[task_id] = "tied" if is_tie else "labeled"
            elif "strange" in said:
                states[task_id] = "unreadable"
            elif "" in said:
                states[task_id] = "no_label"
            elif said:
                states[task_id] = "skipped"
            else:
                states[task_id] = "failed" if task_id in self.failed else "pool"
        return states


def said_by(annotation):
    if annotation["was_cancelled"]:
        return "skip"
    if not annotation["result"]:
        return ""
    (result,) = annotation["result"]
    (name,) = result["value"]["choices"]
    return name if result["from_name"] == "sound" and name != "gone" else "strange"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("place"))
    yield made
    made.store.close()


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(events=st.lists(EVENTS, max_size=25))
def test_the_states_add_up_and_are_right_whatever_happens(place, events):
    site = Site(place)
    for event in events:
        site.happen(*event)
    site.round()
    expected = site.expected()
    told = describe(site.store, site.project_id)
    assert told["n_clips"] == sum(told["states"].values()) == len(expected)
    assert told["states"] == {name: list(expected.values()).count(name) for name in STATES}

    labels = {one.task_id: one for one in site.store.labels.read(site.project_id)}
    failed = dict(site.store.clips.failed(site.project_id, EMBEDDER))
    task_ids = site.store.clips.task_ids(site.project_id)
    shown = label_columns(task_ids, labels, failed, ("siren", "other"))["state"]
    by_task = zip(task_ids.tolist(), (list(STATES)[code] for code in shown.stored), strict=True)
    assert dict(by_task) == expected

    asked = count(site.store, site.project_id, Wanted(None, tuple(task_ids), "", 1.0), task_ids)
    assert asked.states == told["states"]
    assert asked.left == [one for one in sorted(expected) if expected[one] == "pool"]


@pytest.fixture
def project(tmp_path):
    """One clip in each state, and four more in the pool."""
    made = SeenProject(tmp_path, n=12)
    made.label(0)
    made.label(1, "other")
    made.studio.annotate(made.task_ids[2], skipped=True)
    made.label(3, "siren")
    made.label(3, "other", by=2)
    made.studio.annotate(made.task_ids[4], by=2)
    made.label(5, "gone")
    made.studio.annotate(made.task_ids[6], "siren", control="mood")
    made.store.clips.add_failed(EMBEDDER, made.keys[7], "it is silent.", now=1.0)
    made.follow()
    return made


STATES_THERE = {
    "labeled": 2, "skipped": 1, "tied": 1, "no_label": 1, "unreadable": 2, "pool": 4, "failed": 1,
}  # fmt: skip


def test_status_metrics_and_queue_tell_the_same_numbers(project):
    (told,) = project.client.get("/status", auth=BASIC).json["projects"]
    assert told["states"] == STATES_THERE
    assert told["n_clips"] == 12
    assert {one["n_annotations"] for one in told["unread"]} == {1}
    metrics = project.client.get("/metrics", auth=BASIC).get_data(as_text=True)
    found = re.findall(r'earmark_clips_by_state{project="\d+",state="(\w+)"} ([\d.]+)', metrics)
    assert {name: float(n) for name, n in found} == STATES_THERE
    assert re.search(r'earmark_unread_annotations{project="\d+"} 2.0', metrics)
    assert project.get("queue").json["clips"] == STATES_THERE


def test_the_page_tells_every_number_and_leads_to_its_clips(project):
    client = project.place.browser(TOKEN)
    page = client.get(f"/projects/{project.project_id}", headers=AS_BROWSER).get_data(as_text=True)
    (section,) = re.findall(r'<section id="states".*?</section>', page, re.S)
    numbers = dict(re.findall(r"<dt>([^<]+)</dt><dd>(?:<a [^>]*>)?(\d+)", section))
    assert int(numbers.pop("All")) == sum(map(int, numbers.values())) == 12
    linked = re.findall(r'<dd><a href="([^"]+)">(\d+)', section)
    assert len(linked) == len(STATES)
    shown = project.column("state")
    for address, n in linked:
        state = address.split("f.state=")[1].replace("%20", " ")
        assert shown.count(state) == int(n)
    assert "1 annotation uses the control &#39;mood&#39;" in section
    assert "1 annotation holds &#39;gone&#39;" in section


def test_a_clip_that_fails_is_on_the_page_at_once(project):
    assert project.column("state").count("failed") == 1
    project.store.clips.add_failed(EMBEDDER, project.keys[8], "it is short.", now=2.0)
    assert project.column("state").count("failed") == 2


def again(project, state, token=TOKEN, after=0, **headers):
    client = project.place.browser(token)
    answer = client.post(
        f"/projects/{project.project_id}/again",
        json={"state": state, "after": after},
        headers=headers or csrf(client),
    )
    return answer.status_code, answer.get_json()


def test_what_was_submitted_without_a_label_is_asked_about_again(project):
    code, told = again(project, "no_label")
    assert (code, told) == (200, {"task_ids": [project.task_ids[4]], "refused": [], "after": None})
    project.follow()
    assert project.column("state")[4] == "in the pool"
    assert project.task_ids[4] in project.studio.queue(project.project_id)


def test_skips_are_taken_back(project):
    assert again(project, "skipped", OTHER_TOKEN)[1]["task_ids"] == [project.task_ids[2]]
    project.follow()
    assert project.column("state")[2] == "in the pool"


def test_nothing_that_holds_something_is_deleted(project):
    held = [
        project.studio.annotate(project.task_ids[8], "siren", control="comment"),
        project.studio.annotate(project.task_ids[9], "siren", skipped=True, control="comment"),
    ]
    entry = {"from_name": "sound", "value": {"choices": ["siren"]}, "origin": "prediction"}
    shown = project.studio.annotate(project.task_ids[10], skipped=True)
    project.studio.annotations[shown]["result"] = [entry]
    config = CONFIG.replace("<Table", '<TextArea name="comment" toName="audio"/><Table')
    project.studio.projects[project.project_id]["label_config"] = config
    project.follow()
    before = set(project.studio.annotations)
    assert project.column("state")[8] == "submitted without a label"

    (refused,) = again(project, "no_label")[1]["refused"]
    assert refused["task_id"] == project.task_ids[8]
    assert "holds what somebody entered" in refused["reason"]
    told = again(project, "skipped")[1]
    assert told["task_ids"] == [project.task_ids[2], project.task_ids[10]]
    assert [one["task_id"] for one in told["refused"]] == [project.task_ids[9]]
    assert set(held) <= set(project.studio.annotations)
    assert len(before - set(project.studio.annotations)) == 3


def test_what_was_annotated_meanwhile_is_left_alone(project):
    project.label(4, "siren", by=2)
    before = dict(project.studio.annotations)
    told = again(project, "no_label")[1]
    assert told["task_ids"] == []
    assert "meanwhile" in told["refused"][0]["reason"]
    assert project.studio.annotations == before


@pytest.mark.parametrize("state", ["tied", "unreadable", "labeled", "pool", None, ["skipped"]])
def test_only_annotations_that_may_hold_nothing_are_deleted(project, state):
    before = dict(project.studio.annotations)
    assert again(project, state)[0] == 400
    assert project.studio.annotations == before


def test_another_site_cannot_ask_again(project):
    assert again(project, "no_label", **{"X-Earmark-CSRF": "wrong"})[0] == 403
    assert len(project.studio.annotations) == 8


def test_many_clips_are_asked_about_again_a_few_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("ml_backend.web.api.ask_again.N_AT_ONCE", 3)
    project = SeenProject(tmp_path, n=9)
    for task_id in project.task_ids[:7]:
        project.studio.annotate(task_id)
    project.follow()
    done, after = [], 0
    while after is not None:
        told = again(project, "no_label", after=after)[1]
        assert len(told["task_ids"]) <= 3
        done, after = done + told["task_ids"], told["after"]
    assert done == project.task_ids[:7]
    assert project.studio.annotations == {}


def order_of(project, n_wanted):
    found = project.studio.client().project(project.project_id)
    reader = Reader(project.store, project.studio.client(), EMBEDDER, None)
    state = reader.read(found, tasks=True, whole=False, watch=Stopwatch())
    given = RoundInput(
        state.clips, state.labels, state.config, get_strategy("random"), EMBEDDER,
        n_annotators_wanted=n_wanted,
    )  # fmt: skip
    return learn(given, n_head=6).order.tolist()


@pytest.mark.parametrize("said", [{}, {"control": "mood"}, {"skipped": True}])
@pytest.mark.parametrize("n_wanted", [1, 2])
def test_a_clip_is_begun_while_label_studio_still_asks_for_it(tmp_path, said, n_wanted):
    project = SeenProject(tmp_path, n=6)
    labels = ["siren"] if "control" in said else []
    project.studio.annotate(project.task_ids[3], *labels, **said)
    order = order_of(project, n_wanted)
    is_begun = n_wanted == 2 and "skipped" not in said
    assert (order[0] == project.task_ids[3]) == is_begun
    assert len(order) == 5 + is_begun


def test_a_label_and_a_skip_of_two_wanted_annotators_are_not_begun_for_ever(tmp_path):
    project = SeenProject(tmp_path, n=6)
    project.label(3, by=1)
    project.label(3, by=2, skipped=True)
    assert project.task_ids[3] not in order_of(project, 2)


def test_one_odd_annotation_does_not_stop_a_round(project):
    odd = project.studio.annotate(project.task_ids[8], "siren")
    project.studio.change(odd, value="siren")
    project.follow()
    assert project.column("state")[8] == "unreadable"
