"""Clips whose annotators do not agree: asked once more, of somebody else or of all, and decided."""

import pytest

from ml_backend.label_studio import LabelStudio
from ml_backend.loop.ties import Ties
from ml_backend.store import open_store
from tests.fake_label_studio import TOKEN, FakeLabelStudio
from tests.seeing import SeenProject
from tests.visiting import OTHER_TOKEN
from tests.web.test_label_queue import Asked

pytestmark = pytest.mark.slow

ADA, BOB, EVE = 1, 2, 3
N_CLIPS = 40


class Tied(Asked):
    """A project of which two clips are tied between Ada and Bob."""

    def __init__(self, folder, n_wanted):
        super().__init__(folder)
        self.project["maximum_annotations"] = n_wanted
        self.ties = self.seen.task_ids[20:22]
        for task_id in self.ties:
            self.studio.annotate(task_id, "siren", by=ADA)
            self.studio.annotate(task_id, "other", by=BOB)
        self.seen.follow()

    def candidates(self, who):
        return self.studio.candidates(self.project_id, who)

    def decide(self, who):
        body = {"tab": "a", "ties": True}
        path = f"/projects/{self.project_id}/label/next"
        return self.clients[who].post(path, json=body, headers=self.csrf[who]).json

    def state(self, task_id):
        states = {one.task_id: one for one in self.store.labels.read(self.project_id)}
        return states[task_id].state


@pytest.fixture
def tied(tmp_path):
    made = Tied(tmp_path, 2)
    yield made
    made.store.close()


@pytest.fixture
def doubled(tmp_path):
    """Where one answer a clip is wanted, and two were given."""
    made = Tied(tmp_path, 1)
    yield made
    made.store.close()


def test_where_one_answer_is_wanted_tasks_stay_as_they_are_and_the_page_asks_a_third_person(
    doubled,
):
    assert not any(path.startswith("/api/tasks/") for _, path in doubled.studio.calls)
    assert not set(doubled.order()) & set(doubled.ties)
    for one in doubled.studio.annotations.values():  # by others than those who have pages here
        one["completed_by"] += 2
    doubled.seen.follow()
    told = doubled.ask(OTHER_TOKEN)
    assert told["clips"][:2] == doubled.ties
    again = doubled.ask(OTHER_TOKEN, ahead=told["clips"], version=told["model_version"])
    assert again["clips"] == told["clips"]
    assert doubled.decide(TOKEN)["clips"] == []  # as long as he has them


def test_label_studio_serves_a_tie_to_a_third_person_and_to_none_of_those_who_differ(tied):
    assert tied.candidates(EVE) == tied.ties
    for who in (ADA, BOB):
        assert not set(tied.candidates(who)) & set(tied.ties)


def test_whoever_decides_in_label_studio_sees_no_prediction(tied):
    version = tied.project["model_version"]
    predicted = {one["task"] for one in tied.studio.predictions if one["model_version"] == version}
    assert predicted
    assert not predicted & set(tied.ties)


def test_a_third_answer_decides_and_the_tie_is_asked_about_no_more(tied):
    (first, second) = tied.ties
    tied.studio.annotate(first, "siren", by=EVE)
    tied.seen.follow()
    assert (tied.state(first), tied.state(second)) == ("labeled", "tied")
    assert first not in tied.candidates(4)
    assert tied.candidates(4) == [second]


def test_a_tie_that_a_third_person_could_not_tell_is_asked_about_no_more(tied):
    for task_id in tied.ties:
        tied.studio.annotate(task_id, by=EVE, skipped=True)
    tied.seen.follow()
    assert [tied.state(one) for one in tied.ties] == ["tied"] * 2
    assert not set(tied.candidates(4)) & set(tied.ties)


@pytest.mark.parametrize("how", ["star", "change"])
def test_a_tie_that_is_decided_otherwise_is_served_to_nobody(tied, how):
    task_id = tied.ties[0]
    (his,) = [
        one
        for one in tied.studio.annotations.values()
        if (one["task"], one["completed_by"]) == (task_id, BOB)
    ]
    if how == "star":
        tied.studio.change(his["id"], ground_truth=True)
    else:
        tied.studio.change(his["id"], choices=["siren"])
    tied.seen.follow()
    assert tied.state(task_id) == "labeled"
    assert task_id not in tied.candidates(EVE)


def test_a_tie_is_reopened_once_and_again_where_label_studio_has_reset_it(tied):
    def patched():
        return sum(
            method == "PATCH" and path.startswith("/api/tasks/")
            for method, path in tied.studio.calls
        )

    assert patched() == len(tied.ties)
    tied.seen.follow()
    assert patched() == len(tied.ties)
    tied.project["maximum_annotations"] = 3  # Label Studio writes it into every task
    tied.seen.follow()
    assert patched() == 2 * len(tied.ties)


def test_many_ties_are_reopened_a_few_a_round_and_a_refusal_is_tried_again(tied, monkeypatch):
    monkeypatch.setattr("ml_backend.loop.ties._AT_ONCE", 2)
    more = tied.seen.task_ids[30:33]
    for task_id in more:
        tied.studio.annotate(task_id, "siren", by=ADA)
        tied.studio.annotate(task_id, "other", by=BOB)
    tied.studio.breaks_at = f"/api/tasks/{more[0]}/"
    tied.seen.follow()
    assert [tied.studio.tasks[one].get("overlap") for one in more] == [None, 3, None]
    tied.studio.breaks_at = None
    tied.seen.follow()
    assert all(tied.studio.tasks[one]["overlap"] == 3 for one in more[:2])
    tied.seen.follow()
    assert tied.studio.tasks[more[2]]["overlap"] == 3


def test_on_the_page_a_third_person_gets_ties_first_and_they_are_named(tied):
    for task_id in tied.ties:  # by others than the two who have a page here
        for one in tied.studio.annotations.values():
            if (one["task"], one["completed_by"]) == (task_id, BOB):
                one["completed_by"] = EVE
    tied.seen.follow()
    for_bob = tied.ask(OTHER_TOKEN)
    assert for_bob["clips"][:2] == tied.ties
    assert for_bob["ties"] == tied.ties
    assert not set(tied.ask(TOKEN)["clips"]) & set(tied.ties)


def test_where_there_is_nobody_else_those_who_differ_decide_again_and_blind(tied):
    told = tied.decide(TOKEN)
    assert told["clips"] == tied.ties
    assert told["is_blind"]
    assert tied.decide(OTHER_TOKEN)["clips"] == []  # as long as she has them
    leave = f"/projects/{tied.project_id}/label/next/a"
    tied.clients[TOKEN].delete(leave, headers=tied.csrf[TOKEN])
    assert tied.decide(OTHER_TOKEN)["clips"] == tied.ties


def test_those_who_have_not_answered_a_tie_come_to_it_first(tied):
    new = tied.seen.task_ids[39]
    tied.studio.annotate(new, "siren", by=BOB)
    tied.studio.annotate(new, "other", by=EVE)
    tied.seen.follow()
    assert tied.decide(TOKEN)["clips"] == [new, *tied.ties]


def test_the_progress_page_leads_to_where_ties_are_decided(tied):
    page = tied.clients[TOKEN].get(f"/projects/{tied.project_id}").get_data(as_text=True)
    assert f'href="/projects/{tied.project_id}/label?ties"' in page
    assert "state=tied" in page


def test_two_answers_to_one_clip_that_agree_are_one_label_and_no_tie(tmp_path):
    """Label Studio on SQLite gives a clip to two people now and then, though one is wanted."""
    seen = SeenProject(tmp_path, 6)
    seen.label(2, "siren", by=ADA)
    seen.label(2, "siren", by=BOB)
    seen.follow()
    (label,) = seen.store.labels.read(seen.project_id)
    assert (label.state, label.labels, label.n_annotators) == ("labeled", {"siren"}, 2)
    assert not any(path.startswith("/api/tasks/") for _, path in seen.studio.calls)
    seen.store.close()


def test_a_project_without_ties_keeps_nothing(tmp_path):
    studio, store = FakeLabelStudio(), open_store("sqlite://")
    ties = Ties(store, LabelStudio("http://studio.test", "x"))
    ties.reopen(1, [], 2)
    assert store.facts.read("ties of project 1") is None
    assert studio.calls == []
