"""The embedded clips of the last few projects in memory: only new embeddings are read."""

import threading

import numpy as np
from cachetools import LRUCache

from ml_backend.learning.embedded_clips import EmbeddedClips, embedded_clips
from ml_backend.store import Store


class Gatherer:
    """Matches tasks with their embeddings; safe to share between threads."""

    def __init__(self, store: Store, n_projects: int) -> None:
        self._store = store
        self._held: LRUCache[tuple[int, str], tuple[EmbeddedClips, str]] = LRUCache(n_projects)
        self._lock = threading.Lock()

    def clips(self, project_id: int, embedder_id: str) -> EmbeddedClips:
        """Return a project's embedded clips: the same object while nothing changes."""
        stamp = self._store.facts.stamp("tasks", project_id)
        with self._lock:
            held, held_stamp = self._held.get((project_id, embedder_id), (None, ""))
        if held is not None and stamp and held_stamp == stamp:  # "": not all were embedded
            return held
        tasks = self._store.clips.tasks(project_id)
        row_of = {key: row for row, key in enumerate(held.clip_keys)} if held else {}
        new = sorted({task.clip_key for task in tasks} - row_of.keys())
        keys, vectors = self._store.clips.embeddings(embedder_id, new)
        if held is not None and not keys and len(held) == len(tasks):
            same = np.array_equal(held.task_ids, [task.task_id for task in tasks])
            if same and held.clip_keys == tuple(task.clip_key for task in tasks):
                return self._keep(project_id, embedder_id, held, stamp)
        if row_of and held is not None:
            kept = list(row_of)
            old = held.embeddings[[row_of[key] for key in kept]]
            vectors = np.concatenate([old, vectors]) if keys else old
            keys = kept + keys
        clips = embedded_clips(tasks, keys, vectors)
        is_whole = len(clips) == len(tasks)
        return self._keep(project_id, embedder_id, clips, stamp if is_whole else "")

    def _keep(
        self, project_id: int, embedder_id: str, clips: EmbeddedClips, stamp: str
    ) -> EmbeddedClips:
        with self._lock:
            self._held[project_id, embedder_id] = (clips, stamp)
        return clips
