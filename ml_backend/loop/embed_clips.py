"""From tasks to embeddings: fetch, decode, embed, store; one bad clip never stops the others."""

import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml_backend.audio.reading import read_recording, waveform
from ml_backend.clip import Task
from ml_backend.embedders import Embedder, check_waveform
from ml_backend.errors import AudioError, LabelStudioError
from ml_backend.store import Store

log = logging.getLogger(__name__)

# None: not read in time; str: the reason of a failure; an error: of Label Studio or of the clip.
Reading = NDArray[np.float32] | str | LabelStudioError | None

BATCH = 32
MAX_EMBEDDED_S = 60.0
"""Longest embedded part of a clip, in s: the importer should cut longer recordings."""

_FILES = 0
"""The only project in a store of files, with a number that Label Studio never uses."""


class Source(Protocol):
    """A source of clips: a ``Fetcher``, or the disk."""

    def fetch(self, address: str) -> Path | bytes:
        """Return the file at an address, or its content."""
        ...

    def check(self) -> None:
        """Raise if the source fails, rather than a clip."""


class Disk:
    """Clips whose addresses are paths."""

    def fetch(self, address: str) -> Path:
        """Return the path."""
        return Path(address)

    def check(self) -> None:
        """Do nothing: the disk is always available."""


class ClipEmbedder:
    """Embeds the clips of tasks batch by batch, and stores each batch at once."""

    def __init__(
        self,
        store: Store,
        fetcher: Source,
        embedder: Embedder,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._fetcher = fetcher
        self._embedder = embedder
        self._clock = clock

    def embed(self, tasks: Sequence[Task], *, limit_s: float | None = None) -> None:
        """Embed and store the clips of tasks, or the reason of each failure.

        Parameters
        ----------
        tasks : sequence of Task
        limit_s : float, optional
            Clips that are not read within this time, in s, are left for later.

        Raises
        ------
        LabelStudioUnreachableError, LabelStudioAuthError
            If Label Studio, rather than a clip, fails; the batches before are stored.
        """
        deadline = None if limit_s is None else time.monotonic() + limit_s
        batches = [tasks[start : start + BATCH] for start in range(0, len(tasks), BATCH)]
        readers = ThreadPoolExecutor(os.cpu_count() or 1)
        try:
            ahead = [readers.submit(self._read, task) for task in batches[0]] if batches else []
            for number, batch in enumerate(batches):
                reading = ahead
                following = batches[number + 1] if number + 1 < len(batches) else []
                ahead = [readers.submit(self._read, task) for task in following]
                self._keep(batch, [_within(deadline, one) for one in reading])
        finally:
            readers.shutdown(wait=False, cancel_futures=True)

    def _read(self, task: Task) -> Reading:
        """Return a clip's waveform, or the reason why there is none."""
        try:
            if not task.audio:
                raise AudioError(f"task {task.task_id} has no audio; give it one or delete it.")
            source = self._fetcher.fetch(task.audio)
            recording = read_recording(source, name=task.audio, duration_s=MAX_EMBEDDED_S)
            samples = waveform(recording, self._embedder.sample_rate_hz)
            check_waveform(samples, self._embedder.sample_rate_hz, task.audio)
            return samples
        except AudioError as error:
            return str(error)
        except LabelStudioError as error:
            return error
        except Exception as error:
            log.exception("task %d: reading its audio failed", task.task_id)
            return f"{task.audio}: cannot be read ({type(error).__name__})."

    def _keep(self, batch: Sequence[Task], readings: Sequence[Reading]) -> None:
        """Embed the clips that were read, and store the failures that the clips cause."""
        read, withheld = [], []
        for task, reading in zip(batch, readings, strict=True):
            if isinstance(reading, str):
                self._give_up(task, reading)
            elif isinstance(reading, LabelStudioError):
                withheld.append((task, reading))
            elif reading is not None:
                read.append((task, reading))
        if read:
            self._embed(read)
        if withheld:
            self._fetcher.check()
            for task, error in withheld:
                self._give_up(task, f"{task.audio} cannot be had: {error.plain}")

    def _embed(self, read: Sequence[tuple[Task, NDArray[np.float32]]]) -> None:
        try:
            embeddings = self._embedder.embed([samples for _, samples in read])
            if not np.isfinite(embeddings).all():
                raise FloatingPointError("an embedding is not finite")
        except Exception as error:  # of any kind: one clip must not stop the others
            if len(read) > 1:
                for one in read:
                    self._embed([one])
                return
            task = read[0][0]
            log.exception("task %d: embedding it failed", task.task_id)
            self._give_up(task, f"{task.audio}: cannot be embedded ({type(error).__name__}).")
            return
        keys = [task.clip_key for task, _ in read]
        self._store.clips.add_embeddings(self._embedder.embedder_id, keys, embeddings)

    def _give_up(self, task: Task, reason: str) -> None:
        self._store.clips.add_failed(
            self._embedder.embedder_id, task.clip_key, reason, now=self._clock()
        )


def _within(deadline: float | None, reading: "Future[Reading]") -> Reading:
    """Wait for a clip; return None if it is not read in time."""
    try:
        return reading.result(None if deadline is None else max(deadline - time.monotonic(), 0.0))
    except TimeoutError:
        return None


def embed_files(
    store: Store,
    embedder: Embedder,
    clip_keys: Sequence[str],
    paths: Sequence[Path],
    on_progress: Callable[[int, int], None],
) -> tuple[NDArray[np.int64], NDArray[np.float32], list[str]]:
    """Embed files whose embeddings are not in the store yet.

    Returns
    -------
    embedded : ndarray of int64, shape=(n_embedded,)
        Rows of the files that could be embedded.
    embeddings : ndarray of float32, shape=(n_embedded, embedding_dim)
    reasons : list of str
        Reasons for the others.
    """
    tasks = [
        Task(row, key, str(path))
        for row, (key, path) in enumerate(zip(clip_keys, paths, strict=True))
    ]
    held = set(store.clips.embeddings(embedder.embedder_id, clip_keys)[0])
    new = [task for task in tasks if task.clip_key not in held]
    clip_embedder = ClipEmbedder(store, Disk(), embedder)
    on_progress(len(tasks) - len(new), len(tasks))
    for start in range(0, len(new), BATCH):
        clip_embedder.embed(new[start : start + BATCH])
        on_progress(len(tasks) - len(new) + min(start + BATCH, len(new)), len(tasks))
    keys, vectors = store.clips.embeddings(embedder.embedder_id, clip_keys)
    row_of = {key: row for row, key in enumerate(keys)}
    embedded = np.array([t.task_id for t in tasks if t.clip_key in row_of], dtype=np.int64)
    rows = np.array([row_of[t.clip_key] for t in tasks if t.clip_key in row_of], dtype=np.int64)
    store.clips.replace_tasks(_FILES, tasks)
    reasons = [
        reason for _, reason in store.clips.failed(_FILES, embedder.embedder_id, limit=len(tasks))
    ]
    return embedded, vectors[rows] if len(rows) else vectors, reasons
