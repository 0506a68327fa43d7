"""Things that take longer than a request may: made once, in the background, and asked for again."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Unfinished
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

PATIENCE_S = 0.12
"""So long a request waits, in s; what takes longer is asked for again."""

T = TypeVar("T")


@dataclass
class Pending:
    """Something that is being made: what, and how far it is, from 0 to 1."""

    state: str
    progress: float = 0.0


@dataclass(frozen=True)
class _Job(Generic[T]):
    version: Hashable
    pending: Pending
    result: Future[T]


class Workshop(Generic[T]):
    """Makes things one after the other and keeps the last few; safe to share between threads.

    Examples
    --------
    >>> shop = Workshop[int](n_kept=2)
    >>> shop.get("answer", 1, "thinking", lambda pending: 42)
    42
    """

    def __init__(self, n_kept: int) -> None:
        self._n_kept = n_kept
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
                    job.result.cancel()
                pending = Pending(state)
                job = _Job(version, pending, self._maker.submit(make, pending))
                self._jobs[key] = job
            self._jobs.move_to_end(key)
            while len(self._jobs) > self._n_kept:
                self._jobs.popitem(last=False)[1].result.cancel()
        try:
            return job.result.result(PATIENCE_S)
        except Unfinished:
            return job.pending
        except Exception:
            self._forget(key, job)
            raise

    def _forget(self, key: Hashable, job: _Job[Any]) -> None:
        with self._lock:
            if self._jobs.get(key) is job:
                del self._jobs[key]
