"""Deferred work of quiet projects: publish the ranking after the head, write columns, clean up.

None of it is urgent and all of it can be interrupted, so it is done in pieces, and only while no
project waits for a round. Label Studio takes 10 to 20 ms to delete a prediction, and on SQLite
nobody can submit meanwhile: a piece deletes few, and the caller waits ``pause_s`` before the next
one, because SQLite admits no other writer between immediately consecutive writes.

The superseded predictions of a clip are deleted right before the current one is written, so that
they do not accumulate and an interrupted piece can be repeated. The remaining ones (of the head,
which a round publishes at once, and of clips with predictions by others) are deleted by version.
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
"""Pause of a project after Label Studio refused a piece, in s."""
PIECE = 100
"""Most clips that a piece publishes, 0.2 s."""
DELETED_AT_ONCE = 25
"""Most superseded predictions that a piece deletes, 0.3 s."""
CLEARED_AT_MOST = 50
"""Most predictions of a version deleted as a whole, 0.5 s; never fewer than a round publishes."""
_CLEAR_AFTER = 3  # multiple of the quiet time for publishing
_LEAST_PAUSE_S = 0.2


class BackgroundPublisher:
    """Does the deferred work of projects, piece by piece.

    ``pause_s`` is the pause before the next piece: as long as the last one took.
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
        """Do one piece of deferred work if the project is quiet; return whether there may be more.

        Raises
        ------
        LabelStudioError
            If Label Studio refuses the piece. It is retried later, after the tasks are read again.
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
        """Open the current version once for all its pieces; None if the queue uses another one."""
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
            # Withdrawn labels may have made the superseded version current again.
            if versions.progress(project_id) == progress:
                self._label_studio.delete_predictions(project_id, superseded[0])
        return True


def _n_replaced(task_ids: Sequence[int], stale: set[int], held: Mapping[int, Sequence[str]]) -> int:
    """Count the first tasks that can be replaced with at most ``DELETED_AT_ONCE`` deletions."""
    n_deleted = 0
    for n_tasks, task_id in enumerate(task_ids):
        n_deleted += len(held[task_id]) if task_id in stale else 0
        if n_deleted > DELETED_AT_ONCE:
            return n_tasks
    return len(task_ids)
