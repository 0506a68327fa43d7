"""Leases: which pages hold which clips, so that two people do not answer the same one.

Leases are in memory: a restart forgets them, and at worst two people answer the same clip.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence

LEASE_S = 60.0
"""A page that is in sight asks every few seconds."""
N_LOCKED = 2
"""Number of next clips that are locked: a page that is left leaves them to nobody else for long."""

Holder = tuple[int, str]


class Leases:
    """Which pages hold which clips; safe to share between threads.

    Examples
    --------
    >>> leases = Leases(clock=lambda: 0.0)
    >>> leases.hold(1, (4, "a tab"), [3], [7, 9, 11], n=2)
    [7, 9]
    >>> leases.hold(1, (5, "another"), [], [9, 11, 13], n=2)
    [11, 13]
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[tuple[int, Holder], tuple[frozenset[int], float]] = {}
        self._locked: dict[tuple[int, Holder], frozenset[int]] = {}

    def hold(
        self, project_id: int, holder: Holder, mine: Iterable[int], wanted: Iterable[int], *, n: int
    ) -> list[int]:
        """Hold ``mine`` and the first ``n`` wanted clips that nobody else holds; give the latter.

        What the holder held before and is not among them is free.
        """
        with self._lock:
            others = self._of_others(project_id, holder)
            given = [one for one in wanted if one not in others][:n]
            self._held[project_id, holder] = frozenset([*mine, *given]), self._clock() + LEASE_S
        return given

    def lock(
        self, project_id: int, holder: Holder, clips: Sequence[int], take: Callable[[int], bool]
    ) -> list[int]:
        """Lock the first ``N_LOCKED`` of a page's clips, once; give up those that are not taken."""
        key = (project_id, holder)
        locked = self._locked.get(key, frozenset())
        given: list[int] = []
        for one in clips:
            if len(given) >= N_LOCKED or one in locked or take(one):
                given.append(one)
        with self._lock:
            task_ids, until = self._held.get(key, (frozenset(), 0.0))
            self._held[key] = task_ids - (frozenset(clips) - frozenset(given)), until
            self._locked[key] = frozenset(given[:N_LOCKED])
        return given

    def release(self, project_id: int, holder: Holder) -> None:
        """Hold nothing any more."""
        with self._lock:
            self._held.pop((project_id, holder), None)
            self._locked.pop((project_id, holder), None)

    def of_others(self, project_id: int, holder: Holder) -> set[int]:
        """Give the clips of a project that others hold."""
        with self._lock:
            return self._of_others(project_id, holder)

    def _of_others(self, project_id: int, holder: Holder) -> set[int]:
        now = self._clock()
        self._held = {key: one for key, one in self._held.items() if one[1] > now}
        self._locked = {key: one for key, one in self._locked.items() if key in self._held}
        return {
            task_id
            for (project, other), (task_ids, _) in self._held.items()
            if project == project_id and other != holder
            for task_id in task_ids
        }
