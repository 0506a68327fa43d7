"""Rounds, and what can wait: done where it is quiet, a piece at a time, in nobody's way."""

import threading
from collections import Counter, defaultdict

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError

from ml_backend.clip import content_hash
from ml_backend.errors import LabelStudioError, LabelStudioUnreachableError
from ml_backend.loop import background as rest_module
from ml_backend.loop import reconcile, standing
from ml_backend.loop.background import BackgroundPublisher
from ml_backend.loop.echoes import LISTENED_S
from ml_backend.loop.reconcile import Reconciler
from ml_backend.loop.scheduler import Scheduler
from tests.street import EMBEDDER_ID, HEAD, N_CLIPS, QUIET_S, Drawn, Street


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(rest_module, "PIECE", HEAD)


def test_the_rest_waits_for_quiet_and_comes_in_pieces(street):
    assert not street.go_on()
    assert street.n_published == HEAD
    street.now += QUIET_S
    assert street.go_on()
    assert street.n_published == 2 * HEAD
    street.go_on_to_the_end()
    assert street.n_published == N_CLIPS
    assert sorted(street.studio.queue(street.project_id)) == street.task_ids


def test_it_stands_back_as_soon_as_something_is_heard(street):
    street.now += QUIET_S
    assert street.go_on()
    street.hint()
    assert not street.go_on()
    assert street.n_published == 2 * HEAD


def is_told_of_tasks(street):
    agenda = street.store.agenda
    turn = agenda.take(street.project_id, now=street.now + 9.0, lease_s=-9.0)
    return agenda.is_waiting(street.project_id) and turn.tasks_changed


def test_a_task_deleted_unheard_costs_the_rest_its_own_prediction_alone(street):
    order = street.store.versions.current(street.project_id).ranking["task_ids"]
    (new,) = street.swap(order[HEAD + 3 : HEAD + 4])
    street.now += QUIET_S
    assert street.go_on()
    assert {one["task"] for one in street.current} == set(order[: 2 * HEAD].tolist()) - {
        order[HEAD + 3]
    }
    assert is_told_of_tasks(street)
    street.round()
    assert new in street.store.clips.task_ids(street.project_id)
    street.now += QUIET_S
    street.go_on_to_the_end()
    assert street.n_published == N_CLIPS


def test_a_task_that_is_deleted_while_the_rest_is_published_costs_no_other_prediction(
    street, monkeypatch
):
    order = street.store.versions.current(street.project_id).ranking["task_ids"]
    client = street.rest._label_studio.data_manager
    ask = client.prediction_versions

    def ask_and_delete(project_id, task_ids):
        answer = ask(project_id, task_ids)
        if order[HEAD] in street.studio.tasks:
            street.swap(order[HEAD : HEAD + 1])
        return answer

    monkeypatch.setattr(client, "prediction_versions", ask_and_delete)
    street.now += QUIET_S
    assert street.go_on()
    assert {one["task"] for one in street.current} == set(order[: 2 * HEAD].tolist()) - {
        order[HEAD]
    }
    assert is_told_of_tasks(street)


@pytest.mark.parametrize("deleted", [slice(3, 4), slice(0, HEAD - 1), slice(0, 2 * HEAD + 3)])
def test_a_round_publishes_what_is_left_of_an_order_whose_tasks_were_deleted(street, deleted):
    order = street.store.versions.current(street.project_id).ranking["task_ids"]
    before = street.version
    street.swap(order[deleted])
    left = [task_id for task_id in order if task_id in street.studio.tasks]
    street.studio.annotate(int(left[-1]), "siren")
    street.hint()
    version = street.round()
    assert street.version == version != before
    assert street.studio.queue(street.project_id)
    assert is_told_of_tasks(street)
    street.round()
    assert street.studio.queue(street.project_id)[:HEAD] == street.head


def test_tasks_that_are_deleted_before_the_version_is_switched_do_not_stop_the_round(
    street, monkeypatch
):
    client = street.reconciler._label_studio
    switch, deleted = client.set_model_version, []

    def delete_and_switch(project_id, model_version):
        if not deleted:
            of_it = [one for one in street.studio.predictions if one["model_version"] != before]
            deleted.extend(one["task"] for one in of_it)
            street.swap(deleted)
        switch(project_id, model_version)

    before = street.version
    monkeypatch.setattr(client, "set_model_version", delete_and_switch)
    street.studio.annotate(street.task_ids[0], "siren")
    street.hint()
    version = street.round()
    assert len(deleted) == HEAD
    assert street.version == version != before
    assert not set(street.studio.queue(street.project_id)) & set(deleted)
    assert is_told_of_tasks(street)


def test_a_version_that_label_studio_does_not_take_is_an_error(street, monkeypatch):
    def refuse(project_id, model_version):
        raise LabelStudioError("It does not want to.")

    monkeypatch.setattr(street.reconciler._label_studio, "set_model_version", refuse)
    with pytest.raises(LabelStudioError, match="does not want to"):
        street.label(street.task_ids[0], "siren")


def test_when_all_tasks_are_deleted_during_a_round_it_publishes_nothing_and_says_nothing(
    street, monkeypatch
):
    client = street.reconciler._label_studio
    publish = client.import_predictions

    def delete_and_publish(project_id, predictions):
        street.studio.delete_tasks(list(street.studio.tasks))
        return publish(project_id, predictions)

    monkeypatch.setattr(client, "import_predictions", delete_and_publish)
    street.label(street.task_ids[0], "siren")
    assert is_told_of_tasks(street)
    assert street.round() is None
    assert street.store.clips.count(street.project_id, EMBEDDER_ID)["clips"] == 0
    street.now += 3 * QUIET_S
    street.go_on_to_the_end()
    assert street.studio.predictions == []


def test_a_project_that_is_emptied_and_refilled_gets_its_first_order_as_a_new_one(
    street, monkeypatch
):
    monkeypatch.setattr(standing, "FIRST_ORDER", 5)
    street.studio.delete_tasks(list(street.studio.tasks))
    street.hint(tasks=True)
    assert street.round() is None
    keys = [content_hash(bytes([100 + n])) for n in range(N_CLIPS)]
    street.studio.add_tasks(
        street.project_id, [{"audio": f"/data/{key}.wav", "content_hash": key} for key in keys]
    )
    street.store.clips.add_embeddings(EMBEDDER_ID, keys[:4], np.eye(4, 8, dtype=np.float32))
    street.hint(tasks=True)
    assert street.round() is None  # too few of them are heard
    street.store.clips.add_embeddings(EMBEDDER_ID, keys[4:6], np.eye(2, 8, dtype=np.float32))
    street.hint()
    assert street.round() is not None
    assert len(street.studio.queue(street.project_id)) == 6


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [("is_broken", LabelStudioError), ("is_down", LabelStudioUnreachableError)],
)
def test_after_trouble_it_is_left_alone_for_a_minute_and_nothing_is_lost(street, trouble, kind):
    street.now += QUIET_S
    setattr(street.studio, trouble, True)
    with pytest.raises(kind):
        street.go_on()
    setattr(street.studio, trouble, False)
    if street.store.agenda.is_waiting(street.project_id):
        street.round()
    n_calls = len(street.studio.calls)
    assert not street.go_on()
    assert len(street.studio.calls) == n_calls
    street.now += rest_module.RETRY_S
    street.go_on_to_the_end()
    assert street.n_published == N_CLIPS


@pytest.mark.slow
def test_superseded_predictions_go_and_every_clip_keeps_the_current_one(street):
    for task_id, label in zip(street.task_ids[:4], ["siren", "other"] * 2, strict=True):
        street.label(task_id, label)
    assert len(street.versions_held) == 5
    street.now += QUIET_S
    street.go_on_to_the_end()
    assert street.predicted == Counter(street.task_ids) + street.superseded
    assert set(street.superseded) <= set(street.head)
    street.now += 2 * QUIET_S
    street.go_on_to_the_end()
    assert street.versions_held == {street.version}
    assert street.predicted == Counter(street.task_ids)


def test_answered_clips_are_predicted_behind_the_pool_and_counted_apart(street):
    skipped = street.task_ids[2]
    street.studio.annotate(skipped, skipped=True)
    street.label(street.task_ids[0], "siren")
    street.label(street.task_ids[1], "other")
    street.now += QUIET_S
    while not street.progress.n_answered_published:
        assert street.progress.n_published < N_CLIPS - 3 or not street.progress.n_answered_published
        assert street.go_on()
    street.go_on_to_the_end()
    progress = street.progress
    assert (progress.n_published, progress.n_ranked) == (N_CLIPS - 3, N_CLIPS - 3)
    assert (progress.n_answered_published, progress.n_answered) == (3, 3)
    scores = {one["task"]: one["score"] for one in street.current}
    assert [scores[task_id] for task_id in street.task_ids[:3]] == [1.0] * 3
    assert sum(score == 1.0 for score in scores.values()) == 3


def test_when_all_is_answered_the_last_version_is_still_shown(street):
    for place, task_id in enumerate(street.task_ids):
        street.studio.annotate(task_id, ("siren", "other")[place % 2])
    street.hint()
    last = street.round()
    assert street.version == last
    street.now += 3 * QUIET_S
    street.go_on_to_the_end()
    assert street.predicted == Counter(street.task_ids)
    assert street.versions_held == {last}
    assert street.progress.n_published == 0


@pytest.mark.slow
def test_little_is_deleted_at_once(street, monkeypatch):
    monkeypatch.setattr(rest_module, "DELETED_AT_ONCE", 4)
    deleted = note_deleted(street, monkeypatch)
    for round_number in range(3):
        street.now += 3 * QUIET_S
        street.go_on_to_the_end()
        street.label(street.task_ids[round_number], ("siren", "other")[round_number % 2])
    street.now += 3 * QUIET_S
    street.go_on_to_the_end()
    assert street.predicted == Counter(street.task_ids)
    of_clips = deleted.pop("/api/dm/actions")
    (of_versions,) = deleted.values()
    assert sum(of_clips) + sum(of_versions) >= 2 * N_CLIPS
    assert max(of_clips) == 4
    assert max(of_versions) <= HEAD


def note_deleted(street, monkeypatch):
    """Note how many predictions each call takes away, by its path."""
    connection = street.rest._label_studio._connection
    send, deleted = connection.send, defaultdict(list)

    def send_and_count(*arguments, **how):
        before = len(street.studio.predictions)
        answer = send(*arguments, **how)
        if len(street.studio.predictions) < before:
            deleted[arguments[1]].append(before - len(street.studio.predictions))
        return answer

    monkeypatch.setattr(connection, "send", send_and_count)
    return deleted


@pytest.mark.parametrize("name", ["by hand", "", None])
def test_what_others_predicted_stays(street, name):
    foreign = [
        {"task": task_id, "model_version": name, "score": 0.5, "result": []}
        for task_id in street.task_ids[::3]
    ]
    street.studio.predictions += foreign
    street.now += 3 * QUIET_S
    street.go_on_to_the_end()
    street.label(street.task_ids[0], "siren")
    street.now += 3 * QUIET_S
    street.go_on_to_the_end()
    kept = [one for one in street.studio.predictions if one["model_version"] == name]
    assert kept == foreign
    assert len(street.current) == N_CLIPS


def test_beside_what_others_predicted_a_piece_that_is_done_again_writes_nothing_twice(
    street, monkeypatch
):
    street.studio.predictions += [
        {"task": task_id, "model_version": "by hand", "score": 0.5, "result": []}
        for task_id in street.task_ids
    ]
    street.now += QUIET_S
    with monkeypatch.context() as patched:
        patched.setattr(type(street.store.versions), "set_published", None)
        with pytest.raises(TypeError):
            street.go_on()
    street.go_on_to_the_end()
    assert Counter(one["task"] for one in street.current) == Counter(street.task_ids)


@pytest.mark.slow
def test_a_version_with_many_predictions_left_is_not_deleted_whole(street, monkeypatch):
    monkeypatch.setattr(rest_module, "CLEARED_AT_MOST", HEAD)
    large = street.version
    street.now += QUIET_S
    street.go_on_to_the_end()
    street.studio.predictions += [  # so that no clip's old predictions may go all together
        {"task": task_id, "model_version": "by hand", "score": 0.5, "result": []}
        for task_id in street.task_ids
    ]
    street.label(street.task_ids[0], "siren")
    small = street.version
    street.label(street.task_ids[1], "other")
    street.now += 3 * QUIET_S
    street.go_on_to_the_end()
    assert street.versions_held == {large, "by hand", street.version}
    assert small not in street.versions_held


def test_a_version_that_comes_back_loses_no_prediction_and_gets_none_twice(street):
    before = street.version
    street.now += QUIET_S
    street.go_on()
    for _ in range(3):
        annotation_id = street.label(street.task_ids[0], "siren")
        street.studio.take_back(annotation_id)
        street.hint()
        street.round()
        assert street.version == before
    assert Counter(one["task"] for one in street.current).most_common(1)[0][1] == 1
    assert {one["task"] for one in street.current} >= set(street.head)
    street.now += 3 * QUIET_S
    street.go_on_to_the_end()
    assert street.predicted == Counter(street.task_ids)


def test_a_version_that_comes_back_replaces_only_what_the_other_one_published(street, monkeypatch):
    street.now += QUIET_S
    street.go_on_to_the_end()
    before = street.version
    annotation_id = street.label(street.task_ids[0], "siren")
    of_the_other = street.predicted - Counter(street.task_ids)
    street.studio.take_back(annotation_id)
    street.hint()
    street.round()
    assert street.version == before
    deleted = note_deleted(street, monkeypatch)
    street.now += 3 * QUIET_S
    street.go_on_to_the_end()
    assert street.predicted == Counter(street.task_ids)
    assert sum(deleted["/api/dm/actions"]) <= 2 * of_the_other.total()


def test_a_round_waits_for_the_piece_that_replaces_predictions(street, monkeypatch):
    street.label(street.task_ids[0], "siren")
    street.now += QUIET_S
    client = street.rest._label_studio.data_manager
    delete = client.delete_predictions
    rounds = []

    def label_meanwhile_and_delete(project_id, task_ids):
        if not task_ids:
            return
        street.studio.annotate(task_ids[0], "other")
        street.hint()
        rounds.append(threading.Thread(target=street.round))
        rounds[0].start()
        rounds[0].join(0.3)
        assert rounds[0].is_alive()
        delete(project_id, task_ids)

    monkeypatch.setattr(client, "delete_predictions", label_meanwhile_and_delete)
    while not rounds:
        assert street.go_on()
    rounds[0].join(10)
    assert set(street.head) == {one["task"] for one in street.current}


@pytest.mark.slow
def test_stopped_anywhere_it_ends_in_the_same_state(tmp_path):
    street = Street(tmp_path / "whole")
    prepare = begun(street)
    street.go_on_to_the_end()
    n_calls = len(street.studio.calls) - prepare
    wanted = (street.predicted, street.versions_held, street.studio.tasks)
    street.store.close()
    assert n_calls > 20
    for n_left in np.linspace(0, n_calls - 2, 9).astype(int):
        street = Street(tmp_path / str(n_left))
        begun(street)
        stop_after(street, n_left)
        with pytest.raises(KilledError):
            street.go_on_to_the_end()
        street.restart()
        street.go_on_to_the_end()
        assert (street.predicted, street.versions_held, street.studio.tasks) == wanted
        street.store.close()


class KilledError(BaseException):
    """The process ends here: nothing catches this."""


def begun(street):
    """Publish a version everywhere, then make another one; gives the number of calls so far."""
    street.label(street.task_ids[0], "siren")
    street.now += 3 * QUIET_S
    street.go_on_to_the_end()
    street.label(street.task_ids[1], "other")
    street.now += 3 * QUIET_S
    return len(street.studio.calls)


def stop_after(street, n_calls):
    """Let the process die when Label Studio has done so many more calls, and one."""
    send = street.rest._label_studio._connection.send
    n_before = len(street.studio.calls)

    def send_and_die(*arguments, **how):
        answer = send(*arguments, **how)
        if len(street.studio.calls) - n_before > n_calls:
            raise KilledError
        return answer

    street.rest._label_studio._connection.send = send_and_die
    street.rest._label_studio._connection.get = lambda *a, **h: send("GET", *a, **h)


def test_nothing_is_published_for_clips_that_another_embedder_embedded(street):
    street.now += QUIET_S
    street.reconciler = Reconciler(
        street.store, street.studio.client(), street.settings, "another", clock=lambda: street.now
    )
    street.rest = BackgroundPublisher(
        street.store,
        street.studio.client(),
        street.settings,
        street.reconciler,
        clock=lambda: street.now,
    )
    assert not street.go_on()
    assert street.progress.n_published == len(street.current) == HEAD


def test_a_changed_question_is_not_forgotten_when_its_round_fails(street, monkeypatch):
    project = street.studio.projects[street.project_id]
    street.label(street.task_ids[0], "siren")
    before = street.version
    street.now += LISTENED_S
    project["label_config"] = project["label_config"].replace("other", "quiet")
    street.hint(labels=False)
    with monkeypatch.context() as patched:
        patched.setattr(reconcile, "train_and_rank", None)
        with pytest.raises(TypeError):
            street.round()
    street.now += 10.0
    assert street.round() != before
    assert street.version != before


def test_a_store_that_fails_ends_the_worker_so_that_it_is_started_again(street, caplog):
    worker = Scheduler(street.settings, street.store, street.studio.client(), Drawn())
    with street.store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE label")
    stop, raised = threading.Event(), []

    def run():
        try:
            worker.run(stop)
        except OperationalError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()  # one project's round failed, the worker did not
    with street.store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE project")
    thread.join(5.0)
    assert not thread.is_alive()
    assert stop.is_set()
    assert "project" in str(raised[0])  # whoever started it is told why
