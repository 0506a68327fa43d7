"""Hearing clips: one that cannot be had or embedded never stops the others."""

import io
import threading

import httpx
import numpy as np
import pytest
import soundfile

from ml_backend.clip import Task
from ml_backend.embedders import load_embedder
from ml_backend.errors import LabelStudioUnreachableError
from ml_backend.label_studio import LabelStudio, connection
from ml_backend.label_studio.fetch import Fetcher
from ml_backend.loop.embed_clips import BATCH, ClipEmbedder
from ml_backend.store import open_store

RATE_HZ = 16_000


def wav(seed):
    file = io.BytesIO()
    sound = np.random.default_rng(seed).uniform(-0.3, 0.3, RATE_HZ // 10)
    soundfile.write(file, sound, RATE_HZ, format="WAV")
    return file.getvalue()


class Network:
    """A Label Studio that serves sounds; some files, or all of it, may be out of order."""

    def __init__(self):
        self.broken = set()
        self.slow = set()
        self.answered = []
        self.is_down = False
        self.go_on = threading.Event()

    def __call__(self, request):
        if self.is_down:
            raise httpx.ConnectError("refused", request=request)
        if request.url.path.endswith("whoami"):
            return httpx.Response(200, json={"id": 1})
        number = int(request.url.path.rpartition("/")[2].removesuffix(".wav"))
        if number in self.slow:
            self.go_on.wait(120.0)
        self.answered.append(number)
        if number in self.broken:
            return httpx.Response(503)
        return httpx.Response(200, content=wav(number))


@pytest.fixture
def network(monkeypatch):
    monkeypatch.setattr(connection, "RETRY_PAUSES_S", ())
    made = Network()
    yield made
    made.go_on.set()


@pytest.fixture
def store():
    opened = open_store("sqlite://")
    yield opened
    opened.close()


@pytest.fixture
def embedder(tmp_path):
    return load_embedder("melstats", None, tmp_path)


@pytest.fixture
def clip_embedder_of(network, store):
    def make(embedder):
        studio = LabelStudio("http://studio.test", "t" * 40, transport=httpx.MockTransport(network))
        return ClipEmbedder(store, Fetcher(studio, None, ()), embedder)

    return make


def tasks_of(store, numbers):
    tasks = [Task(n, f"clip-{n}", f"/data/upload/1/{n}.wav") for n in numbers]
    store.clips.replace_tasks(1, tasks)
    return tasks


def heard(store, embedder):
    tasks = store.clips.tasks(1)
    found, _ = store.clips.embeddings(embedder.embedder_id, [task.clip_key for task in tasks])
    return {task.task_id for task in tasks if task.clip_key in found}


def reasons(store, embedder):
    return dict(store.clips.failed(1, embedder.embedder_id, limit=1000))


def test_a_file_that_label_studio_cannot_give_is_named_and_the_others_are_heard(
    clip_embedder_of, store, embedder, network
):
    network.broken = {2}
    clip_embedder_of(embedder).embed(tasks_of(store, range(1, 6)))
    assert heard(store, embedder) == {1, 3, 4, 5}
    assert list(reasons(store, embedder)) == [2]
    assert "/data/upload/1/2.wav cannot be had" in reasons(store, embedder)[2]


def test_a_whole_batch_that_label_studio_cannot_give_lets_the_next_one_through(
    clip_embedder_of, store, embedder, network
):
    network.broken = set(range(1, BATCH + 1))
    clip_embedder_of(embedder).embed(tasks_of(store, range(1, BATCH + 3)))
    assert heard(store, embedder) == {BATCH + 1, BATCH + 2}
    assert set(reasons(store, embedder)) == network.broken


def test_a_label_studio_that_is_down_is_no_clips_fault(clip_embedder_of, store, embedder, network):
    clip_embedder = clip_embedder_of(embedder)
    tasks = tasks_of(store, range(1, 4))
    network.is_down = True
    with pytest.raises(LabelStudioUnreachableError):
        clip_embedder.embed(tasks)
    assert reasons(store, embedder) == {}
    network.is_down = False
    clip_embedder.embed(tasks)
    assert heard(store, embedder) == {1, 2, 3}


def test_a_clip_that_the_embedder_fails_on_is_named_and_the_others_are_heard(
    clip_embedder_of, store, embedder
):
    class Fussy:
        embedder_id = embedder.embedder_id
        embedding_dim = embedder.embedding_dim
        sample_rate_hz = RATE_HZ
        warning = None
        hated = np.round(soundfile.read(io.BytesIO(wav(3)), dtype="float32")[0][:5], 3)

        def embed(self, waveforms):
            if any(np.array_equal(np.round(one[:5], 3), self.hated) for one in waveforms):
                raise RuntimeError("out of memory")
            return embedder.embed(waveforms)

    clip_embedder_of(Fussy()).embed(tasks_of(store, range(1, 6)))
    assert heard(store, embedder) == {1, 2, 4, 5}
    assert "3.wav: cannot be embedded (RuntimeError)" in reasons(store, embedder)[3]


def test_an_embedding_that_is_no_number_is_not_kept(clip_embedder_of, store, embedder, monkeypatch):
    embed = type(embedder).embed

    def poisoned(self, waveforms):
        return np.where(np.arange(len(waveforms))[:, None] == 1, np.nan, embed(self, waveforms))

    monkeypatch.setattr(type(embedder), "embed", poisoned)
    clip_embedder_of(embedder).embed(tasks_of(store, range(1, 6)))
    keys = [task.clip_key for task in store.clips.tasks(1)]
    assert np.isfinite(store.clips.embeddings(embedder.embedder_id, keys)[1]).all()


@pytest.mark.slow
def test_what_is_not_read_in_time_is_left_for_another_time(
    clip_embedder_of, store, embedder, network
):
    network.slow = {2}
    clip_embedder = clip_embedder_of(embedder)
    tasks = tasks_of(store, range(1, 5))
    clip_embedder.embed(tasks, limit_s=3.0)
    assert 2 not in network.answered
    assert heard(store, embedder) == {1, 3, 4}
    assert reasons(store, embedder) == {}
