"""Embedded clips are held as long as nothing has changed, and no longer."""

import numpy as np
import pytest

from ml_backend.clip import Task
from ml_backend.loop.embedding_cache import Gatherer
from ml_backend.store import open_store
from ml_backend.store.clips import Clips

EMBEDDER = "drawn-1"


@pytest.fixture
def store():
    made = open_store("sqlite://")
    yield made
    made.close()


def embed(store, *keys):
    rows = np.array([[float(ord(key)), 1.0] for key in keys], dtype=np.float32)
    store.clips.add_embeddings(EMBEDDER, keys, rows)


def tasks(*keys):
    return [Task(number, key, f"/{key}.wav") for number, key in enumerate(keys, 1)]


def test_what_is_held_is_given_again_without_reading_the_tasks(store, monkeypatch):
    embed(store, "a", "b")
    store.clips.replace_tasks(1, tasks("a", "b"))
    gatherer = Gatherer(store, 2)
    first = gatherer.clips(1, EMBEDDER)
    monkeypatch.setattr(Clips, "tasks", None)
    assert gatherer.clips(1, EMBEDDER) is first


def test_other_tasks_are_noticed(store):
    embed(store, "a", "b", "c")
    gatherer = Gatherer(store, 2)
    for keys in (("a", "b"), ("a", "b", "c"), ("c", "b"), ("a", "b")):
        store.clips.replace_tasks(1, tasks(*keys))
        assert gatherer.clips(1, EMBEDDER).clip_keys == keys
    store.forget(1)
    assert len(gatherer.clips(1, EMBEDDER)) == 0


def test_what_is_embedded_later_is_noticed(store):
    embed(store, "a")
    store.clips.replace_tasks(1, tasks("a", "b"))
    gatherer = Gatherer(store, 2)
    assert gatherer.clips(1, EMBEDDER).clip_keys == ("a",)
    embed(store, "b")
    clips = gatherer.clips(1, EMBEDDER)
    assert clips.clip_keys == ("a", "b")
    assert clips.embeddings.tolist() == [[97.0, 1.0], [98.0, 1.0]]
