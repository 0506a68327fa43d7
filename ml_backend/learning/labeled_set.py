"""Split the answers: the training set, the audit labels, and unanswered clips of the slice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_backend.clip import TaskLabels
from ml_backend.learning.audit_slice import N_BEFORE, draw_slice, n_closed, n_in_turn
from ml_backend.learning.embedded_clips import EmbeddedClips


@dataclass(frozen=True)
class LabeledSet:
    """Rows of the clips, shape=(n_labeled,), and their 0/1 labels, shape=(n_labeled, n_classes)."""

    rows: NDArray[np.int64]
    labels: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Parted:
    """Answers by purpose.

    Attributes
    ----------
    training : LabeledSet
    audit : LabeledSet
        The counted clips of the audit slice: a random sample of all clips.
    waiting : ndarray of int64
        Unanswered rows of the slice, in the order of their lots.
    n_usable, n_answered, n_audited : int
        Clips with a usable answer, with any answer, and with any answer in the slice.
    """

    training: LabeledSet
    audit: LabeledSet
    waiting: NDArray[np.int64]
    n_usable: int
    n_answered: int
    n_audited: int


def part_answers(
    clips: EmbeddedClips,
    answers: Iterable[TaskLabels],
    class_names: Sequence[str],
    audit_share: float,
) -> Parted:
    """Split answers into the training set and the audit slice.

    Parameters
    ----------
    clips : EmbeddedClips
    answers : iterable of TaskLabels
        One per task; unusable ones are in neither, and tasks without an embedding are left out.
    class_names : sequence of str
    audit_share : float, range [0, 1]
        Share of the clips in the audit slice.
    """
    known = set(clips.task_ids.tolist())
    ordered = sorted((one for one in answers if one.task_id in known), key=lambda one: one.task_id)
    rows = clips.rows([one.task_id for one in ordered]).tolist()
    labels_of = {row: one.labels for row, one in zip(rows, ordered, strict=True)}
    usable = [row for row in rows if labels_of[row] is not None]

    drawn = draw_slice(clips.lots, audit_share)
    in_turn = drawn[: n_in_turn(np.isin(drawn, rows))].tolist()
    closed = n_closed([labels_of[row] for row in in_turn])
    if closed is not None:
        drawn, in_turn = drawn[:closed], in_turn[:closed]
    aside = set(drawn.tolist()) if len(usable) >= N_BEFORE else set()

    def labeled(chosen: Iterable[int]) -> LabeledSet:
        kept = [row for row in chosen if labels_of[row] is not None]
        matrix = [[name in (labels_of[row] or ()) for name in class_names] for row in kept]
        return LabeledSet(
            np.array(kept, dtype=np.int64),
            np.array(matrix, dtype=np.int8).reshape(len(kept), len(class_names)),
        )

    return Parted(
        labeled(row for row in usable if row not in aside),
        labeled(row for row in in_turn if row in aside),
        drawn[~np.isin(drawn, rows)],
        len(usable),
        len(rows),
        int(np.isin(drawn, rows).sum()),
    )
