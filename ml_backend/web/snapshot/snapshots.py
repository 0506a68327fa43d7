"""What a project looks like now, held in memory so that every request is answered at once.

The worker makes what takes long (the sheet, the scores, the maps) and keeps it in the store. A
snapshot is all of that, lined up by the rows of the sheet. Where something has changed it is made
anew in the background; who asks meanwhile waits a moment and is then shown the one before.
"""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Unfinished
from dataclasses import dataclass, field

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from ml_backend.clip import TaskLabels
from ml_backend.loop.clip_scores import ClipScores
from ml_backend.metadata.columns import Kind
from ml_backend.store import Store
from ml_backend.web.snapshot.background_job import PATIENCE_S
from ml_backend.web.snapshot.byte_cache import Shelf
from ml_backend.web.snapshot.columns import (
    as_packed,
    id_column,
    label_columns,
    places,
    score_columns,
)
from ml_backend.web.snapshot.packed import PackedColumn, category

_N_HELD = 4
_PACKED_BYTES = 64 * 2**20
NAMES_SHOWN = 5_000
"""With more recordings than that, the frame leaves their names out."""


@dataclass(frozen=True)
class Stamps:
    """What a snapshot is made from; another one is due when any of it changes."""

    sheet: str
    labels: str
    failures: str
    scores: str
    maps: tuple[tuple[int, str], ...]
    title: str
    class_names: tuple[str, ...]
    multi_label: bool
    hotkeys: tuple[str, ...]

    @property
    def revision(self) -> str:
        """Name this state of the project."""
        return _short_hash(repr(self))

    @property
    def sheet_state(self) -> str:
        """Name the state of what the tasks themselves say: labels do not change it."""
        return _short_hash(f"sheet {self.sheet}")


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Snapshot:
    """A project at one revision; rows = tasks, in the order of their numbers.

    ``failed`` tells, by task, why audio cannot be embedded.
    """

    project_id: int
    stamps: Stamps
    embedder_id: str
    class_names: tuple[str, ...]
    task_ids: NDArray[np.int64]
    columns: dict[str, PackedColumn]
    kinds: dict[str, Kind]
    scores: ClipScores | None
    model_version: str | None
    n_labeled: int
    labels: dict[int, TaskLabels]
    failed: dict[int, str]
    score_rows: NDArray[np.int64]
    _packed: Shelf = field(default_factory=lambda: Shelf(_PACKED_BYTES))

    @property
    def revision(self) -> str:
        """Name this state of the project."""
        return self.stamps.revision

    def row_of(self, task_id: int) -> int | None:
        """Find the row of a task; None where there is none."""
        row = int(np.searchsorted(self.task_ids, task_id))
        return row if row < len(self.task_ids) and self.task_ids[row] == task_id else None

    def score_row(self, row: int) -> int | None:
        """Find the row of a clip among the scores ones; None where it was not scores."""
        found = int(self.score_rows[row])
        return found if found >= 0 else None

    def once(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Return an answer that is made once for this revision, while there is room to hold it."""
        return self._packed.get(name, make)


class Snapshots:
    """The snapshots of a few projects; safe to share between threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._held: LRUCache[int, Snapshot] = LRUCache(_N_HELD)
        self._making: dict[int, Future[Snapshot]] = {}
        self._makers = ThreadPoolExecutor(1, thread_name_prefix="snapshot")

    def current(self, project_id: int) -> Snapshot | None:
        """Give the newest snapshot that is ready; None where the first is still being made."""
        stamps = self._stamps(project_id)
        with self._lock:
            held = self._held.get(project_id)
            if held is not None and held.stamps == stamps:
                return held
            job = self._making.get(project_id)
            if job is None:
                job = self._makers.submit(self._renew, project_id, stamps, held)
                self._making[project_id] = job
        try:
            return job.result(PATIENCE_S)
        except Unfinished:
            return held

    def _renew(self, project_id: int, stamps: Stamps, before: Snapshot | None) -> Snapshot:
        try:
            made = make_snapshot(self._store, project_id, stamps, before)
            with self._lock:
                self._held[project_id] = made
            return made
        finally:
            with self._lock:
                del self._making[project_id]

    def _stamps(self, project_id: int) -> Stamps:
        store = self._store
        described = store.agenda.description(project_id)
        embedder_id = store.facts.embedder_at_work()
        maps = store.maps.standing(project_id, embedder_id)
        return Stamps(
            store.facts.stamp("sheet", project_id),
            store.facts.stamp("labels", project_id),
            store.clips.failures(embedder_id),
            store.clip_scores.stamp(project_id),
            tuple((locality, one.stamp) for locality, one in sorted(maps.items()) if one.stamp),
            described["title"],
            tuple(described["class_names"]),
            described["multi_label"],
            tuple(described["hotkeys"]),
        )


def make_snapshot(
    store: Store, project_id: int, stamps: Stamps, before: Snapshot | None
) -> Snapshot:
    """Read a project from the store, and only what has changed since the snapshot before."""
    same = before if before is not None and before.stamps.sheet == stamps.sheet else None
    if same is not None:
        task_ids, kinds = same.task_ids, same.kinds
        columns = {name: same.columns[name] for name in ("task_id", "recording")}
    else:
        sheet = store.sheets.read(project_id, ["task_id", "recording"])
        task_ids = sheet["task_id"].values if sheet else np.empty(0, dtype=np.int64)
        kinds = store.sheets.kinds(project_id)
        columns = {"task_id": id_column(task_ids)}
        if "recording" in sheet:
            columns["recording"] = as_packed(sheet["recording"])
        else:
            columns["recording"] = category("recording", np.full(len(task_ids), -1), ())
    if before is not None and before.stamps.labels == stamps.labels:
        labels = before.labels
    else:
        labels = {one.task_id: one for one in store.labels.read(project_id)}
    kept = store.clip_scores.read(project_id)
    scores = ClipScores.from_arrays(kept[1]) if kept else None
    has_classifier = scores is not None and scores.probabilities is not None
    score_rows = places(task_ids, scores.task_ids if scores else np.empty(0, dtype=np.int64))
    failed = dict(store.clips.failed(project_id, store.facts.embedder_at_work()))
    columns |= label_columns(task_ids, labels, failed, stamps.class_names)
    columns |= score_columns(scores, score_rows, stamps.class_names)
    return Snapshot(
        project_id,
        stamps,
        store.facts.embedder_at_work(),
        stamps.class_names,
        task_ids,
        columns,
        kinds,
        scores,
        kept[0] if kept and has_classifier else None,
        sum(one.labels is not None for one in labels.values()),
        labels,
        failed,
        score_rows,
    )
