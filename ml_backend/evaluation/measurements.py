"""Measurements of a project's classifiers, and which of them are still valid.

A ``Measurement`` is a round whose classifier was evaluated with the labels of that time. Labels
are withdrawn, changed, or read by another label config. A measurement is valid (``stands``)
while nearly all of its labels (19 of 20) are unchanged, there are at least as many labels now, and
the classes and the embedder are the same. One corrected label makes a new measurement due, and
leaves the others valid.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.clip import TaskLabels
from ml_backend.store import Store

N_READ = 50
"""Number of measurements in the learning curve."""
_MOST = 0.95


@dataclass(frozen=True)
class Known:
    """The labels of the last measurement, all of shape=(n_labeled,).

    ``task_ids`` are sorted; ``digests`` are hashes of the labels; each label is unchanged in every
    measurement ``since`` a round.
    """

    task_ids: NDArray[np.int64]
    digests: NDArray[np.uint64]
    since: NDArray[np.int64]


@dataclass(frozen=True)
class Measurement:
    """The measured performance of round ``number``'s classifier, from ``n_labeled`` labels.

    ``n_held`` of them are unchanged; ``stands`` is whether the measurement is still valid.
    """

    number: int
    model_version: str
    finished_at: float
    n_labeled: int
    figures: dict[str, Any]
    n_held: int
    stands: bool


def is_due(n_labeled: int, n_before: int) -> bool:
    """Return whether there are enough new labels for another measurement: five, or one in twenty.

    Examples
    --------
    >>> is_due(14, 10), is_due(15, 10), is_due(400, 390)
    (False, True, False)
    """
    return n_labeled >= n_before + label_step(n_before)


def label_step(n_labeled: int) -> int:
    """Return the number of new labels that make another measurement due."""
    return max(5, n_labeled // 20)


def know(labels: Iterable[TaskLabels], number: int, before: Known | None) -> Known:
    """Return the usable labels of a measurement, each with the round since which it is unchanged.

    Parameters
    ----------
    labels : iterable of TaskLabels
        Unusable ones are left out.
    number : int
        Number of the measurement's round.
    before : Known or None
        Labels of the previous measurement.

    Examples
    --------
    >>> first = know([TaskLabels(1, frozenset({"a"}), "labeled", 1)], 7, None)
    >>> know([TaskLabels(1, frozenset({"b"}), "labeled", 1)], 8, first).since.tolist()
    [8]
    """
    used = sorted((one for one in labels if one.labels is not None), key=lambda one: one.task_id)
    task_ids = np.array([one.task_id for one in used], dtype=np.int64)
    digests = np.array([_digest(one.labels or frozenset()) for one in used], dtype=np.uint64)
    since = np.full(len(used), number if before is not None else 0, dtype=np.int64)
    if before is not None and len(before.task_ids):
        row = np.minimum(np.searchsorted(before.task_ids, task_ids), len(before.task_ids) - 1)
        is_same = (before.task_ids[row] == task_ids) & (before.digests[row] == digests)
        since[is_same] = before.since[row][is_same]
    return Known(task_ids, digests, since)


def count_held(
    known: Known | None, labels: Sequence[TaskLabels], numbers: Sequence[int]
) -> list[int] | None:
    """Count the unchanged labels of each measurement; None if the labels were not stored.

    ``numbers`` are those of the measurements' rounds.

    Examples
    --------
    >>> labels = [TaskLabels(row, frozenset({"a"}), "labeled", 1) for row in range(3)]
    >>> known = know(labels, 8, know(labels[:2], 7, None))
    >>> count_held(known, labels[1:], [7, 8])
    [1, 2]
    """
    if known is None:
        return None
    still = know(labels, 1 + max([*numbers, *known.since.tolist()], default=0), known)
    return [int(n) for n in np.searchsorted(np.sort(still.since), numbers, side="right")]


def read_measurements(
    store: Store, project_id: int, labels: Sequence[TaskLabels]
) -> list[Measurement]:
    """List the last measurements, newest first, with their validity.

    Parameters
    ----------
    store : Store
    project_id : int
    labels : sequence of TaskLabels
        All current labels of the project.
    """
    measured = store.versions.measured_rounds(project_id, limit=N_READ)
    packed = store.versions.measured_labels(project_id)
    known = None if packed is None else Known(**packed)
    held = count_held(known, labels, [one.number for one in measured])
    n_now = sum(one.labels is not None for one in labels)
    class_names = store.agenda.description(project_id)["class_names"]
    embedder_id = store.facts.embedder_at_work()
    measurements = []
    for place, one in enumerate(measured):
        figures = one.figures or {}
        n_held = one.n_labeled if held is None else held[place]
        stands = (
            one.n_labeled <= n_now
            and n_held >= _MOST * one.n_labeled
            and figures.get("class_names", class_names) == class_names
            and (not embedder_id or figures.get("embedder_id", embedder_id) == embedder_id)
        )
        measurements.append(
            Measurement(
                one.number,
                one.model_version,
                one.finished_at,
                one.n_labeled,
                figures,
                n_held,
                stands,
            )
        )
    return measurements


def line_of(measurements: Sequence[Measurement]) -> list[Measurement]:
    """Return the valid measurements, sorted by number of labels; of the same number, the last.

    Examples
    --------
    >>> rows = [(3, "c", 9.0, 5, True), (2, "b", 6.0, 9, False), (1, "a", 3.0, 5, True)]
    >>> made = [Measurement(*row[:4], {}, 5, row[4]) for row in rows]
    >>> [one.model_version for one in line_of(made)]
    ['c']
    """
    by_size: dict[int, Measurement] = {}
    for one in sorted(measurements, key=lambda one: one.number):
        if one.stands:
            by_size[one.n_labeled] = one
    return [by_size[n_labeled] for n_labeled in sorted(by_size)]


def headline(figures: dict[str, Any]) -> dict[str, Any] | None:
    """Return the figures whose ``balanced_accuracy`` represents a measurement; None if missing.

    These are the figures of the pool; older measurements, without them, have the cross-validated
    ones.
    """
    found: dict[str, Any] | None = figures["pool" if "pool" in figures else "cross_validated"]
    return found


def apart(line: Sequence[Measurement]) -> list[Measurement]:
    """Leave out measurements less than a label step apart, from the last one back.

    A corrected label makes a measurement due, which does not show the effect of more labels.

    Examples
    --------
    >>> line = [Measurement(n, str(n), 0.0, n, {}, n, True) for n in (10, 15, 18, 20)]
    >>> [one.n_labeled for one in apart(line)]
    [10, 15, 20]
    """
    kept: list[Measurement] = []
    for one in reversed(line):
        if not kept or is_due(kept[-1].n_labeled, one.n_labeled):
            kept.append(one)
    return kept[::-1]


def _digest(labels: frozenset[str]) -> int:
    joined = "\0".join(sorted(labels)).encode()
    return int.from_bytes(hashlib.blake2b(joined, digest_size=8).digest(), "little")
