"""Whoever fails to sign in again and again has to wait, longer each time."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

N_FREE = 5
LONGEST_S = 60.0
FORGET_S = 900.0
_N_KNOWN = 10_000


class Patience:
    """Counts failures by who failed; safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, who: str) -> float:
        """Tell how long somebody has to wait before the next try.

        Examples
        --------
        >>> patience = Patience(clock=lambda: 0.0)
        >>> for _ in range(7):
        ...     patience.failed("somebody")
        >>> patience.wait_s("somebody"), patience.wait_s("somebody else")
        (4.0, 0.0)
        """
        with self._lock:
            n_failed, last = self._failures.get(who, (0, 0.0))
        if n_failed < N_FREE:
            return 0.0
        return max(0.0, last + min(2.0 ** (n_failed - N_FREE), LONGEST_S) - self._clock())

    def failed(self, who: str) -> None:
        """Count a failure; those of long ago are forgotten."""
        now = self._clock()
        with self._lock:
            n_failed, last = self._failures.pop(who, (0, now))
            self._failures[who] = (n_failed + 1 if now - last < FORGET_S else 1, now)
            if len(self._failures) > _N_KNOWN:
                self._failures.popitem(last=False)

    def succeeded(self, who: str) -> None:
        """Forget the failures."""
        with self._lock:
            self._failures.pop(who, None)
