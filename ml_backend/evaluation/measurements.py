"""Looks: the measurements of a project's classifiers, and which of them still hold.

A look is a round whose classifier was measured. It rests on labels, and labels are taken back,
changed, or read by another label config. A look *stands* while nearly all of its labels (19 of 20)
are there as they were, there are no fewer now than it had, and the classes and the embedder are the
same; else it is history. One corrected label makes a new look due, and leaves the others standing.
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
"""So many looks make the learning curve."""
_MOST = 0.95


@dataclass(frozen=True)
class Known:
    """The labels of the last look, all of shape=(n_labeled,).

    ``task_ids`` rise; ``digests`` stand for what people said; each has been in every look ``since``
    a round.
    """

    task_ids: NDArray[np.int64]
    digests: NDArray[np.uint64]
    since: NDArray[np.int64]


@dataclass(frozen=True)
class Look:
    """What the classifier of round ``number`` was found to be worth, from ``n_labeled`` labels.

    ``n_held`` of them are there as they were.
    """

    number: int
    model_version: str
    finished_at: float
    n_labeled: int
    figures: dict[str, Any]
    n_held: int
    stands: bool


def is_due(n_labeled: int, n_before: int) -> bool:
    """Tell whether there are enough new labels for another look: five, or one in twenty.

    Examples
    --------
    >>> is_due(14, 10), is_due(15, 10), is_due(400, 390)
    (False, True, False)
    """
    return n_labeled >= n_before + label_step(n_before)


def label_step(n_labeled: int) -> int:
    """Give the number of new labels that make another look due."""
    return max(5, n_labeled // 20)


def know(labels: Iterable[TaskLabels], number: int, before: Known | None) -> Known:
    """Tell the labels of a look apart from those of later ones.

    Parameters
    ----------
    labels : iterable of TaskLabels
        Those that can be used count.
    number : int
        Of the look's round.
    before : Known or None
        Of the look before.

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
    """Count, for each of some looks, the labels that are there as they were when it was taken.

    None where it is not known which labels they were.

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


def read_looks(store: Store, project_id: int, labels: Sequence[TaskLabels]) -> list[Look]:
    """List the last looks, newest first, and tell of each whether it stands.

    Parameters
    ----------
    labels : sequence of TaskLabels
        All that are known of the project now.
    """
    measured = store.versions.measured_rounds(project_id, limit=N_READ)
    packed = store.versions.measured_labels(project_id)
    known = None if packed is None else Known(**packed)
    held = count_held(known, labels, [one.number for one in measured])
    n_now = sum(one.labels is not None for one in labels)
    class_names = store.agenda.description(project_id)["class_names"]
    embedder_id = store.facts.embedder_at_work()
    looks = []
    for place, one in enumerate(measured):
        figures = one.figures or {}
        n_held = one.n_labeled if held is None else held[place]
        stands = (
            one.n_labeled <= n_now
            and n_held >= _MOST * one.n_labeled
            and figures.get("class_names", class_names) == class_names
            and (not embedder_id or figures.get("embedder_id", embedder_id) == embedder_id)
        )
        looks.append(
            Look(
                one.number,
                one.model_version,
                one.finished_at,
                one.n_labeled,
                figures,
                n_held,
                stands,
            )
        )
    return looks


def line_of(looks: Sequence[Look]) -> list[Look]:
    """Give the looks that stand, by rising number of labels; of the same number, the last.

    Examples
    --------
    >>> looks = [Look(3, "c", 9.0, 5, {}, 5, True), Look(2, "b", 6.0, 9, {}, 5, False),
    ...          Look(1, "a", 3.0, 5, {}, 5, True)]
    >>> [one.model_version for one in line_of(looks)]
    ['c']
    """
    by_size: dict[int, Look] = {}
    for one in sorted(looks, key=lambda one: one.number):
        if one.stands:
            by_size[one.n_labeled] = one
    return [by_size[n_labeled] for n_labeled in sorted(by_size)]


def headline(figures: dict[str, Any]) -> dict[str, Any] | None:
    """Give the figures whose ``balanced_accuracy`` a look is known by; None where it has none.

    Those of the unlabeled clips; looks taken before these were estimated have the cross-validated.
    """
    found: dict[str, Any] | None = figures["pool" if "pool" in figures else "cross_validated"]
    return found


def apart(line: Sequence[Look]) -> list[Look]:
    """Leave out looks that no step of labels lies between, from the last one back.

    A label that is corrected makes a look due, which says nothing of what more labels change.

    Examples
    --------
    >>> line = [Look(n, str(n), 0.0, n, {}, n, True) for n in (10, 15, 18, 20)]
    >>> [one.n_labeled for one in apart(line)]
    [10, 15, 20]
    """
    kept: list[Look] = []
    for one in reversed(line):
        if not kept or is_due(kept[-1].n_labeled, one.n_labeled):
            kept.append(one)
    return kept[::-1]


def _digest(labels: frozenset[str]) -> int:
    told = "\0".join(sorted(labels)).encode()
    return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "little")
