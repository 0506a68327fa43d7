"""What each step of a piece of work takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Times steps by name from the moment it is made."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._steps_s: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what is done inside; a step that fails is not noted."""
        began = time.perf_counter()
        yield
        self._steps_s[name] = time.perf_counter() - began

    def timings_s(self) -> dict[str, float]:
        """Give what each step took, in the order they ended, and the ``total`` so far, in s.

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
