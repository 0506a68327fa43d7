"""A project's embedded clips as arrays: rows = clips, in the order of the tasks' numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ml_backend.clip import Task
from ml_backend.learning.audit_slice import draw_lots
from ml_backend.similarity.vectors import normalize_rows


@dataclass(frozen=True)
class EmbeddedClips:
    """Tasks whose clip has an embedding.

    Attributes
    ----------
    task_ids : ndarray of int64, shape=(n_clips,)
        Sorted.
    clip_keys : tuple of str
    recordings : ndarray of int64, shape=(n_clips,)
        Number of the clip's recording; -1 if the recording is not known.
    embeddings : ndarray of float32, shape=(n_clips, embedding_dim)
    """

    task_ids: NDArray[np.int64]
    clip_keys: tuple[str, ...]
    recordings: NDArray[np.int64]
    embeddings: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.task_ids)

    def groups(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the recordings of some rows; a clip of unknown recording is its own group.

        Examples
        --------
        >>> recordings = np.array([0, -1, 0, -1])
        >>> clips = EmbeddedClips(np.arange(4), tuple("abcd"), recordings, np.eye(4))
        >>> clips.groups(np.arange(4)).tolist()
        [0, 1, 0, 2]
        """
        groups = self.recordings[rows]
        alone = groups < 0
        groups[alone] = groups.max(initial=0) + 1 + np.arange(alone.sum())
        return groups

    @cached_property
    def unit(self) -> NDArray[np.float32]:
        """Rows scaled to length 1, ``(n_clips, embedding_dim)``."""
        return normalize_rows(self.embeddings)

    @cached_property
    def center(self) -> NDArray[np.float32]:
        """Mean of the unit rows, ``(embedding_dim,)``."""
        if not len(self):
            return np.zeros(self.embeddings.shape[1], dtype=np.float32)
        return np.asarray(self.unit.mean(axis=0, dtype=np.float64), dtype=np.float32)

    @cached_property
    def spread(self) -> float:
        """Root mean squared distance of the unit rows from their mean."""
        if not len(self):
            return 0.0
        squared = np.einsum("ij,ij->", self.unit, self.unit, dtype=np.float64) / len(self)
        return float(np.sqrt(max(squared - (self.center.astype(np.float64) ** 2).sum(), 0.0)))

    @cached_property
    def lots(self) -> NDArray[np.float64]:
        """Lots that determine the audit slice, ``(n_clips,)``."""
        return draw_lots(self.clip_keys)

    def rows(self, task_ids: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of tasks in the given order; tasks without one are left out."""
        wanted = np.asarray(task_ids, dtype=np.int64)
        if not len(self) or not len(wanted):
            return np.empty(0, dtype=np.int64)
        found = np.minimum(np.searchsorted(self.task_ids, wanted), len(self) - 1)
        return np.asarray(found[self.task_ids[found] == wanted], dtype=np.int64)


def embedded_clips(
    tasks: Sequence[Task], clip_keys: Sequence[str], vectors: NDArray[np.float32]
) -> EmbeddedClips:
    """Match tasks with the embeddings of their clips; tasks without one are left out.

    Parameters
    ----------
    tasks : sequence of Task
        In the order of their numbers.
    clip_keys : sequence of str
        Keys of the embedded clips.
    vectors : ndarray, shape=(len(clip_keys), embedding_dim)
        Their embeddings.

    Examples
    --------
    >>> tasks = [Task(1, "a", "/a.wav"), Task(2, "b", "/b.wav")]
    >>> embedded_clips(tasks, ["b"], np.ones((1, 3), dtype=np.float32)).task_ids.tolist()
    [2]
    """
    row_of = {key: row for row, key in enumerate(clip_keys)}
    embedded = [task for task in tasks if task.clip_key in row_of]
    numbers: dict[str, int] = {}
    recordings = [
        -1 if task.recording_id is None else numbers.setdefault(task.recording_id, len(numbers))
        for task in embedded
    ]
    rows = np.array([row_of[task.clip_key] for task in embedded], dtype=np.int64)
    return EmbeddedClips(
        np.array([task.task_id for task in embedded], dtype=np.int64),
        tuple(task.clip_key for task in embedded),
        np.array(recordings, dtype=np.int64),
        vectors[rows] if len(rows) else np.empty((0, 0), dtype=np.float32),
    )
