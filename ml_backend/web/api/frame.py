"""All clips of a project for its pages, in the packed form: the frame, any column, the revision."""

from typing import Any

import numpy as np
from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from ml_backend.errors import RequestError
from ml_backend.metadata.table import META
from ml_backend.similarity.map_layout import DEFAULT, LOCALITIES, PCA
from ml_backend.store import Store
from ml_backend.web.api.responses import NOT_READ, packed_answer, wait
from ml_backend.web.services import services
from ml_backend.web.snapshot.background_job import Pending
from ml_backend.web.snapshot.columns import as_packed, places
from ml_backend.web.snapshot.embeddings import WORD, why_no_words
from ml_backend.web.snapshot.packed import PackedColumn, fraction, pack
from ml_backend.web.snapshot.snapshots import NAMES_SHOWN, Snapshot

_FRAME = ("label", "state", "skipped", "predicted", "entropy", "coverage", "rank", "recording")
_TITLES = {
    "label": ("Label", "labels"),
    "state": ("State", "labels"),
    "skipped": ("Skipped", "labels"),
    "predicted": ("Predicted class", "model"),
    "entropy": ("Entropy", "model"),
    "disagreement": ("Disagreement with the nearest label", "model"),
    "coverage": ("Distance to the nearest label", "model"),
    "rank": ("Rank in the queue", "model"),
    "recording": ("Recording", "metadata"),
    "clip": ("Clip", "metadata"),
}
_OF_CLASSIFIER = ("predicted", "entropy", "disagreement")


blueprint = Blueprint("frame", __name__)


@blueprint.get("/projects/<int:project_id>/frame")
def frame(project_id: int) -> ResponseReturnValue:
    """Return the columns that the map starts with, for all clips."""
    locality = _locality()
    snapshot = services().snapshots.current(project_id)
    if snapshot is None:
        return wait(NOT_READ)
    return packed_answer(snapshot, f"frame {locality}", lambda: _frame(snapshot, locality))


@blueprint.get("/projects/<int:project_id>/column")
def column(project_id: int) -> ResponseReturnValue:
    """Return one column, by its name."""
    name = request.args.get("name", "")
    snapshot = services().snapshots.current(project_id)
    if snapshot is None:
        return wait(NOT_READ)
    found = _column(snapshot, name)
    if isinstance(found, Pending):
        return wait(found.state, found.progress)
    if found is None:
        return jsonify(error=f"There is no column {name!r} in project {project_id}."), 404
    is_of_sheet = name in snapshot.kinds or name == "recording"
    return packed_answer(
        snapshot,
        name,
        lambda: pack([found], revision=snapshot.revision),
        etag=snapshot.stamps.sheet_state if is_of_sheet else "",
    )


@blueprint.get("/projects/<int:project_id>/revision")
def revision(project_id: int) -> ResponseReturnValue:
    """Return the revision, and what a page shows of it without reading the clips again."""
    locality = _locality()
    snapshot = services().snapshots.current(project_id)
    if snapshot is None:
        return wait(NOT_READ)
    asked = services().head.see(project_id)
    return jsonify(
        revision=snapshot.revision,
        model_version=snapshot.model_version,
        map=_map(services().store, snapshot, locality)[0],
        n_labeled=snapshot.n_labeled,
        **({} if isinstance(asked, Pending) else {"requested_first": asked and asked.counts()}),
    )


def _locality() -> int:
    text = request.args.get("locality", str(DEFAULT))
    if text not in map(str, range(len(LOCALITIES))):
        raise RequestError(f"locality is {text!r}; it must be 0 (local) to {len(LOCALITIES) - 1}.")
    return int(text)


def _frame(snapshot: Snapshot, locality: int) -> bytes:
    store, settings = services().store, services().settings
    described, x, y = _positions(store, snapshot, locality)
    recording = snapshot.columns["recording"]
    if recording.names is not None and len(recording.names) > NAMES_SHOWN:
        recording = PackedColumn("recording", recording.kind, recording.stored)
    columns = {name: snapshot.columns[name] for name in _FRAME} | {"recording": recording}
    return pack(
        [snapshot.columns["task_id"], fraction("x", x), fraction("y", y), *columns.values()],
        revision=snapshot.revision,
        model_version=snapshot.model_version,
        class_names=snapshot.class_names,
        hotkeys=list(snapshot.stamps.hotkeys),
        multi_label=snapshot.stamps.multi_label,
        title=snapshot.stamps.title,
        label_studio_url=settings.studio_pages_url,
        map=described,
        why_no_words=why_no_words(store),
        available=_available(store, snapshot),
    )


def _positions(
    store: Store, snapshot: Snapshot, locality: int
) -> tuple[dict[str, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    described, shown = _map(store, snapshot, locality)
    xy = np.full((len(snapshot.task_ids), 2), np.nan)
    kept = store.maps.read(snapshot.project_id, snapshot.embedder_id, shown)
    if kept is not None:
        task_ids, positions = kept
        rows = places(task_ids, snapshot.task_ids)
        xy[rows[rows >= 0]] = positions[rows >= 0]
    return described, xy[:, 0], xy[:, 1]


def _map(store: Store, snapshot: Snapshot, locality: int) -> tuple[dict[str, Any], int]:
    """Return how the map of a locality stands, and the locality of the map that is shown."""
    embedder_id = store.facts.embedder_at_work()
    maps = store.maps.standing(snapshot.project_id, embedder_id)
    asked = maps.get(locality)
    if embedder_id and (asked is None or not asked.is_wanted):
        store.maps.want(snapshot.project_id, embedder_id, locality)
    ready = {number for number, one in maps.items() if one.stamp}
    shown = next((one for one in (locality, DEFAULT, PCA) if one in ready), PCA)
    is_ready = shown == locality
    state = asked.state if asked and asked.state else "" if is_ready else "waiting for its turn"
    return {
        "locality": locality,
        "kind": "pca" if shown == PCA else "umap",
        "progress": asked.progress if asked and asked.state else float(is_ready),
        "state": state,
    }, shown


def _available(store: Store, snapshot: Snapshot) -> list[dict[str, str]]:
    kinds = {name: column.kind for name, column in snapshot.columns.items()} | snapshot.kinds
    names = [name for name in _TITLES if name in kinds]
    if snapshot.model_version is None:
        names = [name for name in names if name not in _OF_CLASSIFIER]
    listed = [(name, *_TITLES[name], kinds[name]) for name in names]
    listed += [
        (name, name.removeprefix(META), "metadata", kind)
        for name, kind in snapshot.kinds.items()
        if name.startswith(META)
    ]
    matched = store.facts.read(f"names of project {snapshot.project_id}") or {}
    words = dict.fromkeys(word for of_class in matched.values() for word in of_class)
    listed += [(WORD + word, f"Sounds like “{word}”", "words", "number") for word in words]
    return [
        {"name": name, "title": title, "group": group, "kind": kind}
        for name, title, group, kind in listed
    ]


def _column(snapshot: Snapshot, name: str) -> PackedColumn | Pending | None:
    store = services().store
    if name in snapshot.columns:
        return snapshot.columns[name]
    if name.startswith("probability:"):
        return _probability(snapshot, name)
    if name.startswith(WORD):
        return services().sounds.word(snapshot, name.removeprefix(WORD))
    if name in snapshot.kinds:
        sheet = store.sheets.read(snapshot.project_id, [name])
        if store.facts.stamp("sheet", snapshot.project_id) != snapshot.stamps.sheet:
            return Pending(NOT_READ)  # its rows may be other clips than the frame's
        return as_packed(sheet[name]) if name in sheet else None
    return None


def _probability(snapshot: Snapshot, name: str) -> PackedColumn | None:
    scores, class_name = snapshot.scores, name.partition(":")[2]
    if scores is None or scores.probabilities is None or class_name not in scores.class_names:
        return None
    values = scores.probabilities[:, scores.class_names.index(class_name)]
    rows = snapshot.score_rows
    return fraction(name, np.where(rows < 0, np.nan, values[rows]))
