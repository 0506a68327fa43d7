"""What one person does is done one after the other, from however many tabs it comes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flask import abort

PATIENCE_S = 20.0
"""So long a second tab waits: the largest request takes about as long."""


@dataclass
class _Door:
    lock: threading.Lock = field(default_factory=threading.Lock)
    n_here: int = 0


class OneByOne:
    """Lets everybody do one thing at a time; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._doors: dict[int, _Door] = {}

    @contextmanager
    def turn_of(self, user_id: int, *, is_patient: bool = False) -> Iterator[None]:
        """Wait until nothing else of this user is being done; refuse if that takes too long.

        Who ``is_patient`` waits as long as it takes.
        """
        with self._lock:
            door = self._doors.setdefault(user_id, _Door())
            door.n_here += 1
        try:
            if not door.lock.acquire(timeout=-1 if is_patient else PATIENCE_S):
                abort(503, "Label Studio is still writing what you said before; try again.")
            try:
                yield
            finally:
                door.lock.release()
        finally:
            with self._lock:
                door.n_here -= 1
                if not door.n_here:
                    del self._doors[user_id]
