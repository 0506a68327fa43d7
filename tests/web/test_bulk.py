"""Many labels at once: few calls, in the background, and an undo that takes back no more."""

import copy
import json
import threading
import time
from collections import Counter

import httpx
import pytest

from ml_backend.label_studio.annotation import read_annotations
from ml_backend.label_studio.connection import Connection
from ml_backend.label_studio.label_config import label_config_xml, parse_label_config
from ml_backend.web.api import bulk
from ml_backend.web.labeling import batch_writer
from tests.fake_label_studio import TOKEN
from tests.visiting import csrf

SINGLE = label_config_xml(("siren", "horn", "other"), multi_label=False)
ADA, BOB = 1, 2
N = 30
PATIENCE_S = 120.0  # a test that passes waits for events, and not for this


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(bulk, "PAUSE_S", 0.0)
    monkeypatch.setattr(bulk, "AT_ONCE", 10)


@pytest.fixture
def project(place):
    datas = [{"audio": f"/data/upload/1/{number}.wav"} for number in range(N)]
    return place.add_project(SINGLE, datas)


class Page:
    """What a page of one person does in one project."""

    def __init__(self, client, project_id):
        self.client, self.path = client, f"/projects/{project_id}/bulk"

    def post(self, **body):
        return self.client.post(self.path, json=body, headers=csrf(self.client))

    def begin(self, task_ids, labels, **more):
        return self.post(task_ids=task_ids, labels=labels, **more).get_json()

    def look(self, word):
        return self.client.get(f"{self.path}/{word}").get_json()

    def listed(self):
        return self.client.get(self.path).get_json()

    def stop(self, word):
        return self.client.delete(f"{self.path}/{word}", headers=csrf(self.client))

    def end(self, begun):
        """Wait until it is over; give what is told then."""
        deadline = time.monotonic() + PATIENCE_S
        while not (facts := self.look(begun["bulk"]))["is_over"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return facts

    def label(self, task_ids, labels, **more):
        return self.end(self.begin(task_ids, labels, **more))

    def undo(self, facts):
        return self.end(self.post(undo=facts["undo"]).get_json())


def said(place, task_ids):
    """What everybody says of tasks, annotations in the order they were made."""
    return copy.deepcopy(
        [one for one in place.studio.annotations.values() if one["task"] in task_ids]
    )


def labels(place, project_id):
    exported = place.studio.client().annotated_tasks(project_id)
    read = read_annotations(exported, parse_label_config(SINGLE))
    return {one.labels.task_id: one.labels.labels for one in read}


def test_many_clips_are_labeled_under_the_visitors_own_name_and_undone(place, bob, project):
    project_id, task_ids = project
    page = Page(bob, project_id)
    facts = page.label(task_ids, ["siren"])
    assert (facts["n"], facts["n_done"], facts["n_all"]) == (N, N, N)
    assert (facts["refused"], facts["answered"], facts["error"]) == ([], [], None)
    assert labels(place, project_id) == {task_id: {"siren"} for task_id in task_ids}
    assert Counter(one["task"] for one in said(place, task_ids)) == Counter(task_ids)
    assert {one["completed_by"] for one in said(place, task_ids)} == {BOB}
    undone = page.undo(facts)
    assert (undone["n"], undone["refused"], undone["is_undo"]) == (N, [], True)
    assert said(place, task_ids) == []
    assert page.post(undo=facts["undo"]).status_code == 404


def test_a_piece_takes_few_calls_however_many_clips_it_has(place, ada, project):
    project_id, task_ids = project
    page = Page(ada, project_id)
    place.studio.calls.clear()
    facts = page.label(task_ids, ["siren"])
    page.undo(facts)
    n_pieces = N / 10
    assert len(place.studio.calls) <= 8 * n_pieces
    n_single = sum("annotations" in path for _, path in place.studio.calls)
    assert n_single == n_pieces


def test_a_request_for_a_few_dozen_takes_few_calls_too(place, ada, project):
    project_id, task_ids = project
    path = f"/projects/{project_id}/annotations"
    place.studio.calls.clear()
    body = {"task_ids": task_ids, "labels": ["siren"]}
    answer = ada.post(path, json=body, headers=csrf(ada)).get_json()
    assert answer["n"] == N
    assert ada.delete(f"{path}/{answer['undo']}", headers=csrf(ada)).get_json()["n"] == N
    assert len(place.studio.calls) < N
    assert said(place, task_ids) == []


@pytest.mark.parametrize("only_unanswered", [False, True])
def test_what_is_answered_already_is_changed_or_kept_as_singly_and_undone_exactly(
    place, ada, project, only_unanswered
):
    project_id, task_ids = project
    own, theirs, skipped = task_ids[3], task_ids[7], task_ids[11]
    place.studio.annotate(own, "horn", by=ADA)
    place.studio.annotate(theirs, "horn", by=BOB)
    place.studio.annotate(skipped, by=ADA, skipped=True)
    before = said(place, task_ids)
    page = Page(ada, project_id)
    facts = page.label(task_ids, ["siren"], only_unanswered=only_unanswered)
    by = {(one["task"], one["completed_by"]): one for one in said(place, task_ids)}
    assert len(said(place, task_ids)) == len(by)  # nobody has two of one clip
    if only_unanswered:
        assert (facts["n"], facts["answered"]) == (N - 3, [own, theirs, skipped])
        kept = [by[own, ADA], by[theirs, BOB], by[skipped, ADA]]
        assert kept == before
    else:
        assert facts["n"] == N
        assert by[theirs, BOB] in before
        assert {labels(place, project_id)[i] for i in (own, skipped)} == {frozenset({"siren"})}
    assert page.undo(facts)["refused"] == []
    assert said(place, task_ids) == before


def test_skips_are_written_too(place, ada, project):
    project_id, task_ids = project
    page = Page(ada, project_id)
    facts = page.label(task_ids[:12], None)
    assert all(one["was_cancelled"] for one in said(place, task_ids))
    assert (facts["n"], facts["labels"]) == (12, None)
    page.undo(facts)
    assert said(place, task_ids) == []


def test_undo_leaves_what_the_same_person_did_since(place, ada, project):
    project_id, task_ids = project
    changed, doubled, drafted, gone = task_ids[:4]
    page = Page(ada, project_id)
    facts = page.label(task_ids, ["siren"])
    of = {one["task"]: one["id"] for one in said(place, task_ids)}
    place.studio.annotations[of[changed]]["result"][0]["value"] = {"choices": ["other"]}
    second = place.studio.annotate(doubled, "horn", by=ADA)
    place.studio.drafts[drafted] = [ADA]
    del place.studio.annotations[of[gone]]
    undone = page.undo(facts)
    assert undone["n"] == N - 1
    assert [one["task_id"] for one in undone["refused"]] == [changed]
    assert {one["id"] for one in said(place, task_ids)} == {of[changed], second}
    assert place.studio.drafts[drafted] == [ADA]


def test_deleted_and_foreign_clips_are_told_and_cost_no_other(place, ada, project):
    project_id, task_ids = project
    place.studio.delete_tasks([task_ids[0], task_ids[15]])
    facts = Page(ada, project_id).label([*task_ids, 10**12], ["siren"])
    assert facts["n"] == N - 2
    refused = [one["task_id"] for one in facts["refused"]]
    assert refused == [task_ids[0], task_ids[15], 10**12]


def test_where_nothing_may_be_copied_or_deleted_at_once_it_is_done_singly(place, ada, project):
    project_id, task_ids = project
    page = Page(ada, project_id)
    place.studio.breaks_at = "/api/dm/actions"
    facts = page.label(task_ids, ["siren"])
    assert (facts["n"], facts["refused"]) == (N, [])
    assert page.undo(facts)["n"] == N
    place.studio.breaks_at = None
    assert said(place, task_ids) == []


def silently(monkeypatch, action):
    """Let Label Studio do one action and never answer, once."""
    send, silenced = Connection.send, []

    def call(connection, method, path, **how):
        answer = send(connection, method, path, **how)
        if (how.get("query") or {}).get("id") == action and not silenced:
            silenced.append(path)
            raise connection.failures.silence(httpx.ReadTimeout("too late"))
        return answer

    monkeypatch.setattr(Connection, "send", call)


def test_what_label_studio_did_without_answering_is_there_once_and_can_be_undone(
    place, ada, project, monkeypatch
):
    project_id, task_ids = project
    page = Page(ada, project_id)
    silently(monkeypatch, "propagate_annotations")
    facts = page.label(task_ids, ["siren"])
    assert (facts["n"], facts["refused"]) == (N, [])
    assert Counter(one["task"] for one in said(place, task_ids)) == Counter(task_ids)
    silently(monkeypatch, "delete_tasks_annotations")
    undone = page.undo(facts)
    assert (undone["n"], len(undone["refused"])) == (N - 10, 10)
    assert page.undo(facts)["n"] == 10
    assert said(place, task_ids) == []


def test_what_may_still_be_copied_is_not_written_singly(place, ada, project, monkeypatch):
    project_id, task_ids = project
    send = Connection.send

    def call(connection, method, path, **how):
        if (how.get("query") or {}).get("id") == "propagate_annotations":
            raise connection.failures.silence(httpx.ReadTimeout("too late"))
        return send(connection, method, path, **how)

    monkeypatch.setattr(Connection, "send", call)
    facts = Page(ada, project_id).label(task_ids[:10], ["siren"])
    assert facts["n"] == 1
    assert {one["may_work_again"] for one in facts["refused"]} == {True}
    assert len(said(place, task_ids)) == 1


class Held:
    """Holds every piece back after the first until told."""

    def __init__(self, monkeypatch):
        write_all, self.n_begun, self.goes_on = bulk.write_all, 0, threading.Event()

        def held(*what, **how):
            self.n_begun += 1
            if self.n_begun > 1:
                assert self.goes_on.wait(PATIENCE_S)
            return write_all(*what, **how)

        monkeypatch.setattr(bulk, "write_all", held)

    def until_it_waits(self):
        deadline = time.monotonic() + PATIENCE_S
        while self.n_begun < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_it_is_told_of_while_it_goes_on_and_can_be_stopped(place, ada, project, monkeypatch):
    project_id, task_ids = project
    page, held = Page(ada, project_id), Held(monkeypatch)
    begun = page.begin(task_ids, ["siren"])
    held.until_it_waits()
    (listed,) = page.listed()
    assert (listed["bulk"], listed["n_done"], listed["is_over"]) == (begun["bulk"], 10, False)
    assert page.stop(begun["bulk"]).status_code == 200
    held.goes_on.set()
    facts = page.end(begun)
    assert (facts["n"], facts["n_done"]) == (20, 20)
    assert len(said(place, task_ids)) == 20
    assert [one["undo"] for one in page.listed()] == [facts["undo"]]
    assert page.undo(facts)["n"] == 20
    assert [one["undo"] for one in page.listed()] == [None, None]
    assert said(place, task_ids) == []


def test_the_worker_learns_from_every_piece(place, ada, project, monkeypatch):
    project_id, task_ids = project
    agenda = place.store.agenda
    agenda.finish(agenda.take(project_id, now=9e9, lease_s=-1.0), now=1.0)
    held = Held(monkeypatch)
    page = Page(ada, project_id)
    begun = page.begin(task_ids, ["siren"])
    held.until_it_waits()
    assert agenda.is_waiting(project_id)
    held.goes_on.set()
    page.end(begun)


def test_what_was_done_before_it_failed_can_be_undone(place, ada, project, monkeypatch):
    project_id, task_ids = project
    page, held = Page(ada, project_id), Held(monkeypatch)
    begun = page.begin(task_ids, ["siren"])
    held.until_it_waits()
    place.studio.is_down = True
    held.goes_on.set()
    facts = page.end(begun)
    assert (facts["n"], facts["n_done"]) == (10, 10)
    assert "does not answer" in facts["error"]
    assert TOKEN not in json.dumps(facts)
    failed = page.undo(facts)
    assert failed["error"]
    place.studio.is_down = False
    assert page.undo(facts)["n"] == 10
    assert said(place, task_ids) == []


def test_between_pieces_another_label_of_the_same_person_has_its_turn(
    place, ada, project, monkeypatch
):
    project_id, task_ids = project
    monkeypatch.setattr(bulk, "PAUSE_S", 0.2)
    page = Page(ada, project_id)
    begun = page.begin(task_ids[:20], ["siren"])
    body = {"task_ids": [task_ids[-1]], "labels": ["horn"]}
    answer = ada.post(f"/projects/{project_id}/annotations", json=body, headers=csrf(ada))
    assert answer.get_json()["n"] == 1
    assert page.end(begun)["n"] == 20


def test_nobody_sees_stops_or_undoes_anothers(place, ada, bob, project, monkeypatch):
    project_id, task_ids = project
    page, other, held = Page(ada, project_id), Page(bob, project_id), Held(monkeypatch)
    begun = page.begin(task_ids, ["siren"])
    held.until_it_waits()
    assert other.listed() == []
    assert other.client.get(f"{other.path}/{begun['bulk']}").status_code == 404
    assert other.stop(begun["bulk"]).status_code == 404
    held.goes_on.set()
    facts = page.end(begun)
    assert facts["n"] == N
    assert other.post(undo=facts["undo"]).status_code == 404
    assert len(said(place, task_ids)) == N


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"task_ids": [1], "labels": ["dog"]}, "'dog' is no label"),
        ({"task_ids": [], "labels": ["siren"]}, "task_ids"),
        ({"task_ids": list(range(1, 100_002)), "labels": ["siren"]}, "too many"),
        ({"labels": ["siren"]}, "task_ids"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(place, ada, project, given, reason):
    answer = Page(ada, project[0]).post(**given)
    assert answer.status_code == 400
    assert reason in answer.get_json()["error"]


def test_a_source_with_more_to_say_is_not_copied(place, ada, project, monkeypatch):
    """The visitor answers in another window between the look at the tasks and the writing."""
    project_id, task_ids = project
    data_manager = "ml_backend.label_studio.data_manager.DataManager.annotators"
    from ml_backend.label_studio.data_manager import DataManager

    annotators, looks = DataManager.annotators, []

    def look(self, project_id, wanted):
        found = annotators(self, project_id, wanted)
        if not looks:
            looks.append(1)
            number = place.studio.annotate(task_ids[0], "horn", by=ADA)
            note = {"from_name": "note", "type": "textarea", "value": {"text": ["far away"]}}
            place.studio.annotations[number]["result"].append(note)
        return found

    monkeypatch.setattr(data_manager, look)
    facts = Page(ada, project_id).label(task_ids[:10], ["siren"])
    assert facts["n"] == 10
    noted = [one for one in said(place, task_ids) if len(one["result"]) > 1]
    assert [one["task"] for one in noted] == [task_ids[0]]


def test_as_many_as_few_are_written_singly(place, ada, project):
    project_id, task_ids = project
    place.studio.calls.clear()
    Page(ada, project_id).label(task_ids[: batch_writer.FEW], ["siren"])
    assert ("POST", "/api/dm/actions") not in place.studio.calls
