"""Whoever fails to sign in again and again has to wait, longer each time.

Behind a proxy everybody has one address. So a wrong token has to wait by itself, and an address
only after many failures, and never for long: nobody locks out whoever shares it.
"""

import hashlib
import threading
import time
from collections.abc import Callable

from cachetools import TTLCache

N_FREE = 5
LONGEST_S = 60.0
N_FREE_OF_ADDRESS = 100
LONGEST_OF_ADDRESS_S = 4.0
FORGET_S = 900.0
_N_KNOWN = 10_000


class Patience:
    """Counts failures by address and what was shown; safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._of_shown = _Failures(N_FREE, LONGEST_S, clock)
        self._of_address = _Failures(N_FREE_OF_ADDRESS, LONGEST_OF_ADDRESS_S, clock)

    def wait_s(self, address: str, shown: str) -> float:
        """Tell how long somebody has to wait before showing this token or ticket again.

        Examples
        --------
        >>> patience = Patience(clock=lambda: 0.0)
        >>> for _ in range(7):
        ...     patience.failed("10.0.0.1", "wrong")
        >>> patience.wait_s("10.0.0.1", "wrong"), patience.wait_s("10.0.0.1", "another")
        (4.0, 0.0)
        """
        of_shown = self._of_shown.wait_s(_one(address, shown))
        return max(of_shown, self._of_address.wait_s(address))

    def failed(self, address: str, shown: str) -> None:
        """Count a failure; those of long ago are forgotten."""
        self._of_shown.add(_one(address, shown))
        self._of_address.add(address)

    def succeeded(self, address: str, shown: str) -> None:
        """Forget the failures."""
        self._of_shown.forget(_one(address, shown))
        self._of_address.forget(address)


class _Failures:
    """How often each of many has failed: ``n_free`` times without a wait, which then doubles."""

    def __init__(self, n_free: int, longest_s: float, clock: Callable[[], float]) -> None:
        self._n_free = n_free
        self._longest_s = longest_s
        self._clock = clock
        self._lock = threading.Lock()
        self._known: TTLCache[str, tuple[int, float]] = TTLCache(_N_KNOWN, FORGET_S, timer=clock)

    def wait_s(self, who: str) -> float:
        with self._lock:
            n_failed, last = self._known.get(who, (0, 0.0))
        if n_failed < self._n_free:
            return 0.0
        wait_s = min(2.0 ** min(n_failed - self._n_free, 30), self._longest_s)
        return max(0.0, last + wait_s - self._clock())

    def add(self, who: str) -> None:
        now = self._clock()
        with self._lock:
            n_failed, _ = self._known.get(who, (0, now))
            self._known[who] = (n_failed + 1, now)

    def forget(self, who: str) -> None:
        with self._lock:
            self._known.pop(who, None)


def _one(address: str, shown: str) -> str:
    """Name an address and a token without keeping the token."""
    return f"{address} {hashlib.sha256(shown.encode(errors='replace')).hexdigest()[:16]}"
