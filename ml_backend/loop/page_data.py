"""Precomputed data of pages, so that no request waits for it.

For each project: its sheet when its tasks have changed, the scores of all clips after a round has
published its head, and its maps. None of it may delay a round.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
from cachetools import LRUCache

from ml_backend.learning.classifier import Classifier
from ml_backend.learning.embedded_clips import EmbeddedClips
from ml_backend.loop.clip_scores import Nearest, find_nearest, score_all_clips
from ml_backend.loop.maps import MapUpdater
from ml_backend.loop.reconcile import Reconciler
from ml_backend.metadata.table import lay_out_sheet
from ml_backend.store import Store

DRAW_AGAIN_S = 3.0
"""Least time between two extensions of the map while clips are embedded, in s."""
MAP_AFTER_S = 20.0
"""Time without new clips after which a map is fitted, in s: a slow import adds 250 in it."""
_N_NEAREST = 8


@dataclass(frozen=True)
class _Drawn:
    """The last update of a project's maps: ``n_clips`` since ``changed_at``."""

    seen: object
    at: float
    n_clips: int
    changed_at: float


_NEVER = _Drawn(None, float("-inf"), 0, float("-inf"))


class PageData:
    """Keeps the precomputed data of pages up to date."""

    def __init__(
        self,
        store: Store,
        reconciler: Reconciler,
        embedder_id: str,
        map_updater: MapUpdater,
        quiet_s: float = MAP_AFTER_S,
    ) -> None:
        self._store = store
        self._reconciler = reconciler
        self._embedder_id = embedder_id
        self._maps = map_updater
        self._quiet_s = quiet_s
        self._nearest: LRUCache[int, tuple[EmbeddedClips, Nearest]] = LRUCache(_N_NEAREST)
        self._embedded: dict[int, int] = {}
        self._drawn: dict[int, _Drawn] = {}

    def forget_all_but(self, project_ids: Iterable[int]) -> None:
        """Drop the cached data of all projects but these."""
        known = set(project_ids)
        for held in (self._nearest, self._embedded, self._drawn):
            for project_id in set(held) - known:
                del held[project_id]

    def embedded(self, project_id: int) -> None:
        """Note that more clips of a project were embedded."""
        self._embedded[project_id] = self._embedded.get(project_id, 0) + 1

    def look(self, project_id: int) -> None:
        """Compute again whatever is out of date."""
        tasks = self._store.facts.stamp("tasks", project_id) or "as they are"
        if self._store.facts.stamp("sheet", project_id) != tasks:
            self._lay_out_sheet(project_id, tasks)
        progress = self._store.versions.progress(project_id)
        is_usable = progress is not None and progress.embedder_id == self._embedder_id
        if progress is not None and is_usable and (progress.n_published or not progress.n_ranked):
            made_from = f"{self._store.facts.stamp('order', project_id)} {tasks}"
            if self._store.clip_scores.stamp(project_id) != made_from:
                self._score(project_id, made_from)
        self._draw(project_id, (tasks, self._embedded.get(project_id)))

    def fit_maps(self, project_id: int, stop: threading.Event) -> None:
        """Fit the maps of a project that are due, if no clips have arrived for ``quiet_s``.

        An import adds clips batch by batch, and all may be embedded before the next batch.
        """
        n_clips = self._drawn.get(project_id, _NEVER).n_clips
        while n_clips and not stop.is_set():
            locality = self._maps.due(project_id, n_clips)
            if locality is None:
                return
            silent_s = time.monotonic() - self._drawn.get(project_id, _NEVER).changed_at
            if silent_s < self._quiet_s or self._reconciler.is_embedding(project_id):
                self._maps.wait_for_clips(project_id, locality)
                return
            clips = self._reconciler.clips(project_id)
            n_clips = len(clips)
            if n_clips:
                is_due_again = partial(self._has_doubled, project_id, n_clips)
                self._maps.fit(project_id, locality, clips, stop, is_due_again)

    def _has_doubled(self, project_id: int, n_clips: int) -> bool:
        return self._drawn.get(project_id, _NEVER).n_clips >= 2 * n_clips

    def _lay_out_sheet(self, project_id: int, tasks: str) -> None:
        clips = self._store.clips
        columns = lay_out_sheet(clips.tasks(project_id), clips.data(project_id))
        self._store.sheets.replace(project_id, columns, tasks)

    def _score(self, project_id: int, made_from: str) -> None:
        version = self._store.versions.current(project_id)
        if version is None or version.ranking is None:
            return
        clips = self._reconciler.clips(project_id)
        classifier = Classifier.from_arrays(version.classifier) if version.classifier else None
        prior = None
        if classifier is not None and classifier.needs_prior:
            prior = self._reconciler.logits(project_id, clips, classifier.class_names)
        labels_of = {
            one.task_id: one.labels
            for one in self._store.labels.read(project_id)
            if one.labels is not None
        }
        labeled_ids = [
            task_id
            for task_id in version.ranking["labeled_task_ids"].tolist()
            if task_id in labels_of
        ]
        nearest = self._find_nearest(project_id, clips, labeled_ids)
        described = self._store.agenda.description(project_id)
        scores = score_all_clips(
            clips,
            classifier,
            prior,
            version.ranking["task_ids"].astype(np.int64),
            labels_of,
            nearest,
            described["class_names"],
            multi_label=described["multi_label"],
        )
        self._store.clip_scores.write(
            project_id, version.model_version, scores.to_arrays(), made_from
        )

    def _find_nearest(
        self, project_id: int, clips: EmbeddedClips, labeled_ids: list[int]
    ) -> Nearest:
        held_clips, held = self._nearest.get(project_id, (None, None))
        before = held if held_clips is clips else None
        nearest = find_nearest(clips.unit, np.sort(clips.rows(labeled_ids)), before)
        self._nearest[project_id] = (clips, nearest)
        return nearest

    def _draw(self, project_id: int, seen: object) -> None:
        """Add new clips to the maps, and remove deleted ones."""
        drawn = self._drawn.get(project_id, _NEVER)
        if drawn.seen == seen or time.monotonic() - drawn.at < DRAW_AGAIN_S:
            return
        clips = self._reconciler.clips(project_id)
        if len(clips):
            self._maps.follow(project_id, clips)
        now = time.monotonic()
        changed_at = drawn.changed_at if drawn.n_clips == len(clips) else now
        self._drawn[project_id] = _Drawn(seen, now, len(clips), changed_at)
