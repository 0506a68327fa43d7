"""Where it is quiet: the order behind the head is published, and superseded predictions go.

Neither is urgent and both can be stopped at any time, so they are done a piece at a time, and
only while nobody waits for a round.
"""

import time
from collections.abc import Callable

from ml_backend.errors import LabelStudioAuthError, LabelStudioError, LabelStudioUnreachableError
from ml_backend.label_studio import LabelStudio
from ml_backend.reconcile import Reconciler
from ml_backend.settings import Settings
from ml_backend.store import Store
from ml_backend.store.versions import Progress

RETRY_S = 60.0
"""How long a project is left alone after Label Studio refused a piece, in s."""
CLEARED_AT_MOST = 500
"""Label Studio deletes a version whole, 10 ms a prediction, and on SQLite nobody can submit
meanwhile: larger versions stay."""
_CLEAR_AFTER = 3  # times as long as it must be quiet for publishing


class Rest:
    """Does what can wait, for one project after the other."""

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

    def go_on(self, project_id: int) -> bool:
        """Do one piece of what can wait, if it is quiet; tell whether there may be more.

        Raises
        ------
        LabelStudioError
            If Label Studio refuses the piece. It is tried again later, with the tasks read anew:
            one that was deleted makes Label Studio refuse a whole piece.
        """
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
            if progress.n_published < progress.n_ranked:
                return self._publish(project_id, progress)
            if quiet_for_s < _CLEAR_AFTER * self._settings.quiet_s:
                return False
            return self._clear(project_id)
        except LabelStudioError as error:
            self._refused[project_id] = (progress.model_version, now + RETRY_S)
            if not isinstance(error, LabelStudioUnreachableError | LabelStudioAuthError):
                self._store.agenda.hint(project_id, now=now, tasks=True)
            raise

    def _publish(self, project_id: int, progress: Progress) -> bool:
        clips = self._reconciler.clips(project_id)
        edition = self._reconciler.edition(project_id, clips)
        if edition is None or edition.model_version != progress.model_version:
            return False
        start = progress.n_published
        stop = min(start + self._settings.head_size, progress.n_ranked)
        self._label_studio.import_predictions(project_id, edition.between(clips, start, stop))
        self._store.versions.set_published(project_id, edition.model_version, stop)
        return True

    def _clear(self, project_id: int) -> bool:
        """Delete the predictions of the oldest superseded version that has any."""
        versions = self._store.versions
        name = versions.superseded(project_id, at_most=CLEARED_AT_MOST)
        if name is None:
            return False
        self._label_studio.delete_predictions(project_id, name)
        progress = versions.progress(project_id)
        if progress is not None and progress.model_version == name:
            # Labels were taken back meanwhile and led to this version again: publish it again.
            self._store.agenda.hint(project_id, now=self._clock(), labels=False)
        else:
            versions.set_published(project_id, name, 0)
        return True
