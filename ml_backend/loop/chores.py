"""Chores: work beside the rounds, each kind in its own thread, project by project."""

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
    """One kind of work for every project.

    Attributes
    ----------
    trouble : str
        Log message of a failure: "its map cannot be fitted".
    pause_s : float
        Pause between two passes over the projects.
    projects : callable
        Lists the projects that may have work.
    work : callable
        Works for a project; its second argument is the stop event.
    refused : callable
        Called with the project if the work raises an ``EarmarkError``.
    retry_s : float
        Pause of this chore after a failure.
    """

    trouble: str
    pause_s: float
    projects: Callable[[], Iterable[int]]
    work: Callable[[int, threading.Event], object]
    refused: Callable[[int], None] = _nothing
    retry_s: float = 1.0

    def keep_doing(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; a failure of one project does not stop the others."""
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
