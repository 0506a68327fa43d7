"""Durations of the steps of a round."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Measures steps by name, and the total time since its creation."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._steps_s: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure the time inside the context; failed steps are not stored."""
        began = time.perf_counter()
        yield
        self._steps_s[name] = time.perf_counter() - began

    def timings_s(self) -> dict[str, float]:
        """Return the duration of each step, in the order they ended, and the ``total``, in s.

        Examples
        --------
        >>> watch = Stopwatch()
        >>> with watch.step("nothing"):
        ...     pass
        >>> list(watch.timings_s())
        ['nothing', 'total']
        """
        timings_s = {**self._steps_s, "total": time.perf_counter() - self._began}
        return {name: round(seconds, 4) for name, seconds in timings_s.items()}
