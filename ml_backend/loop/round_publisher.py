"""Publishing a round: its version, the head of its ranking, and what the store knows of both."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ml_backend.label_studio import LabelStudio
from ml_backend.learning.prior import Prior
from ml_backend.learning.training import Learned, Ranking, keep_positions
from ml_backend.loop.echoes import Echoes
from ml_backend.loop.project_state import State
from ml_backend.loop.publish import Edition, Opened, open_edition, publish_head
from ml_backend.settings import Settings
from ml_backend.store import Store
from ml_backend.store.agenda import Turn
from ml_backend.store.versions import Version


class RoundPublisher:
    """Makes a round's version current, and hands the head of its ranking to Label Studio."""

    def __init__(
        self,
        store: Store,
        label_studio: LabelStudio,
        settings: Settings,
        embedder_id: str,
        echoes: Echoes,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._label_studio = label_studio
        self._settings = settings
        self._embedder_id = embedder_id
        self._echoes = echoes
        self._clock = clock
        self._opened = Opened()
        self._locks: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)

    def lock(self, project_id: int) -> threading.Lock:
        """Return the lock for publishing, replacing and deleting a project's predictions."""
        return self._locks[project_id]

    def publish(
        self, turn: Turn, state: State, learned: Learned, ranking: Ranking, prior: Prior | None
    ) -> None:
        """Publish what a round learned; the rest of the head is ranked once the first is served.

        Raises
        ------
        LabelStudioError
            If Label Studio refuses a request; the next round completes what is missing.
        """
        project_id, versions = state.project_id, self._store.versions
        n_head = self._settings.head_size
        version = self._version(state, learned)
        edition = open_edition(version, state.config, state.clips, prior)
        order = learned.order

        def rank_on(done: NDArray[np.int64]) -> Edition:
            nonlocal order
            order = keep_positions(learned.order, ranking.order(n_head), done)
            versions.set_order(project_id, version, order)
            return replace(edition, order=order)

        with self.lock(project_id):
            is_back = learned.model_version in versions.names(project_id)
            versions.add(project_id, version)
            for published in publish_head(
                self._label_studio,
                project_id,
                edition,
                state.clips,
                n_head,
                is_back=is_back,
                opened=self._opened.among(project_id, order),
                is_hurried=lambda: self._store.agenda.has_more_labels(turn),
                rank_on=rank_on,
            ):
                versions.set_published(project_id, learned.model_version, published.n_clips)
            self._opened.note(project_id, order[: published.n_clips])
            if published.n_clips:
                self._echoes.expect(project_id, now=self._clock())
        if published.gone:
            self._store.agenda.hint(project_id, now=self._clock(), tasks=True)

    def _version(self, state: State, learned: Learned) -> Version:
        labeled_ids = [one.task_id for one in state.labels if one.labels is not None]
        return Version(
            learned.model_version,
            self._embedder_id,
            self._clock(),
            learned.classifier.to_arrays() if learned.classifier else None,
            {
                "task_ids": learned.order,
                "labeled_task_ids": np.array(labeled_ids, dtype=np.int64),
                "answered_task_ids": np.setdiff1d(state.clips.task_ids, learned.order),
            },
        )
