"""Chores: what goes on beside the rounds, each in a thread of its own, projects in turn."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ml_backend.errors import EarmarkError

log = logging.getLogger(__name__)


def _nothing(project_id: int) -> None:
    del project_id


@dataclass(frozen=True)
class Chore:
    """One kind of work, for every project that has some.

    Attributes
    ----------
    trouble : str
        What the log says of a project whose work fails: "its map cannot be fitted".
    pause_s : float
        Between two looks at the projects.
    projects : callable
        Lists the projects that may have work.
    work : callable
        Works for a project. It is given the event that ends everything.
    refused : callable
        Is told the project where the work ends with an ``EarmarkError``.
    retry_s : float
        How long everything of this kind waits after a failure.
    """

    trouble: str
    pause_s: float
    projects: Callable[[], Iterable[int]]
    work: Callable[[int, threading.Event], object]
    refused: Callable[[int], None] = _nothing
    retry_s: float = 1.0

    def keep_doing(self, stop: threading.Event) -> None:
        """Work until told to stop; what fails for one project does not stop the others."""
        while not stop.wait(self.pause_s):
            for project_id in list(self.projects()):
                if stop.is_set():
                    return
                try:
                    self.work(project_id, stop)
                except EarmarkError as error:
                    log.warning("project %d: %s: %s", project_id, self.trouble, error)
                    self.refused(project_id)
                    stop.wait(self.retry_s)
                except Exception:
                    log.exception("project %d: %s", project_id, self.trouble)
                    stop.wait(self.retry_s)
