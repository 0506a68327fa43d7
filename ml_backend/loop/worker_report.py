"""The worker's condition, written to a small file by the worker and its parent process.

It is a file because the store may be what fails. The worker touches it about every second while it
works, so that a hung worker is detected too. Only one process writes at a time: the worker while it
runs, its parent when it has ended.
"""

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

STARTING, WAITING, WORKING, FAILED = "starting", "waiting", "working", "failed"
HUNG = "hung"
HUNG_AFTER_S = 60.0
"""Time without a touch of the report after which a working worker counts as hung, in s."""


@dataclass(frozen=True)
class Condition:
    """The condition of the worker.

    Attributes
    ----------
    state : str
        ``starting``, ``waiting`` (another worker has this store), ``working``, ``failed`` or
        ``hung``.
    since : float
        Begin of the state, in seconds since 1970; of repeated failures, the first.
    error : str
        The reason of a failure, in one sentence.
    plain : str
        The reason for people who do not run Earmark.
    told_by : int
        Id of the process that wrote the report.
    """

    state: str
    since: float
    error: str = ""
    plain: str = ""
    told_by: int = 0

    @property
    def is_running(self) -> bool:
        """Whether the worker has neither failed nor hung."""
        return self.state not in (FAILED, HUNG)


class WorkerReport:
    """The report of one backend's worker."""

    def __init__(self, data_dir: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = data_dir / "worker.json"
        self._clock = clock

    def tell(
        self, state: str, error: str = "", *, plain: str = "", since: float | None = None
    ) -> None:
        """Write the condition of the worker, by default since now."""
        condition = Condition(state, since or self._clock(), error, plain or error, os.getpid())
        beside = self._path.with_suffix(".new")
        try:
            beside.write_text(json.dumps(asdict(condition)), encoding="utf-8")
            os.utime(beside, (self._clock(),) * 2)
            beside.replace(self._path)
        except OSError as refused:  # a full disk must not end the worker
            log.warning("%s cannot be written (%s)", self._path, refused.strerror)

    def fail(self, error: str, *, plain: str = "") -> None:
        """Write the reason of a failure; ``since`` stays that of a directly preceding failure."""
        before = self.read()
        is_again = before is not None and before.state == FAILED
        self.tell(FAILED, error, plain=plain, since=before.since if before and is_again else None)

    def beat(self) -> None:
        """Touch the report, as a sign that the worker is alive."""
        try:
            os.utime(self._path, (self._clock(),) * 2)
        except OSError as error:
            log.warning("%s cannot be touched (%s)", self._path, error.strerror)

    def read(self) -> Condition | None:
        """Return the condition of the worker; None without a report."""
        try:
            condition = Condition(**json.loads(self._path.read_text(encoding="utf-8")))
            touched_at = self._path.stat().st_mtime
        except (OSError, ValueError, TypeError):
            return None
        silent_s = self._clock() - touched_at
        if condition.state != WORKING or silent_s <= HUNG_AFTER_S:
            return condition
        error = f"It has not responded for {silent_s:.0f} s."
        return Condition(HUNG, touched_at, error, error)

    def describe(self, *, plainly: bool = False) -> dict[str, Any] | None:
        """Return the condition in JSON: ``is_running``, ``state``, ``since``, ``error``."""
        condition = self.read()
        if condition is None:
            return None
        return {
            "is_running": condition.is_running,
            "state": condition.state,
            "since": condition.since,
            "error": (condition.plain if plainly else condition.error) or None,
        }
