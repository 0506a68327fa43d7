"""Where it is quiet: the order behind the head is published, columns are written, old things go.

None of it is urgent and all can be stopped at any time, so they are done a piece at a time, and
only while nobody waits for a round. Label Studio takes 10 to 20 ms to delete a prediction and on
SQLite nobody can submit meanwhile: a piece deletes few, and whoever calls waits ``pause_s`` before
the next one, because SQLite lets nobody in between writes that follow one another at once.

A clip's superseded predictions go right before the current one is written, so that none piles up
and a piece that was stopped is done again. What is left (of the head, which a round publishes
without waiting, and of clips that somebody else predicts for, too) goes by version.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from ml_backend.errors import LabelStudioAuthError, LabelStudioError, LabelStudioUnreachableError
from ml_backend.label_studio import LabelStudio
from ml_backend.learning.embedded_clips import EmbeddedClips
from ml_backend.loop.handover import hand_over
from ml_backend.loop.publish import N_OPENED, Edition
from ml_backend.loop.reconcile import Reconciler
from ml_backend.loop.task_columns import ColumnWriter
from ml_backend.settings import Settings
from ml_backend.store import Store
from ml_backend.store.versions import Progress

RETRY_S = 60.0
"""How long a project is left alone after Label Studio refused a piece, in s."""
PIECE = 100
"""Clips that a piece publishes at most, 0.2 s."""
DELETED_AT_ONCE = 25
"""Superseded predictions that a piece deletes at most, 0.3 s."""
CLEARED_AT_MOST = 50
"""Predictions of a version that is deleted whole, 0.5 s; or as many as a round publishes."""
_CLEAR_AFTER = 3  # times as long as it must be quiet for publishing
_LEAST_PAUSE_S = 0.2


class BackgroundPublisher:
    """Does what can wait, for one project after the other.

    ``pause_s`` is how long to wait before the next piece: as long as the last one took.
    """

    def __init__(
        self,
        store: Store,
        label_studio: LabelStudio,
        settings: Settings,
        reconciler: Reconciler,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._label_studio = label_studio
        self._settings = settings
        self._reconciler = reconciler
        self._clock = clock
        self._refused: dict[int, tuple[str, float]] = {}
        self._cleared: dict[int, str] = {}
        self._opened: dict[int, tuple[EmbeddedClips, Edition]] = {}
        self._columns = ColumnWriter(store, label_studio)
        self.pause_s = _LEAST_PAUSE_S

    def go_on(self, project_id: int) -> bool:
        """Do one piece of what can wait, if it is quiet; tell whether there may be more.

        Raises
        ------
        LabelStudioError
            If Label Studio refuses the piece. It is tried again later, with the tasks read anew.
        """
        started = time.monotonic()
        try:
            return self._go_on(project_id)
        finally:
            self.pause_s = max(_LEAST_PAUSE_S, time.monotonic() - started)

    def _go_on(self, project_id: int) -> bool:
        progress = self._store.versions.progress(project_id)
        if progress is None or self._store.agenda.is_waiting(project_id):
            return False
        now = self._clock()
        quiet_for_s = now - progress.created_at
        refused, retry_at = self._refused.get(project_id, ("", 0.0))
        is_too_soon = refused == progress.model_version and now < retry_at
        if quiet_for_s < self._settings.quiet_s or is_too_soon:
            return False
        try:
            if not progress.is_whole:
                return self._publish(project_id, progress)
            is_blind = self._reconciler.is_blind(project_id)
            if not self._columns.is_done(project_id, progress.model_version, is_blind=is_blind):
                return self._write_columns(project_id, progress, is_blind=is_blind)
            self._opened.pop(project_id, None)
            if quiet_for_s < _CLEAR_AFTER * self._settings.quiet_s:
                return False
            return self._clear(project_id, progress)
        except LabelStudioError as error:
            self._refused[project_id] = (progress.model_version, now + RETRY_S)
            self._opened.pop(project_id, None)
            if not isinstance(error, LabelStudioUnreachableError | LabelStudioAuthError):
                self._store.agenda.hint(project_id, now=now, tasks=True)
            raise

    def _publish(self, project_id: int, progress: Progress) -> bool:
        opened = self._open(project_id, progress)
        if opened is None:
            return False
        clips, edition = opened
        start = progress.position
        task_ids = edition.task_ids[start : start + PIECE].tolist()
        data_manager = self._label_studio.data_manager
        held = data_manager.prediction_versions(project_id, task_ids)
        own = set(self._store.versions.names(project_id))
        stale = {
            task_id
            for task_id, versions in held.items()
            if 0 < len(versions) <= DELETED_AT_ONCE
            and own.issuperset(versions)
            and versions != [edition.model_version]
        }
        n_clips = _n_replaced(task_ids, stale, held)
        stop = start + n_clips
        with self._reconciler.publishing(project_id):
            if self._store.versions.progress(project_id) != progress:
                return False
            data_manager.delete_predictions(
                project_id, [task_id for task_id in task_ids[:n_clips] if task_id in stale]
            )
            there = {
                task_id
                for task_id, versions in held.items()
                if task_id not in stale and edition.model_version in versions
            }
            wanted = held.keys() - there
            written = [one for one in edition.between(clips, start, stop) if one["task"] in wanted]
            gone = hand_over(self._label_studio, project_id, written)
            self._store.versions.set_published(project_id, edition.model_version, stop)
        if gone or len(held) < len(task_ids):
            self._store.agenda.hint(project_id, now=self._clock(), tasks=True)
        return True

    def _write_columns(self, project_id: int, progress: Progress, *, is_blind: bool) -> bool:
        opened = self._open(project_id, progress)
        if opened is None:
            return False
        clips, edition = opened
        self._columns.go_on(project_id, edition, clips, is_blind=is_blind)
        return True

    def _open(self, project_id: int, progress: Progress) -> tuple[EmbeddedClips, Edition] | None:
        """Open the current version once for all its pieces; None where queues do not follow it."""
        opened = self._opened.get(project_id)
        if opened is None or opened[1].model_version != progress.model_version:
            clips = self._reconciler.clips(project_id)
            edition = self._reconciler.edition(project_id, clips)
            if edition is None or edition.model_version != progress.model_version:
                return None
            opened = self._opened[project_id] = (clips, edition)
        return opened

    def _clear(self, project_id: int, progress: Progress) -> bool:
        """Delete the predictions of the oldest superseded version that has any."""
        versions = self._store.versions
        if self._cleared.get(project_id) == progress.model_version:
            return False
        counts = self._label_studio.count_predictions(project_id)
        at_most = max(CLEARED_AT_MOST, self._settings.head_size + N_OPENED)
        superseded = [
            name
            for name in reversed(versions.names(project_id))
            if name != progress.model_version and 0 < counts.get(name, 0) <= at_most
        ]
        if not superseded:
            self._cleared[project_id] = progress.model_version
            return False
        with self._reconciler.publishing(project_id):
            # Labels may have been taken back meanwhile, and have led to this version again.
            if versions.progress(project_id) == progress:
                self._label_studio.delete_predictions(project_id, superseded[0])
        return True


def _n_replaced(task_ids: Sequence[int], stale: set[int], held: Mapping[int, Sequence[str]]) -> int:
    """Tell how many of the tasks can be replaced without deleting too much, from the first on."""
    n_deleted = 0
    for n_tasks, task_id in enumerate(task_ids):
        n_deleted += len(held[task_id]) if task_id in stale else 0
        if n_deleted > DELETED_AT_ONCE:
            return n_tasks
    return len(task_ids)
