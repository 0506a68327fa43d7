"""A cache of bytes that were expensive to make, as many as there is room for."""

import threading
from collections.abc import Callable, Hashable
from contextlib import suppress

from cachetools import LRUCache


class Shelf:
    """Keeps what was asked for last, up to ``max_bytes``; safe to share between threads.

    Examples
    --------
    >>> shelf = Shelf(max_bytes=10)
    >>> shelf.get("a", lambda: b"made"), shelf.get("a", lambda: b"made again")
    (b'made', b'made')
    """

    def __init__(self, max_bytes: int) -> None:
        self._lock = threading.Lock()
        self._kept: LRUCache[Hashable, bytes] = LRUCache(max_bytes, getsizeof=len)
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """Return what is kept under a key; make it if it is not: once, however many ask meanwhile.

        What ``make`` raises is raised, and nothing is kept.
        """
        kept = self.find(key)
        if kept is not None:
            return kept
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            kept = self.find(key)
            if kept is not None:
                return kept
            try:
                made = make()
                with self._lock, suppress(ValueError):  # larger than all the room there is
                    self._kept[key] = made
            finally:
                with self._lock:
                    self._making.pop(key, None)
        return made

    def find(self, key: Hashable) -> bytes | None:
        """Return what is kept under a key, if anything."""
        with self._lock:
            return self._kept.get(key)
