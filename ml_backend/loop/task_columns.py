"""Predictions in the task data, as columns of the Data Manager that people can sort by.

The columns are the predicted class, its probability, the entropy, and the version. Label Studio has
one cheap way to write task data: one value for many tasks at once. Therefore numbers have two
decimals, and all clips with the same new value get it in one call. Only differences from the last
write are written, block by block in queue order; a row with the current version has it in all four
columns.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_backend.clip import MODEL_COLUMNS
from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.prediction import chosen_names
from ml_backend.learning.embedded_clips import EmbeddedClips
from ml_backend.loop.publish import Edition
from ml_backend.store import Store

BLOCK = 2_000
"""Number of clips per block; until all blocks are written, rows of two versions are mixed."""
TASKS_AT_ONCE = 200
"""Most clips that one call writes, 0.2 s."""
_CLASS, _PROBABILITY, _ENTROPY, _VERSION = MODEL_COLUMNS
_NUMBERS = (_PROBABILITY, _ENTROPY)
_NOT_KNOWN = "\x1a"  # not allowed in XML, so no class has this name

Values = dict[str, NDArray[np.object_]]


@dataclass
class _Work:
    """One version's values of each clip, and those in Label Studio; rows = ``task_ids``.

    ``block`` is the number of the current block.
    """

    model_version: str
    is_blind: bool
    task_ids: NDArray[np.int64]
    wanted: Values
    written: Values
    block: int | None = None


class ColumnWriter:
    """Writes the columns of every project, one call at a time.

    The store holds the values in Label Studio, updated once per block: before its first call, the
    values that the block changes are stored as not known. Therefore an unfinished block (after a
    killed process, or another version) is always written again.
    """

    def __init__(self, store: Store, label_studio: LabelStudio) -> None:
        self._store = store
        self._label_studio = label_studio
        self._work: dict[int, _Work] = {}
        self._done: dict[int, tuple[str, bool]] = {}

    def is_done(self, project_id: int, model_version: str, *, is_blind: bool) -> bool:
        """Return whether the columns hold all values of a version, or none if ``is_blind``."""
        return self._done.get(project_id) == (model_version, is_blind)

    def go_on(
        self, project_id: int, edition: Edition, clips: EmbeddedClips, *, is_blind: bool
    ) -> None:
        """Make the next call for a version.

        If ``is_blind``, the columns are emptied: the list of tasks must not show predictions that
        the labeling page hides. After an interruption, at most one block is written again.
        """
        work = self._work.get(project_id)
        if work is None or (work.model_version, work.is_blind) != (edition.model_version, is_blind):
            work = self._work[project_id] = self._begin(project_id, edition, clips, is_blind)
        call = _next(work)
        if call is not None:
            self._write(project_id, work, *call)
        if call is None or _next(work) is None:
            self._finish(project_id, work)

    def _begin(
        self, project_id: int, edition: Edition, clips: EmbeddedClips, is_blind: bool
    ) -> _Work:
        self._done.pop(project_id, None)
        task_ids = edition.task_ids[np.isin(edition.task_ids, clips.task_ids)]
        wanted = _nothing(len(task_ids))
        if not is_blind:
            wanted = values_of(edition, clips.embeddings[clips.rows(task_ids)])
        kept = self._store.task_columns.read(project_id)
        written = _nothing(len(task_ids))
        if kept:
            _, mine, theirs = np.intersect1d(task_ids, kept["task_ids"], return_indices=True)
            for name in MODEL_COLUMNS:
                written[name][mine] = kept[name][theirs]
        return _Work(edition.model_version, is_blind, task_ids, wanted, written)

    def _write(self, project_id: int, work: _Work, name: str, rows: NDArray[np.int64]) -> None:
        number = int(rows[0]) // BLOCK
        if number != work.block:
            self._keep(project_id, work, _in_doubt(work, number))
            work.block = number
        text = str(work.wanted[name][rows[0]])
        value = float(text) if name in _NUMBERS and text else text
        task_ids = work.task_ids[rows].tolist()
        self._label_studio.data_manager.set_field(project_id, task_ids, name, value)
        work.written[name][rows] = text

    def _finish(self, project_id: int, work: _Work) -> None:
        if work.block is not None:
            self._keep(project_id, work, work.written)
        self._done[project_id] = work.model_version, work.is_blind
        del self._work[project_id]

    def _keep(self, project_id: int, work: _Work, written: Values) -> None:
        kept = {name: texts.astype(str) for name, texts in written.items()}
        self._store.task_columns.write(project_id, {"task_ids": work.task_ids, **kept})


def values_of(edition: Edition, embeddings: NDArray[np.float32]) -> Values:
    """Return a version's values of clips, as the texts of the four columns.

    Parameters
    ----------
    edition : Edition
    embeddings : ndarray, shape=(n_clips, embedding_dim)

    Returns
    -------
    dict of str to ndarray of object (texts), shape=(n_clips,)
        By column; numbers have two decimals. Of several predicted labels the probability is the
        lowest; if none is predicted, it is the highest. All are empty without a classifier.
    """
    values = _nothing(len(embeddings))
    scores = edition.scores(embeddings)
    if scores.probabilities is None or scores.entropy is None or scores.predicted is None:
        return values
    for row, (probabilities, entropy, predicted) in enumerate(
        zip(scores.probabilities, scores.entropy, scores.predicted, strict=True)
    ):
        chosen = chosen_names(edition.config.class_names, predicted)
        probability = min(probabilities[predicted].tolist(), default=float(probabilities.max()))
        values[_CLASS][row] = ", ".join(chosen) or "none"
        values[_PROBABILITY][row] = f"{probability:.2f}"
        values[_ENTROPY][row] = f"{abs(entropy):.2f}"
    values[_VERSION][:] = edition.model_version
    return values


def _nothing(n_clips: int) -> Values:
    return {name: np.full(n_clips, "", dtype=object) for name in MODEL_COLUMNS}


def _in_doubt(work: _Work, number: int) -> Values:
    """Return the values in Label Studio, with those that a block will change as not known."""
    block = slice(number * BLOCK, (number + 1) * BLOCK)
    doubted = {name: texts.copy() for name, texts in work.written.items()}
    for name, texts in doubted.items():
        texts[block][work.wanted[name][block] != texts[block]] = _NOT_KNOWN
    return doubted


def _next(work: _Work) -> tuple[str, NDArray[np.int64]] | None:
    """Return the next column and its rows with the same new value; None if all are written."""
    for start in range(0, len(work.task_ids), BLOCK):
        block = slice(start, start + BLOCK)
        for name in MODEL_COLUMNS:  # the version last
            wanted = work.wanted[name][block]
            is_due = wanted != work.written[name][block]
            if is_due.any():
                value = wanted[is_due][0]
                rows = start + np.flatnonzero(is_due & (wanted == value))
                return name, rows[:TASKS_AT_ONCE]
    return None
