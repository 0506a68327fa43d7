"""Things that take longer than a request may: made once, in the background, and asked for again."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Unfinished
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

PATIENCE_S = 0.12
"""So long a request waits, in s; what takes longer is asked for again."""
N_AHEAD = 4
"""So many more than are kept may be there for those who asked and were not served yet."""
FORGET_S = 30.0
"""Whoever has not asked again for so long, in s, does not want it any more."""

T = TypeVar("T")


@dataclass
class Pending:
    """Something that is being made: what, and how far it is, from 0 to 1."""

    state: str
    progress: float = 0.0


@dataclass
class _Job(Generic[T]):
    version: Hashable
    pending: Pending
    result: Future[T]
    asked_at: float
    is_served: bool = False


class Workshop(Generic[T]):
    """Makes things one after the other and keeps the last few; safe to share between threads.

    An own cache: a job that somebody waits for is not dropped, whatever its age.

    Examples
    --------
    >>> shop = Workshop[int](n_kept=2)
    >>> shop.get("answer", 1, "thinking", lambda pending: 42)
    42
    """

    def __init__(self, n_kept: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._n_kept = n_kept
        self._clock = clock
        self._lock = threading.Lock()
        self._jobs: OrderedDict[Hashable, _Job[T]] = OrderedDict()
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="workshop")

    def get(
        self, key: Hashable, version: Hashable, state: str, make: Callable[[Pending], T]
    ) -> T | Pending:
        """Give what is kept under a key in this version, or say that it is being made.

        ``make`` is handed what it may tell its progress to. What it raises is raised here, once;
        whoever asks then has it made again.
        """
        with self._lock:
            job = self._jobs.get(key)
            if job is None or job.version != version:
                if job is not None:
                    del self._jobs[key]
                    job.result.cancel()
                self._leave(self._n_kept - 1)
                if len(self._jobs) >= self._n_kept + N_AHEAD:
                    return Pending(state)
                pending = Pending(state)
                submitted = self._maker.submit(make, pending)
                job = self._jobs[key] = _Job(version, pending, submitted, self._clock())
            job.asked_at = self._clock()
            self._jobs.move_to_end(key)
        try:
            made = job.result.result(PATIENCE_S)
        except (Unfinished, CancelledError):
            return job.pending
        except Exception:
            self._forget(key, job)
            raise
        with self._lock:
            job.is_served = True
            self._leave(self._n_kept)
        return made

    def _leave(self, n: int) -> None:
        """Let go of what was asked for longest ago, down to ``n``, unless somebody waits for it."""
        forgotten = self._clock() - FORGET_S
        free = [key for key, job in self._jobs.items() if job.is_served or job.asked_at < forgotten]
        for key in free[: max(0, len(self._jobs) - n)]:
            self._jobs.pop(key).result.cancel()

    def _forget(self, key: Hashable, job: _Job[Any]) -> None:
        with self._lock:
            if self._jobs.get(key) is job:
                del self._jobs[key]
