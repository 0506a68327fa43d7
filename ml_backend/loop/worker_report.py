"""How the worker is: told by the worker and by the process that started it, in a small file.

A file, because what cannot be reached may be the store. The worker touches it every second or so
while it works, so one that hangs is seen, too. One of both writes at a time: the worker while it
lives, the other one when it has ended.
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
"""A worker that works and has not touched its report for so long hangs."""


@dataclass(frozen=True)
class Condition:
    """How the worker is.

    Attributes
    ----------
    state : str
        ``starting``, ``waiting`` (another worker looks after this store), ``working``, ``failed``
        or ``hung``.
    since : float
        Since when, in seconds since 1970; of a worker that failed again and again: the first time.
    error : str
        In one sentence, why it failed.
    plain : str
        The same for people who do not run Earmark.
    told_by : int
        The process that says so.
    """

    state: str
    since: float
    error: str = ""
    plain: str = ""
    told_by: int = 0

    @property
    def is_running(self) -> bool:
        """Tell whether nothing is wrong with it."""
        return self.state not in (FAILED, HUNG)


class WorkerReport:
    """The report of one backend's worker."""

    def __init__(self, data_dir: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = data_dir / "worker.json"
        self._clock = clock

    def tell(
        self, state: str, error: str = "", *, plain: str = "", since: float | None = None
    ) -> None:
        """Write down how the worker is, now or since a while ago."""
        condition = Condition(state, since or self._clock(), error, plain or error, os.getpid())
        beside = self._path.with_suffix(".new")
        try:
            beside.write_text(json.dumps(asdict(condition)), encoding="utf-8")
            os.utime(beside, (self._clock(),) * 2)
            beside.replace(self._path)
        except OSError as refused:  # a full disk must not end who only reports
            log.warning("%s cannot be written (%s)", self._path, refused.strerror)

    def fail(self, error: str, *, plain: str = "") -> None:
        """Write down why the worker failed; since when is that of its failure before, if any."""
        before = self.read()
        is_again = before is not None and before.state == FAILED
        self.tell(FAILED, error, plain=plain, since=before.since if before and is_again else None)

    def beat(self) -> None:
        """Note that the worker is alive."""
        try:
            os.utime(self._path, (self._clock(),) * 2)
        except OSError as error:
            log.warning("%s cannot be touched (%s)", self._path, error.strerror)

    def read(self) -> Condition | None:
        """Tell how the worker is; None where there is none."""
        try:
            condition = Condition(**json.loads(self._path.read_text(encoding="utf-8")))
            touched_at = self._path.stat().st_mtime
        except (OSError, ValueError, TypeError):
            return None
        silent_s = self._clock() - touched_at
        if condition.state != WORKING or silent_s <= HUNG_AFTER_S:
            return condition
        error = f"It has not been heard of for {silent_s:.0f} s."
        return Condition(HUNG, touched_at, error, error)

    def describe(self, *, plainly: bool = False) -> dict[str, Any] | None:
        """Tell how the worker is in JSON: ``is_running``, ``state``, ``since``, ``error``."""
        condition = self.read()
        if condition is None:
            return None
        return {
            "is_running": condition.is_running,
            "state": condition.state,
            "since": condition.since,
            "error": (condition.plain if plainly else condition.error) or None,
        }
