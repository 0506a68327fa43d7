"""Updates of a project's maps: sketched at once, fitted in the background, extended.

A map is fitted when it is first requested (the default one always is) and again when the project
has twice as many clips and no more arrive; it is then aligned with the previous one. In between,
new clips are placed among their neighbors.
"""

import logging
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml_backend.learning.embedded_clips import EmbeddedClips
from ml_backend.process import tether
from ml_backend.similarity.alignment import Positions, align, in_square
from ml_backend.similarity.fit_process import BEFORE, EMBEDDINGS, POSITIONS, PROGRESS
from ml_backend.similarity.map_layout import (
    DEFAULT,
    FEWEST,
    LOCALITIES,
    PCA,
    fit_map,
    place_clips,
    sketch_map,
)
from ml_backend.store import Store

log = logging.getLogger(__name__)

RETRY_S = 600.0
WAITING = "waiting until all clips are embedded"
_LOOK_S = 0.25
_SEED = 0


class MapUpdater:
    """Updates the maps of every project, one fit at a time."""

    def __init__(self, store: Store, embedder_id: str, folder: Path) -> None:
        self._store = store
        self._embedder_id = embedder_id
        self._folder = folder
        self._failed: dict[tuple[int, int], float] = {}

    def follow(self, project_id: int, clips: EmbeddedClips) -> None:
        """Update every existing map to exactly these clips, and sketch the first one."""
        for locality in (PCA, *range(len(LOCALITIES))):
            kept = self._store.maps.read(project_id, self._embedder_id, locality)
            if locality == PCA:
                self._sketch(project_id, clips, kept)
            elif kept is not None and not np.array_equal(kept[0], clips.task_ids):
                self._write(project_id, locality, clips.task_ids, _carried_over(clips, *kept))

    def due(self, project_id: int, n_clips: int) -> int | None:
        """Return the locality of the map to fit next: the default one, then requested ones."""
        standing = self._store.maps.standing(project_id, self._embedder_id)
        order: list[int] = [DEFAULT, *range(len(LOCALITIES))]
        for locality in order:
            one = standing.get(locality)
            is_wanted = locality == DEFAULT or (one is not None and one.is_wanted)
            is_fitted = one is not None and bool(one.stamp) and n_clips < 2 * one.n_fitted
            is_free = time.monotonic() >= self._failed.get((project_id, locality), 0.0)
            if is_wanted and not is_fitted and is_free:
                return locality
        return None

    def fit(
        self,
        project_id: int,
        locality: int,
        clips: EmbeddedClips,
        stop: threading.Event,
        is_due_again: Callable[[], bool],
    ) -> None:
        """Fit a map of these clips and store it, in minutes if there are many.

        A fit that is due again before its end is stopped.
        """
        before = self._before(project_id, locality, clips)
        if len(clips) < FEWEST:
            xy: Positions | None = fit_map(
                clips.embeddings, LOCALITIES[locality], seed=_SEED, lies_like=before
            )
        else:
            xy = self._fit_aside(project_id, locality, clips.embeddings, before, stop, is_due_again)
        if xy is None:
            return
        self._write(project_id, locality, clips.task_ids, xy, n_fitted=len(clips))
        self._tell(project_id, locality, 1.0, "")

    def wait_for_clips(self, project_id: int, locality: int) -> None:
        """Store the state that a map waits until all clips are embedded."""
        one = self._store.maps.standing(project_id, self._embedder_id).get(locality)
        if one is None or one.state != WAITING:
            self._tell(project_id, locality, 0.0, WAITING)

    def _sketch(
        self,
        project_id: int,
        clips: EmbeddedClips,
        kept: tuple[NDArray[np.int64], Positions] | None,
    ) -> None:
        one = self._store.maps.standing(project_id, self._embedder_id).get(PCA)
        if kept is not None and one is not None and len(clips) < 2 * one.n_fitted:
            if not np.array_equal(kept[0], clips.task_ids):
                self._write(project_id, PCA, clips.task_ids, _carried_over(clips, *kept))
            return
        xy = sketch_map(clips.embeddings)
        if kept is not None:
            xy = in_square(align(xy, _lined_up(clips, *kept)))
        self._write(project_id, PCA, clips.task_ids, xy, n_fitted=len(clips))

    def _before(self, project_id: int, locality: int, clips: EmbeddedClips) -> Positions | None:
        """Return the map to align the new one with: its previous fit, else the default map."""
        for one in (locality, DEFAULT, PCA):
            kept = self._store.maps.read(project_id, self._embedder_id, one)
            if kept is not None:
                return _lined_up(clips, *kept)
        return None

    def _fit_aside(
        self,
        project_id: int,
        locality: int,
        embeddings: NDArray[np.float32],
        before: Positions | None,
        stop: threading.Event,
        is_due_again: Callable[[], bool],
    ) -> Positions | None:
        """Fit the map in another process; return None if it failed or was stopped."""
        self._folder.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="map-") as name:
            folder = Path(name)
            np.save(folder / EMBEDDINGS, embeddings)
            if before is not None:
                np.save(folder / BEFORE, before)
            arguments = [str(folder), str(locality), str(_SEED)]
            with (folder / "log").open("wb") as output:
                process = tether.start(
                    "ml_backend.similarity.fit_process", *arguments, stdout=output, stderr=output
                )
                try:
                    stored = -1.0
                    while process.poll() is None:
                        if stop.wait(_LOOK_S) or is_due_again():
                            return None
                        progress = _progress(folder)
                        if progress > stored:
                            self._tell(project_id, locality, progress, "fitting")
                            stored = progress
                finally:
                    process.kill()
                    process.wait()
            if process.returncode != 0:
                last = (folder / "log").read_text(errors="replace").strip().splitlines()[-1:]
                log.warning("project %d: map %d cannot be fitted: %s", project_id, locality, last)
                self._failed[project_id, locality] = time.monotonic() + RETRY_S
                self._tell(project_id, locality, 0.0, "it could not be fitted; the log says why")
                return None
            log.info(
                "project %d: map %d of %d clips, %.0f s",
                project_id,
                locality,
                len(embeddings),
                time.perf_counter() - began,
            )
            positions: Positions = np.load(folder / POSITIONS)
            return positions

    def _write(
        self,
        project_id: int,
        locality: int,
        task_ids: NDArray[np.int64],
        xy: Positions,
        n_fitted: int | None = None,
    ) -> None:
        self._store.maps.write(
            project_id, self._embedder_id, locality, task_ids, xy, n_fitted=n_fitted
        )

    def _tell(self, project_id: int, locality: int, progress: float, state: str) -> None:
        self._store.maps.tell(project_id, self._embedder_id, locality, progress, state)


def _lined_up(clips: EmbeddedClips, task_ids: NDArray[np.int64], xy: Positions) -> Positions:
    """Return the positions of these clips on a map; NaN for missing ones."""
    lined_up = np.full((len(clips), 2), np.nan, dtype=np.float32)
    is_known = np.isin(task_ids, clips.task_ids)
    lined_up[clips.rows(task_ids[is_known])] = xy[is_known]
    return lined_up


def _carried_over(clips: EmbeddedClips, task_ids: NDArray[np.int64], xy: Positions) -> Positions:
    """Return the positions of these clips on a map; missing ones are placed."""
    carried = _lined_up(clips, task_ids, xy)
    is_new = ~np.isin(clips.task_ids, task_ids)
    carried[is_new] = place_clips(
        clips.embeddings[is_new], clips.embeddings[~is_new], carried[~is_new]
    )
    return carried


def _progress(folder: Path) -> float:
    path = folder / PROGRESS
    return float(path.read_text()) if path.exists() else 0.0
