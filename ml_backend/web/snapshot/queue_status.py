"""The request of clips to label first, and how many are labeled: counted once per change."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml_backend.clip import STATES, State
from ml_backend.errors import ExpressionError
from ml_backend.loop.requested_clips import find_wanted
from ml_backend.store import Store
from ml_backend.store.queue import Wanted
from ml_backend.web.snapshot.background_job import Pending, Workshop

_N_KEPT = 8
_COUNTING = "The requested clips are being counted."


@dataclass(frozen=True)
class Asked:
    """What people asked for, and how it stands.

    Attributes
    ----------
    wanted : Wanted
    task_ids : ndarray of int64, shape=(n_clips,)
        The clips that are asked for, in the order of their numbers.
    left : list of int
        Those of them that are in the pool.
    states : dict of str to int
        How many of them are in each state (``clip.STATES``).
    error : str or None
        Why a condition, kept from before, no longer fits the clips.
    """

    wanted: Wanted
    task_ids: NDArray[np.int64]
    left: list[int]
    states: dict[State, int]
    error: str | None = None

    def counts(self) -> dict[str, Any]:
        """Tell how it stands, in a few numbers and words."""
        return {
            "where": self.wanted.where,
            "requested_by": self.wanted.requested_by,
            "error": self.error,
            "n": len(self.task_ids),
            "n_labeled": self.states["labeled"],
            "n_left": len(self.left),
            "states": self.states,
        }


def count(store: Store, project_id: int, wanted: Wanted, task_ids: NDArray[np.int64]) -> Asked:
    """Count what became of the clips that are asked for."""
    failed = store.clips.failed(project_id, store.facts.embedder_at_work())
    state_of: dict[int, State] = {task_id: "failed" for task_id, _ in failed}
    state_of |= {one.task_id: one.state for one in store.labels.read(project_id)}
    states = [state_of.get(task_id, "pool") for task_id in task_ids.tolist()]
    left = [one for one, state in zip(task_ids.tolist(), states, strict=True) if state == "pool"]
    return Asked(wanted, task_ids, left, {name: states.count(name) for name in STATES})


class _Stamps(NamedTuple):
    queue: str
    tasks: str
    labels: str
    failures: str


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
        facts = self._store.facts
        stamps = _Stamps(
            facts.stamp("queue", project_id),
            facts.stamp("tasks", project_id),
            facts.stamp("labels", project_id),
            self._store.clips.failures(self._store.facts.embedder_at_work()),
        )
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
            nothing = np.empty(0, dtype=np.int64)
            return Asked(wanted, nothing, [], dict.fromkeys(STATES, 0), str(error))
        return count(self._store, project_id, wanted, task_ids)
