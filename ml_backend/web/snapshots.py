"""What a project looks like now, held in memory so that every request is answered at once.

The worker makes what takes long (the sheet, the judgments, the maps) and keeps it in the store. A
snapshot is all of that, lined up by the rows of the sheet. Where something has changed it is made
anew in the background; who asks meanwhile waits a moment and is then shown the one before.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Unfinished
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.clip import TaskLabels
from ml_backend.judged import Judged
from ml_backend.store import Store
from ml_backend.store.maps import MapStanding
from ml_backend.web.packed import PackedColumn, category, fraction
from ml_backend.web.workshop import PATIENCE_S

_N_HELD = 4
_PACKED_BYTES = 64 * 2**20
NONE_OF_THEM = "none of them"
NAMES_SHOWN = 5_000
"""With more recordings than that, the frame leaves their names out."""


@dataclass(frozen=True)
class Stamps:
    """What a snapshot is made from; another one is due when any of it changes."""

    sheet: str
    labels: str
    judged: str
    maps: tuple[tuple[int, str], ...]
    title: str
    class_names: tuple[str, ...]
    multi_label: bool

    @property
    def revision(self) -> str:
        """Name this state of the project."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Snapshot:
    """A project at one revision; rows = tasks, in the order of their numbers."""

    project_id: int
    stamps: Stamps
    embedder_id: str
    class_names: tuple[str, ...]
    task_ids: NDArray[np.int64]
    columns: dict[str, PackedColumn]
    kinds: dict[str, str]
    judged: Judged | None
    model_version: str | None
    n_labeled: int
    labels: dict[int, TaskLabels]
    judged_rows: NDArray[np.int64]
    _packed: OrderedDict[str, bytes] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def revision(self) -> str:
        """Name this state of the project."""
        return self.stamps.revision

    def row_of(self, task_id: int) -> int | None:
        """Find the row of a task; None where there is none."""
        row = int(np.searchsorted(self.task_ids, task_id))
        return row if row < len(self.task_ids) and self.task_ids[row] == task_id else None

    def judged_row(self, row: int) -> int | None:
        """Find the row of a clip among the judged ones; None where it was not judged."""
        found = int(self.judged_rows[row])
        return found if found >= 0 else None

    def once(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Give an answer that is made once for this revision, while there is room to hold it."""
        with self._lock:
            if name in self._packed:
                self._packed.move_to_end(name)
                return self._packed[name]
        made = make()
        with self._lock:
            self._packed[name] = made
            while sum(map(len, self._packed.values())) > _PACKED_BYTES and len(self._packed) > 1:
                self._packed.popitem(last=False)
        return made


class Snapshots:
    """The snapshots of a few projects; safe to share between threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._held: OrderedDict[int, Snapshot] = OrderedDict()
        self._making: dict[int, Future[Snapshot]] = {}
        self._makers = ThreadPoolExecutor(1, thread_name_prefix="snapshot")

    def current(self, project_id: int) -> Snapshot | None:
        """Give the newest snapshot that is ready; None where the first is still being made."""
        stamps = self._stamps(project_id)
        with self._lock:
            held = self._held.get(project_id)
            if held is not None:
                self._held.move_to_end(project_id)
                if held.stamps == stamps:
                    return held
            job = self._making.get(project_id)
            if job is None or job.done():
                job = self._makers.submit(self._renew, project_id, stamps, held)
                self._making[project_id] = job
        try:
            return job.result(PATIENCE_S)
        except Unfinished:
            return held

    def _renew(self, project_id: int, stamps: Stamps, before: Snapshot | None) -> Snapshot:
        made = make_snapshot(self._store, project_id, stamps, before)
        with self._lock:
            self._held[project_id] = made
            self._held.move_to_end(project_id)
            while len(self._held) > _N_HELD:
                self._held.popitem(last=False)
        return made

    def _stamps(self, project_id: int) -> Stamps:
        store = self._store
        described = store.agenda.description(project_id)
        maps = store.maps.standing(project_id, embedder_at_work(store))
        return Stamps(
            store.facts.read(f"sheet of project {project_id}") or "",
            store.facts.read(f"labels of project {project_id}") or "",
            store.judgments.stamp(project_id),
            tuple((locality, one.stamp) for locality, one in sorted(maps.items()) if one.stamp),
            described["title"],
            tuple(described["class_names"]),
            described["multi_label"],
        )


def embedder_at_work(store: Store) -> str:
    """Name the embedder that the worker uses; empty before it has started."""
    return (store.facts.read("embedder") or {}).get("embedder_id") or ""


def map_standing(store: Store, project_id: int) -> dict[int, MapStanding]:
    """Tell how the maps of a project stand, by locality."""
    return store.maps.standing(project_id, embedder_at_work(store))


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
        columns = {"task_id": _ids(task_ids)}
        if "recording" in sheet:
            recording = sheet["recording"]
            columns["recording"] = category("recording", recording.values, recording.names)
        else:
            columns["recording"] = category("recording", np.full(len(task_ids), -1), ())
    if before is not None and before.stamps.labels == stamps.labels:
        labels = before.labels
    else:
        labels = {one.task_id: one for one in store.labels.read(project_id)}
    kept = store.judgments.read(project_id)
    judged = Judged.from_arrays(kept[1]) if kept else None
    has_classifier = judged is not None and judged.probabilities is not None
    judged_rows = _places(task_ids, judged.task_ids if judged else np.empty(0, dtype=np.int64))
    columns |= _label_columns(task_ids, labels, stamps.class_names)
    columns |= _judged_columns(judged, judged_rows, stamps.class_names)
    return Snapshot(
        project_id,
        stamps,
        embedder_at_work(store),
        stamps.class_names,
        task_ids,
        columns,
        kinds,
        judged,
        kept[0] if kept and has_classifier else None,
        sum(one.labels is not None for one in labels.values()),
        labels,
        judged_rows,
    )


def _ids(task_ids: NDArray[np.int64]) -> PackedColumn:
    is_small = task_ids.max(initial=0) < 2**31
    return PackedColumn("task_id", "number", task_ids.astype(np.int32 if is_small else np.float64))


def _places(wanted: NDArray[np.int64], held: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find where each of some ascending numbers stands among others; -1 where it does not."""
    if not len(held):
        return np.full(len(wanted), -1, dtype=np.int64)
    found = np.minimum(np.searchsorted(held, wanted), len(held) - 1)
    return np.where(held[found] == wanted, found, -1)


def _label_columns(
    task_ids: NDArray[np.int64], labels: dict[int, TaskLabels], class_names: tuple[str, ...]
) -> dict[str, PackedColumn]:
    names = list(class_names)
    code_of: dict[str, int] = {name: code for code, name in enumerate(names)}
    codes = np.full(len(task_ids), -1, dtype=np.int32)
    skipped = np.zeros(len(task_ids), dtype=np.uint8)
    rows = _places(np.array(list(labels), dtype=np.int64), task_ids)
    for row, one in zip(rows.tolist(), labels.values(), strict=True):
        if row < 0:
            continue
        skipped[row] = one.is_skipped
        if one.labels is not None:
            name = joined(one.labels, class_names)
            if name not in code_of:
                code_of[name] = len(names)
                names.append(name)
            codes[row] = code_of[name]
    return {
        "label": category("label", codes, names),
        "skipped": PackedColumn("skipped", "boolean", skipped),
    }


def joined(labels: frozenset[str], class_names: tuple[str, ...]) -> str:
    """Write several labels of a clip as one, in the order of the classes."""
    if not labels:
        return NONE_OF_THEM
    place_of = {name: place for place, name in enumerate(class_names)}
    return ", ".join(sorted(labels, key=lambda name: (place_of.get(name, len(place_of)), name)))


def _judged_columns(
    judged: Judged | None, rows: NDArray[np.int64], class_names: tuple[str, ...]
) -> dict[str, PackedColumn]:
    def lined_up(values: NDArray[Any] | None) -> NDArray[np.float64]:
        if values is None or not len(values):
            return np.full(len(rows), np.nan)
        return np.where(rows < 0, np.nan, values[rows])

    rank = np.zeros(len(rows)) if judged is None else np.nan_to_num(lined_up(judged.rank))
    is_ranked = rank > 0
    ranks = np.where(is_ranked, rank, 2**32 - 1).astype(np.uint32)
    columns = [
        _predicted(judged, rows, class_names),
        fraction("entropy", lined_up(judged.entropy if judged else None)),
        fraction("disagreement", lined_up(judged.disagreement if judged else None)),
        fraction("coverage", lined_up(judged.coverage if judged else None), 2.0),
        PackedColumn("rank", "number", ranks),
    ]
    return {column.name: column for column in columns}


def _predicted(
    judged: Judged | None, rows: NDArray[np.int64], class_names: tuple[str, ...]
) -> PackedColumn:
    chosen = judged.predicted() if judged else None
    if judged is None or chosen is None:
        return category("predicted", np.full(len(rows), -1), class_names)
    names = list(judged.class_names)
    if judged.multi_label:
        sets, places = np.unique(chosen, axis=0, return_inverse=True)
        code_of = {name: code for code, name in enumerate(names)}
        codes_of_sets = []
        for one in sets:
            of_clip = np.array(judged.class_names)[one].tolist()
            name = joined(frozenset(of_clip), judged.class_names)
            if name not in code_of:
                code_of[name] = len(names)
                names.append(name)
            codes_of_sets.append(code_of[name])
        codes = np.array(codes_of_sets, dtype=np.int64)[places.ravel()]
    else:
        codes = chosen.argmax(axis=1)
    return category("predicted", np.where(rows < 0, -1, codes[rows]), names)
