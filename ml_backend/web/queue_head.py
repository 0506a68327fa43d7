"""What is asked for first, and how far people have come with it: counted once per change."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml_backend.asked_first import find_wanted
from ml_backend.errors import ExpressionError
from ml_backend.store import Store
from ml_backend.store.queue import Wanted
from ml_backend.web.workshop import Pending, Workshop

_N_KEPT = 8
_COUNTING = "The clips that are asked for first are being counted."


@dataclass(frozen=True)
class Asked:
    """What people asked for, and how it stands.

    Attributes
    ----------
    wanted : Wanted
    task_ids : ndarray of int64, shape=(n_clips,)
        The clips that are asked for, in the order of their numbers.
    left : list of int
        Those of them without any answer.
    n_labeled : int
        Those of them with a usable label.
    n_skipped : int
        Those of them that nobody could tell.
    error : str or None
        Why a condition, kept from before, no longer fits the clips.
    """

    wanted: Wanted
    task_ids: NDArray[np.int64]
    left: list[int]
    n_labeled: int
    n_skipped: int
    error: str | None = None

    def counts(self) -> dict[str, Any]:
        """Tell how it stands, in a few numbers and words."""
        return {
            "where": self.wanted.where,
            "asked_by": self.wanted.asked_by,
            "error": self.error,
            "n": len(self.task_ids),
            "n_labeled": self.n_labeled,
            "n_left": len(self.left),
        }


def count(store: Store, project_id: int, wanted: Wanted, task_ids: NDArray[np.int64]) -> Asked:
    """Count what became of the clips that are asked for."""
    given = store.labels.read(project_id)
    told = np.array([one.task_id for one in given], dtype=np.int64)
    answers = [given[row] for row in np.flatnonzero(np.isin(told, task_ids))]
    return Asked(
        wanted,
        task_ids,
        np.setdiff1d(task_ids, told).tolist(),
        sum(one.labels is not None for one in answers),
        sum(one.is_skipped for one in answers),
    )


class _Stamps(NamedTuple):
    queue: str
    tasks: str
    labels: str


class QueueHead:
    """How the requests of a few projects stand; safe to share between threads.

    Finding the clips of a condition among 100,000 takes seconds: it is done in the background, and
    again only when the request or the tasks have changed.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._shop = Workshop[Asked | None](_N_KEPT)
        self._seen: dict[int, tuple[_Stamps, Asked | None]] = {}

    def see(self, project_id: int) -> Asked | Pending | None:
        """Give what is asked for, or None; while it is counted anew, the count before."""
        stamps = _Stamps(*(self._store.facts.stamp(what, project_id) for what in _Stamps._fields))
        found = self._shop.get(
            project_id, stamps, _COUNTING, lambda pending: self._look(project_id, stamps)
        )
        if not isinstance(found, Pending):
            return found
        before = self._seen.get(project_id)
        return before[1] if before and before[0].queue == stamps.queue else found

    def _look(self, project_id: int, stamps: _Stamps) -> Asked | None:
        asked = self._count(project_id, stamps)
        self._seen[project_id] = (stamps, asked)
        return asked

    def _count(self, project_id: int, stamps: _Stamps) -> Asked | None:
        wanted = self._store.queue.wanted(project_id)
        if wanted is None:
            return None
        made_from, before = self._seen.get(project_id, (None, None))
        if made_from and before and made_from[:2] == stamps[:2] and before.wanted == wanted:
            if before.error:
                return before
            return count(self._store, project_id, wanted, before.task_ids)
        try:
            task_ids = find_wanted(self._store, project_id, wanted)
        except ExpressionError as error:
            return Asked(wanted, np.empty(0, dtype=np.int64), [], 0, 0, str(error))
        return count(self._store, project_id, wanted, task_ids)
