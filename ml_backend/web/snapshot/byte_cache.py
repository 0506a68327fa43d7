"""A shelf of things that were expensive to make, as many as there is room for."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable


class Shelf:
    """Keeps what was asked for last, up to ``max_bytes``; safe to share between threads.

    Examples
    --------
    >>> shelf = Shelf(max_bytes=10)
    >>> shelf.get("a", lambda: b"made"), shelf.get("a", lambda: b"made again")
    (b'made', b'made')
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._n_bytes = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """Give what is kept under a key, making it where it is not: once, whoever asks meanwhile.

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
                self._keep(key, made)
            finally:
                with self._lock:
                    self._making.pop(key, None)
        return made

    def find(self, key: Hashable) -> bytes | None:
        """Give what is kept under a key, if anything."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: Hashable, made: bytes) -> None:
        with self._lock:
            # After a failure, who waited and who came later may both have made it.
            self._n_bytes -= len(self._kept.pop(key, b""))
            self._kept[key] = made
            self._n_bytes += len(made)
            while self._n_bytes > self._max_bytes:
                _, gone = self._kept.popitem(last=False)
                self._n_bytes -= len(gone)
