"""Labels given on the pages: whose they are, what they replace, and how they are taken back."""

import copy
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ml_backend.clip import TaskLabels
from ml_backend.errors import LabelConfigError, RequestError
from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.annotation import build_result, read_annotations
from ml_backend.label_studio.connection import Connection
from ml_backend.label_studio.label_config import label_config_xml, parse_label_config
from ml_backend.web.access import user_lock
from ml_backend.web.access.visitors import Visitor
from ml_backend.web.api.annotations import MAX_TASKS
from ml_backend.web.labeling import undos as undos_module
from ml_backend.web.labeling.annotation_writer import Written
from ml_backend.web.labeling.undos import UNDO_S, Undos
from tests.fake_label_studio import TOKEN
from tests.visiting import csrf

SINGLE = label_config_xml(("siren", "horn", "other"), multi_label=False)
MULTI = label_config_xml(("siren", "horn"), multi_label=True)
REGIONS = (
    '<View><Audio name="audio" value="$audio"/><Labels name="sound" toName="audio">'
    '<Label value="siren"/><Label value="other"/></Labels></View>'
)
ADA, BOB = 1, 2


@pytest.fixture
def project(place):
    return project_of(place, SINGLE)


def project_of(place, config, n_tasks=4):
    datas = [{"audio": f"/data/upload/1/{number}.wav"} for number in range(n_tasks)]
    return place.add_project(config, datas)


def say(client, project_id, task_ids, labels):
    body = {"task_ids": task_ids, "labels": labels}
    path = f"/projects/{project_id}/annotations"
    return client.post(path, json=body, headers=csrf(client))


def undo(client, project_id, answer):
    word = answer.get_json()["undo"]
    return client.delete(f"/projects/{project_id}/annotations/{word}", headers=csrf(client))


def annotations(place, task_ids):
    return [one for one in place.studio.annotations.values() if one["task"] in task_ids]


def labels(place, project_id, config=SINGLE):
    """What Earmark itself reads of the project."""
    exported = place.studio.client().annotated_tasks(project_id)
    readings = read_annotations(exported, parse_label_config(config))
    return {one.labels.task_id: one.labels for one in readings}


def test_a_label_is_in_label_studio_under_the_visitors_own_name(place, ada, bob, project):
    project_id, (first, second, *_) = project
    assert say(ada, project_id, [first], ["siren"]).get_json()["n"] == 1
    assert say(bob, project_id, [second], ["other"]).get_json()["n"] == 1
    by = {one["task"]: one["completed_by"] for one in annotations(place, [first, second])}
    assert by == {first: ADA, second: BOB}
    read = labels(place, project_id)
    assert read[first].labels == {"siren"}
    assert read[second].labels == {"other"}


def test_several_clips_are_labeled_at_once(place, ada, project):
    project_id, task_ids = project
    answer = say(ada, project_id, task_ids, ["siren"]).get_json()
    assert (answer["n"], answer["refused"]) == (len(task_ids), [])
    assert {one.labels for one in labels(place, project_id).values()} == {frozenset({"siren"})}


def test_the_worker_learns_at_once_that_labels_changed(place, ada, project):
    project_id, task_ids = project
    for act in (
        lambda: say(ada, project_id, task_ids[:1], ["siren"]),
        lambda: undo(ada, project_id, say(ada, project_id, task_ids[:1], ["horn"])),
    ):
        agenda = place.store.agenda
        agenda.finish(agenda.take(project_id, now=9e9, lease_s=-1.0), now=1.0)
        assert not agenda.is_waiting(project_id)
        act()
        assert agenda.is_waiting(project_id)
        assert agenda.take(project_id, now=9e9, lease_s=-1.0).labels_changed


def test_a_second_answer_changes_the_first_and_makes_no_other(place, ada, project):
    project_id, (task_id, *_) = project
    say(ada, project_id, [task_id], ["siren"])
    say(ada, project_id, [task_id], ["horn"])
    (only,) = annotations(place, [task_id])
    assert only["result"][0]["value"] == {"choices": ["horn"]}


def hold_writing(monkeypatch):
    """Let no annotation through to Label Studio until told; tell when the first one waits."""
    send, is_waiting, goes_on = Connection.send, threading.Event(), threading.Event()

    def slowly(connection, method, *what, **how):
        if method == "POST":
            is_waiting.set()
            assert goes_on.wait(10)
        return send(connection, method, *what, **how)

    monkeypatch.setattr(Connection, "send", slowly)
    return is_waiting, goes_on


def in_two_tabs(place, client, path, bodies):
    """Give what sends a label from each of two tabs of one browser."""
    headers = csrf(client)
    tabs = [place.browser(), place.browser()]
    for tab in tabs:
        for cookie in client._cookies.values():
            tab.set_cookie(cookie.key, cookie.value)
    return [
        lambda tab=tab, body=body: tab.post(path, json=body, headers=headers)
        for tab, body in zip(tabs, bodies, strict=True)
    ]


def test_two_tabs_of_one_person_make_one_annotation(place, ada, project, monkeypatch):
    project_id, (task_id, *_) = project
    bodies = [{"task_ids": [task_id], "labels": [one]} for one in ("siren", "horn")]
    sends = in_two_tabs(place, ada, f"/projects/{project_id}/annotations", bodies)
    is_waiting, goes_on = hold_writing(monkeypatch)
    with ThreadPoolExecutor(2) as tabs:
        jobs = [tabs.submit(send) for send in sends]
        assert is_waiting.wait(10)
        time.sleep(0.1)  # in which the other asks what there is, unless it has to wait
        goes_on.set()
        assert [job.result().get_json()["n"] for job in jobs] == [1, 1]
    assert len(annotations(place, [task_id])) == 1


def test_a_tab_that_waits_for_too_long_is_told_so_and_loses_no_undo(
    place, ada, project, monkeypatch
):
    project_id, (first, second, *_) = project
    done = say(ada, project_id, [first], ["siren"])
    path = f"/projects/{project_id}/annotations"
    bodies = [{"task_ids": [second], "labels": ["horn"]}] * 2
    write, write_again = in_two_tabs(place, ada, path, bodies)
    headers = csrf(ada)
    monkeypatch.setattr(user_lock, "PATIENCE_S", 0.01)
    is_waiting, goes_on = hold_writing(monkeypatch)
    with ThreadPoolExecutor(1) as tab:
        job = tab.submit(write)
        assert is_waiting.wait(10)
        refused = [
            write_again(),
            ada.delete(f"{path}/{done.get_json()['undo']}", headers=headers),
        ]
        goes_on.set()
        assert job.result().status_code == 200
    assert [one.status_code for one in refused] == [503, 503]
    assert "try again" in refused[0].get_json()["error"]
    assert undo(ada, project_id, done).get_json()["n"] == 1


def test_another_persons_answer_is_left_alone(place, ada, bob, project):
    project_id, (task_id, *_) = project
    say(bob, project_id, [task_id], ["siren"])
    before = copy.deepcopy(annotations(place, [task_id]))
    answer = say(ada, project_id, [task_id], ["horn"])
    assert len(annotations(place, [task_id])) == 2
    undo(ada, project_id, answer)
    assert annotations(place, [task_id]) == before


def test_of_several_annotations_the_visitors_own_is_changed(place, ada, bob, project):
    project_id, (task_id, *_) = project
    say(ada, project_id, [task_id], ["siren"])
    say(bob, project_id, [task_id], ["siren"])  # the latest
    answer = say(ada, project_id, [task_id], ["horn"])
    by = {one["completed_by"]: one["result"] for one in annotations(place, [task_id])}
    assert by[ADA][0]["value"] == {"choices": ["horn"]}
    assert by[BOB][0]["value"] == {"choices": ["siren"]}
    undo(ada, project_id, answer)
    assert labels(place, project_id)[task_id].labels == {"siren"}


def test_what_an_annotation_says_to_other_questions_is_kept(place, ada, project):
    project_id, (task_id, *_) = project
    number = place.studio.annotate(task_id, "siren", by=ADA)
    comment = {"from_name": "comment", "type": "textarea", "value": {"text": ["far away"]}}
    place.studio.annotations[number]["result"].append(comment)
    say(ada, project_id, [task_id], ["horn"])
    (only,) = annotations(place, [task_id])
    assert comment in only["result"]
    assert labels(place, project_id)[task_id].labels == {"horn"}


def test_cannot_tell_is_a_skip_and_a_label_takes_it_back(place, ada, project):
    project_id, (task_id, *_) = project
    say(ada, project_id, [task_id], None)
    assert labels(place, project_id)[task_id] == TaskLabels(task_id, None, "skipped", 1)
    say(ada, project_id, [task_id], ["siren"])
    assert labels(place, project_id)[task_id].labels == {"siren"}
    say(ada, project_id, [task_id], None)
    assert labels(place, project_id)[task_id].state == "skipped"
    assert len(annotations(place, [task_id])) == 1


def test_several_labels_and_none_are_answers_where_a_clip_may_have_several(place, ada):
    project_id, (first, second, *_) = project_of(place, MULTI)
    say(ada, project_id, [first], ["horn", "siren"])
    say(ada, project_id, [second], [])
    read = labels(place, project_id, MULTI)
    assert read[first].labels == {"siren", "horn"}
    assert read[second].labels == frozenset()


# --- undo ---


@pytest.mark.parametrize("first", [["siren"], None, "nothing"])
@pytest.mark.parametrize("second", [["siren"], ["horn"], None])
def test_undo_leaves_things_exactly_as_they_were(place, ada, project, first, second):
    project_id, (task_id, *_) = project
    if first != "nothing":
        say(ada, project_id, [task_id], first)
    before = copy.deepcopy(annotations(place, [task_id]))
    answer = say(ada, project_id, [task_id], second)
    undone = undo(ada, project_id, answer)
    assert undone.get_json() == {"n": 1, "refused": []}
    assert annotations(place, [task_id]) == before


def test_undo_works_once(ada, project):
    project_id, task_ids = project
    answer = say(ada, project_id, task_ids, ["siren"])
    assert undo(ada, project_id, answer).get_json()["n"] == len(task_ids)
    again = undo(ada, project_id, answer)
    assert again.status_code == 404
    assert "undone already" in again.get_json()["error"]


def test_nobody_undoes_what_another_did_or_in_another_project(place, ada, bob, project):
    project_id, task_ids = project
    answer = say(ada, project_id, task_ids[:1], ["siren"])
    other_id, _ = project_of(place, SINGLE)
    assert undo(bob, project_id, answer).status_code == 404
    assert undo(ada, other_id, answer).status_code == 404
    assert undo(ada, project_id, answer).status_code == 200


def test_what_was_changed_since_is_not_undone(place, ada, project):
    project_id, (changed, deleted, kept, _) = project
    say(ada, project_id, [deleted], ["horn"])
    answer = say(ada, project_id, [changed, deleted, kept], ["siren"])
    of = {one["task"]: one for one in annotations(place, [changed, deleted, kept])}
    of[changed]["result"][0]["value"] = {"choices": ["other"]}
    place.studio.take_back(of[deleted]["id"])
    undone = undo(ada, project_id, answer).get_json()
    assert undone["n"] == 1
    assert {one["task_id"] for one in undone["refused"]} == {changed, deleted}
    assert labels(place, project_id)[changed].labels == {"other"}


def test_an_annotation_that_is_gone_already_counts_as_undone(place, ada, project):
    project_id, (task_id, *_) = project
    answer = say(ada, project_id, [task_id], ["siren"])
    place.studio.annotations.clear()
    assert undo(ada, project_id, answer).get_json() == {"n": 1, "refused": []}


def test_what_label_studio_kept_from_being_undone_can_be_undone_later(place, ada, project):
    project_id, task_ids = project
    answer = say(ada, project_id, task_ids, ["siren"])
    stuck = annotations(place, task_ids[:1])[0]["id"]
    place.studio.breaks_at = f"/api/annotations/{stuck}/"
    first = undo(ada, project_id, answer).get_json()
    place.studio.breaks_at = None
    assert (first["n"], len(first["refused"])) == (len(task_ids) - 1, 1)
    assert undo(ada, project_id, answer).get_json() == {"n": 1, "refused": []}
    assert annotations(place, task_ids) == []


def test_an_undo_is_forgotten_after_an_hour():
    now = [0.0]
    undos = Undos(clock=lambda: now[0])
    visitor = Visitor(None, "a@b.test", 7, "key", "csrf")
    written = [Written(1, 2, None, {"result": [], "was_cancelled": False})]
    early, late = undos.add(visitor, 3, written), undos.add(visitor, 3, written)
    now[0] = UNDO_S
    assert undos.take(early, visitor, 3) == written
    now[0] = UNDO_S + 1
    assert undos.take(late, visitor, 3) is None


def test_who_labels_much_takes_nobody_elses_undo(monkeypatch):
    monkeypatch.setattr(undos_module, "_N_CLIPS_OF_ONE", 100)
    undos = Undos()
    busy, calm = (Visitor(None, "a@b.test", number, "key", "csrf") for number in (7, 8))
    written = [Written(1, 2, None, {"result": [], "was_cancelled": False})]
    of_calm = undos.add(calm, 3, written)
    of_busy = [undos.add(busy, 3, written) for _ in range(300)]
    assert undos.take(of_calm, calm, 3) == written
    kept = [word for word in of_busy if undos.take(word, busy, 3)]
    assert kept == of_busy[-100:]


def test_the_undos_of_all_are_bounded_too(monkeypatch):
    monkeypatch.setattr(undos_module, "_N_CLIPS", 50)
    undos = Undos()
    written = [Written(1, 2, None, {"result": [], "was_cancelled": False})]
    crowd = [Visitor(None, "a@b.test", number, "key", "csrf") for number in range(60)]
    words = [undos.add(one, 3, written) for one in crowd]
    kept = [one for one, word in zip(crowd, words, strict=True) if undos.take(word, one, 3)]
    assert kept == crowd[-50:]


def test_all_pieces_of_a_large_selection_can_be_undone():
    undos = Undos()
    visitor = Visitor(None, "a@b.test", 7, "key", "csrf")
    after = {"result": [], "was_cancelled": False}
    pieces = [[Written(25 * k + i, 2, None, after) for i in range(25)] for k in range(400)]
    words = [undos.add(visitor, 3, piece) for piece in pieces]
    assert [undos.take(word, visitor, 3) for word in words] == pieces


# --- only what nobody has answered ---


def test_on_request_what_anybody_has_answered_is_left_alone(place, ada, bob, project):
    project_id, (mine, theirs, skipped, free) = project
    say(ada, project_id, [mine], ["siren"])
    say(bob, project_id, [theirs], ["horn"])
    say(bob, project_id, [skipped], None)
    before = copy.deepcopy(annotations(place, [mine, theirs, skipped]))
    body = {"task_ids": [mine, theirs, skipped, free], "labels": ["other"]}
    path = f"/projects/{project_id}/annotations"
    answer = ada.post(path, json={**body, "only_unanswered": True}, headers=csrf(ada))
    told = answer.get_json()
    assert (told["n"], told["answered"], told["refused"]) == (1, [mine, theirs, skipped], [])
    assert annotations(place, [mine, theirs, skipped]) == before
    assert labels(place, project_id)[free].labels == {"other"}
    assert undo(ada, project_id, answer).get_json()["n"] == 1
    assert annotations(place, [mine, theirs, skipped, free]) == before


# --- what is refused ---


def test_a_refusal_is_told_by_task_and_stops_no_other(place, ada, project):
    project_id, (gone, locked, fine, _) = project
    _, (foreign, *_) = project_of(place, SINGLE)
    place.studio.tasks[locked]["is_locked"] = True
    task = place.studio.tasks.pop(gone)
    answer = say(ada, project_id, [gone, locked, fine, foreign, 10**12], ["siren"]).get_json()
    place.studio.tasks[gone] = task
    reasons = {one["task_id"]: one["reason"] for one in answer["refused"]}
    assert answer["n"] == 1
    assert reasons.keys() == {gone, locked, foreign, 10**12}
    assert "does not let you" in reasons[locked]
    assert "no task of this project" in reasons[foreign]
    assert annotations(place, [foreign]) == []


def test_where_all_are_refused_there_is_nothing_to_undo(ada, project):
    project_id, _ = project
    answer = say(ada, project_id, [10**12], ["siren"]).get_json()
    assert (answer["n"], answer["undo"]) == (0, None)


@pytest.mark.parametrize("n_tasks", [1, 4])
def test_a_label_that_label_studio_wrote_before_it_failed_is_written_once(
    place, ada, project, n_tasks
):
    project_id, task_ids = project
    place.studio.fails_after = 1
    answer = say(ada, project_id, task_ids[:n_tasks], ["siren"])
    assert (answer.get_json()["n"], answer.get_json()["refused"]) == (n_tasks, [])
    assert len(annotations(place, task_ids)) == n_tasks
    undo(ada, project_id, answer)
    assert annotations(place, task_ids) == []


def test_a_failure_that_nobody_foresaw_leaves_the_others_their_undo(
    place, ada, project, monkeypatch
):
    project_id, (spoilt, *others) = project
    annotate = LabelStudio.annotate

    def unforeseen(studio, task_id, *what, **how):
        if task_id == spoilt:
            raise RuntimeError("nobody foresaw this")
        return annotate(studio, task_id, *what, **how)

    monkeypatch.setattr(LabelStudio, "annotate", unforeseen)
    answer = say(ada, project_id, [spoilt, *others], ["siren"])
    (refused,) = answer.get_json()["refused"]
    assert (answer.get_json()["n"], refused["task_id"]) == (len(others), spoilt)
    assert "look in Label Studio" in refused["reason"]
    assert place.store.agenda.is_waiting(project_id)
    assert undo(ada, project_id, answer).get_json()["n"] == len(others)
    assert annotations(place, others) == []


@pytest.mark.parametrize(
    ("task_ids", "given", "said"),
    [
        ([1], ["dog"], "'dog' is no label"),
        ([1], ["siren", "horn"], "2 were given"),
        ([1], [], "0 were given"),
        ([1], "siren", "labels"),
        ([1], [7], "labels"),
        ([], ["siren"], "task_ids"),
        (None, ["siren"], "task_ids"),
        ("1", ["siren"], "task_ids"),
        ([True], ["siren"], "task_ids"),
        ([-1], ["siren"], "task_ids"),
        ([2**70], ["siren"], "task_ids"),
        (list(range(1, MAX_TASKS + 2)), ["siren"], "200 are the limit; /projects/"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_written(
    place, ada, project, task_ids, given, said
):
    project_id, _ = project
    place.studio.calls.clear()
    answer = say(ada, project_id, task_ids, given)
    assert answer.status_code == 400
    assert said in answer.get_json()["error"]
    assert {method for method, _ in place.studio.calls} <= {"GET"}


def test_a_project_that_asks_for_regions_is_labeled_in_label_studio(place, ada):
    project_id, task_ids = project_of(place, REGIONS)
    for given in (["siren"], None):
        answer = say(ada, project_id, task_ids, given)
        assert answer.status_code == 400
        assert "regions" in answer.get_json()["error"]
    assert annotations(place, task_ids) == []


def test_nothing_is_written_in_nobodys_name(place, project):
    project_id, task_ids = project
    body = {"task_ids": task_ids, "labels": ["siren"]}
    answer = place.browser().post(
        f"/projects/{project_id}/annotations", json=body, auth=("earmark", place.settings.secret)
    )
    assert answer.status_code == 403
    assert annotations(place, task_ids) == []


def test_no_answer_holds_a_token(place, ada, project):
    project_id, task_ids = project
    answers = [say(ada, project_id, task_ids, ["siren"])]
    place.studio.is_broken = True
    answers.append(say(ada, project_id, task_ids, ["horn"]))
    place.studio.is_broken = False
    assert answers[1].status_code == 502
    for answer in answers:
        assert TOKEN not in answer.get_data(as_text=True)


# --- the result itself ---


@pytest.mark.parametrize("xml", [SINGLE, MULTI])
def test_what_is_written_is_what_is_read(xml):
    config = parse_label_config(xml)
    for said in [{"siren"}, {"horn"}] + ([{"siren", "horn"}, set()] if config.multi_label else []):
        task = {"id": 7, "annotations": [{"id": 1, "result": build_result(said, config)}]}
        (read,) = read_annotations([task], config)
        assert read.labels == TaskLabels(7, frozenset(said), "labeled", 1)


def test_none_of_them_is_written_as_the_labeling_page_writes_it_and_gives_way_to_labels():
    config = parse_label_config(MULTI)
    note = {"from_name": "note", "type": "textarea", "value": {"text": ["far away"]}}
    none, kept = build_result([], config, [*build_result(["siren"], config), note])
    assert (none["from_name"], none["value"]) == ("none", {"choices": ["none of them"]})
    assert kept == note
    siren, kept = build_result(["siren"], config, [none, note])
    assert (siren["from_name"], siren["value"]) == ("sound", {"choices": ["siren"]})
    assert kept == note


def test_a_result_refuses_what_the_project_does_not_ask():
    with pytest.raises(LabelConfigError, match="regions"):
        build_result(["siren"], parse_label_config(REGIONS))
    with pytest.raises(RequestError, match="has siren, horn"):
        build_result(["dog"], parse_label_config(MULTI))
