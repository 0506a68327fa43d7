"""Reading all tasks takes Label Studio seconds: a worker's rounds do not wait for it."""

import threading
import time
from contextlib import contextmanager

import pytest

from ml_backend.loop import scheduler as scheduler_module
from ml_backend.loop.scheduler import Scheduler
from tests.street import N_CLIPS, Drawn

PATIENCE_S = 120.0  # a test that passes waits for events, and not for this


@contextmanager
def working(street, *, tasks_are_held=True):
    """Let a worker work; what it gives can be set to let Label Studio list tasks."""
    client, are_let_go = street.studio.client(), threading.Event()
    list_tasks = client.tasks

    def held(project_id):
        assert are_let_go.wait(PATIENCE_S)
        return list_tasks(project_id)

    if tasks_are_held:
        client.tasks = held
    stop = threading.Event()
    thread = threading.Thread(
        target=Scheduler(street.settings, street.store, client, Drawn()).run, args=(stop,)
    )
    thread.start()
    try:
        yield are_let_go
    finally:
        are_let_go.set()
        stop.set()
        thread.join(PATIENCE_S)


def until(is_done):
    deadline = time.monotonic() + PATIENCE_S
    while not is_done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def tasks_of(street):
    return street.store.clips.task_ids(street.project_id).tolist()


def test_after_a_restart_labels_are_learned_from_before_the_tasks_are_read(street):
    before = street.version
    street.studio.annotate(street.task_ids[0], "siren")
    with working(street):
        until(lambda: street.version != before)


def test_a_task_exchanged_while_no_worker_was_there_is_noticed(street):
    (new,) = street.swap(street.task_ids[4:5])
    with working(street) as are_let_go:
        until(lambda: not street.store.agenda.is_waiting(street.project_id))
        assert new not in tasks_of(street)
        are_let_go.set()
        until(lambda: new in tasks_of(street))
        until(lambda: street.progress.n_ranked == N_CLIPS and new in rank(street))
    assert tasks_of(street) == sorted(street.studio.tasks)


def rank(street):
    return street.store.versions.current(street.project_id).ranking["task_ids"].tolist()


@pytest.mark.parametrize("is_heard", [True, False])
def test_while_deleted_tasks_are_listed_labels_are_learned_from(street, is_heard):
    with working(street) as are_let_go:
        street.studio.delete_tasks(rank(street)[1:12])
        if is_heard:
            street.hint(tasks=True)
        before = street.version
        for task_id in street.task_ids[-2:]:
            if task_id in street.studio.tasks:
                street.studio.annotate(task_id, "siren")
        street.hint()
        until(lambda: street.version != before and street.studio.queue(street.project_id))
        assert len(tasks_of(street)) == N_CLIPS
        are_let_go.set()
        until(lambda: tasks_of(street) == sorted(street.studio.tasks))
    assert street.store.agenda.description(street.project_id)["error"] == ""


def test_a_project_seen_for_the_first_time_is_read_in_its_first_round(street):
    street.store.clips.forget(street.project_id)
    street.hint(tasks=True)
    with working(street, tasks_are_held=False):
        until(lambda: tasks_of(street) == street.task_ids)


def test_an_emptied_project_is_not_listed_later(street):
    street.studio.delete_tasks(list(street.studio.tasks))
    with working(street, tasks_are_held=False):
        until(lambda: tasks_of(street) == [])


@pytest.mark.slow
def test_tasks_are_read_although_rounds_never_end(street, monkeypatch):
    monkeypatch.setattr(scheduler_module, "TASKS_CEILING_S", 0.5)
    (new,) = street.swap(street.task_ids[4:5])
    monkeypatch.setattr(street.store.agenda, "is_waiting", lambda project_id: True)
    with working(street, tasks_are_held=False):
        until(lambda: new in tasks_of(street))


def test_tasks_that_cannot_be_listed_are_listed_when_label_studio_can_again(street):
    (new,) = street.swap(street.task_ids[4:5])
    street.studio.breaks_at = "/api/tasks"
    with working(street, tasks_are_held=False):
        until(lambda: ("GET", "/api/tasks") in street.studio.calls)
        assert new not in tasks_of(street)
        street.studio.breaks_at = None
        until(lambda: new in tasks_of(street))
