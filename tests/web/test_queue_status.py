"""How the request of a project stands: true after every change, and found anew only when due."""

import time

import pytest
from sqlalchemy import event

from ml_backend.clip import Task, TaskLabels
from ml_backend.store import open_store
from ml_backend.store.queue import Wanted
from ml_backend.web.snapshot.background_job import Pending
from ml_backend.web.snapshot.queue_status import QueueHead

LOUD = Wanted("salience == 1", None, "ada@studio.test", 1.0)


def tasks(n):
    return [Task(row, f"k{row}", "/a.wav", None, {"salience": row % 2}) for row in range(1, n + 1)]


def label(task_id, *, skips=False, name="siren"):
    usable = frozenset({name}) if name and not skips else None
    state = "labeled" if usable else "skipped" if skips else "no_label"
    return TaskLabels(task_id, usable, state, 1)


@pytest.fixture
def store(tmp_path):
    opened = open_store(f"sqlite:///{tmp_path / 'earmark.db'}")
    opened.clips.replace_tasks(1, tasks(10))
    yield opened
    opened.close()


@pytest.fixture
def readings(store):
    """Every look at what the tasks say of their clips, which is what takes long."""
    seen = []

    def note(connection, cursor, statement, *_):
        if "task.data" in statement.partition("FROM")[0]:
            seen.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    return seen


def see(head):
    for _ in range(3_000):
        asked = head.see(1)
        if not isinstance(asked, Pending):
            return asked
        time.sleep(0.02)
    raise AssertionError("the clips are still being counted")


def test_every_answer_is_counted_as_what_it_is(store):
    store.queue.ask(1, LOUD)
    store.labels.replace(1, [label(1), label(2), label(3, skips=True), label(5, name=None)])
    asked = see(QueueHead(store))
    assert asked.task_ids.tolist() == [1, 3, 5, 7, 9]
    assert asked.left == [7, 9]
    told = {"labeled": 1, "skipped": 1, "no_label": 1, "pool": 2}
    assert {name: n for name, n in asked.states.items() if n} == told


def test_the_clips_are_found_again_only_when_request_or_tasks_change(store, readings):
    head = QueueHead(store)
    assert see(head) is None
    assert readings == []
    store.queue.ask(1, LOUD)
    assert len(see(head).left) == 5
    assert len(readings) == 1
    store.labels.replace(1, [label(1)])
    assert (see(head).states["labeled"], len(see(head).left)) == (1, 4)
    assert len(readings) == 1
    store.clips.replace_tasks(1, tasks(12))
    del readings[:]  # replacing reads them, too
    assert len(see(head).task_ids) == 6
    assert len(readings) == 1
    store.queue.ask(1, Wanted("salience == 0", None, "", 2.0))
    assert see(head).left == [2, 4, 6, 8, 10, 12]
    store.queue.forget(1)
    assert see(head) is None


def test_while_a_request_is_counted_anew_the_count_before_is_shown(store):
    head = QueueHead(store)
    store.queue.ask(1, LOUD)
    before = see(head)

    def wait(connection, cursor, statement, *_):
        if "FROM label" in statement:
            time.sleep(0.4)

    event.listen(store.engine, "before_cursor_execute", wait)
    store.labels.replace(1, [label(1)])
    assert head.see(1) is before
    while see(head) is before:
        time.sleep(0.02)
    assert see(head).states["labeled"] == 1
    store.queue.ask(1, Wanted("salience == 0", None, "", 2.0))
    assert isinstance(head.see(1), Pending)
