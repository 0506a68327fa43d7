"""The clips that are requested first, according to the current tasks.

A condition is stored as text, so it also matches clips that are added later.
"""

import logging
import threading

import numpy as np
from numpy.typing import NDArray

from ml_backend.errors import ExpressionError
from ml_backend.metadata.columns import Columns
from ml_backend.metadata.where import matching
from ml_backend.store import Store
from ml_backend.store.queue import Wanted

log = logging.getLogger(__name__)


def find_wanted(store: Store, project_id: int, wanted: Wanted) -> NDArray[np.int64]:
    """Return the tasks of a project that match a request, sorted by number.

    Raises
    ------
    ExpressionError
        If the condition does not fit the metadata of the tasks.
    """
    if wanted.where is None:
        return np.intersect1d(store.clips.task_ids(project_id), wanted.task_ids or ())
    data = store.clips.data(project_id)
    is_wanted = matching(wanted.where, Columns(list(data.values())))
    return np.fromiter(data, dtype=np.int64, count=len(data))[is_wanted]


class RequestedFirst:
    """Matches the requests of projects, again only when the request or the tasks change.

    Safe for changes of tasks in another thread.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._found: dict[int, NDArray[np.int64] | None] = {}
        self._seen: dict[int, Wanted | None] = {}

    def task_ids(self, project_id: int) -> tuple[NDArray[np.int64] | None, bool]:
        """Return the tasks that match the request, or None, and whether the request is new.

        A condition that no longer fits the metadata is ignored until it fits again.
        """
        with self._lock:
            return self._task_ids(project_id)

    def _task_ids(self, project_id: int) -> tuple[NDArray[np.int64] | None, bool]:
        wanted = self._store.queue.wanted(project_id)
        is_new = self._seen.get(project_id) != wanted
        self._seen[project_id] = wanted
        if wanted is None:
            return None, is_new
        if is_new or project_id not in self._found:
            try:
                self._found[project_id] = find_wanted(self._store, project_id, wanted)
            except ExpressionError as error:
                log.warning("project %d: the request is ignored: %s", project_id, error)
                self._found[project_id] = None
        return self._found[project_id], is_new

    def tasks_changed(self, project_id: int) -> None:
        """Match the request again at the next call of ``task_ids``."""
        with self._lock:
            self._found.pop(project_id, None)
