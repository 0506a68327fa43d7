"""As many clips as there are: no statement asks for more values than a database takes at once."""

import sqlite3
import uuid

import numpy as np
import pytest
from sqlalchemy import event

from ml_backend.clip import Task, TaskLabels
from ml_backend.metadata.table import SheetColumn
from ml_backend.store import open_store
from tests.postgres import create_database

MOST = {"older sqlite": 999, "sqlite": 32_766, "postgres": 65_535}


@pytest.fixture(params=[*list(MOST)[:2], pytest.param("postgres", marks=pytest.mark.postgres)])
def limited(request, tmp_path):
    """A store with a database's limit, and one value more than it takes."""
    most = MOST[request.param]
    if request.param == "postgres":
        url = create_database(request.getfixturevalue("postgres"), f"t{uuid.uuid4().hex[:8]}")
    else:
        url = f"sqlite:///{tmp_path / 'earmark.db'}"
    store = open_store(url)
    if request.param != "postgres":
        limit = sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER
        store.engine.dispose()  # for new connections, which then have the limit
        event.listen(store.engine, "connect", lambda made, _: made.setlimit(limit, most))
    yield store, most + 1
    store.close()


@pytest.mark.slow
def test_all_labels_are_removed_at_once(limited):
    store, n = limited
    said = [TaskLabels(task_id, frozenset({"siren"}), "labeled", 1) for task_id in range(n)]
    assert store.labels.replace(1, said)
    assert len(store.labels.read(1)) == n
    assert store.labels.replace(1, said[:1])
    assert store.labels.read(1) == said[:1]


@pytest.mark.slow
def test_all_tasks_are_removed_at_once(limited):
    store, n = limited
    tasks = [Task(task_id, f"{task_id:08d}", "/a.wav") for task_id in range(n)]
    assert store.clips.replace_tasks(1, tasks)
    assert store.clips.replace_tasks(1, tasks[-1:])
    assert [task.task_id for task in store.clips.tasks(1)] == [n - 1]


def test_all_embeddings_are_kept_and_found_at_once(limited):
    store, n = limited
    keys = [f"{number:08d}" for number in range(n)]
    store.clips.add_failed("e", keys[-1], "it was away", now=1.0)
    store.clips.replace_tasks(1, [Task(1, keys[-1], "/a.wav")])
    vectors = np.arange(2 * n, dtype=np.float32).reshape(n, 2)
    store.clips.add_embeddings("e", keys, vectors)
    found, rows = store.clips.embeddings("e", keys[::-1])
    assert sorted(found) == keys
    assert np.array_equal(rows[np.argsort(found)], vectors)
    assert store.clips.failed(1, "e", limit=9) == []


def test_more_columns_than_one_statement_asks_for_are_read(limited):
    store, _ = limited
    columns = [SheetColumn(f"c{n}", "number", np.array([float(n)]), ()) for n in range(1000)]
    store.sheets.replace(1, columns, "made from this")
    names = [column.name for column in columns]
    assert list(store.sheets.read(1, names)) == names
