"""The annotations of the last few projects in memory: a round reads only changes.

Label Studio stores with each task when an annotation of it was last created, changed or deleted.
The export of all annotations takes longer with each label and delays annotators; therefore it is
read once at first, and later only if a round requests it.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cachetools import LRUCache

from ml_backend.clip import TaskLabels
from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.annotation import Reading, read_annotations
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.loop.annotator_stats import Annotators
from ml_backend.loop.unreadable import note_unread
from ml_backend.store import Store

CHANGED_AT_MOST = 200
"""Largest number of changed tasks to read individually; with more, everything is read."""
OVERLAP = timedelta(seconds=5)
"""Delay within which changes may become visible in another order than that of their times."""


@dataclass(frozen=True)
class _Held:
    """The annotations of one project by task, and the time of the last change."""

    config: LabelConfig
    readings: dict[int, Reading]
    changed_at: datetime | None


class Annotated:
    """Reads the annotations of projects; no project may be read by two threads at once."""

    def __init__(self, store: Store, label_studio: LabelStudio, n_projects: int) -> None:
        self._store = store
        self._label_studio = label_studio
        self._annotators = Annotators(store, label_studio)
        self._held: LRUCache[int, _Held] = LRUCache(n_projects)
        self._lock = threading.Lock()  # rounds of several projects run at once

    def read(self, project_id: int, config: LabelConfig, *, whole: bool) -> list[TaskLabels]:
        """Return the labels of all annotated tasks, sorted by task number.

        The counts of each annotator and the unreadable annotations are stored with the project.

        Parameters
        ----------
        project_id : int
        config : LabelConfig
        whole : bool
            Read everything again and ignore the cache.
        """
        with self._lock:
            before = self._held.pop(project_id, None)  # cached again only after a complete read
        held = None
        if before is not None and not whole and before.config == config:
            held = self._follow(project_id, before)
        if held is None:
            held = self._read_whole(project_id, config)
        if before is None or held.readings != before.readings:
            self._annotators.note(project_id, held.readings.values())
            note_unread(self._store, project_id, held.readings.values(), config)
        with self._lock:
            self._held[project_id] = held
        return [held.readings[task_id].labels for task_id in sorted(held.readings)]

    def _read_whole(self, project_id: int, config: LabelConfig) -> _Held:
        exported = self._label_studio.annotated_tasks(project_id)
        return _Held(config, _by_task(exported, config), _last_change(exported))

    def _follow(self, project_id: int, held: _Held) -> _Held | None:
        """Read the changes; return None if everything must be read."""
        if held.changed_at is None:
            return None
        changed = self._label_studio.data_manager.changed_since(
            project_id, held.changed_at - OVERLAP, at_most=CHANGED_AT_MOST
        )
        if changed is None:
            return None
        new = {int(task["id"]) for task in changed}
        kept = {task_id: one for task_id, one in held.readings.items() if task_id not in new}
        annotated = [task for task in changed if task["annotations"]]
        return replace(
            held,
            readings=kept | _by_task(annotated, held.config),
            changed_at=max(filter(None, (held.changed_at, _last_change(changed)))),
        )


def _by_task(exported: Iterable[Mapping[str, Any]], config: LabelConfig) -> dict[int, Reading]:
    return {one.labels.task_id: one for one in read_annotations(exported, config)}


def _last_change(tasks: Iterable[Mapping[str, Any]]) -> datetime | None:
    return max((datetime.fromisoformat(task["updated_at"]) for task in tasks), default=None)
