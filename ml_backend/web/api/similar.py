"""What sounds alike: the neighbors of a clip, search by a dropped sound, the words for sounds."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

import numpy as np
from flask import Blueprint, Response, abort, jsonify, request
from flask.typing import ResponseReturnValue
from numpy.typing import NDArray
from werkzeug.exceptions import ServiceUnavailable

from ml_backend.audio.reading import read_recording, waveform
from ml_backend.embedders import check_waveform
from ml_backend.errors import AudioError, RequestError
from ml_backend.learning.embedded_clips import EmbeddedClips
from ml_backend.loop.embed_clips import MAX_EMBEDDED_S
from ml_backend.similarity.neighbors import distances, find_neighbors
from ml_backend.similarity.vectors import normalize_rows
from ml_backend.web.api.responses import NOT_READ, wait
from ml_backend.web.services import services
from ml_backend.web.snapshot.background_job import Pending
from ml_backend.web.snapshot.embedder import Ears
from ml_backend.web.snapshot.embeddings import lined_up
from ml_backend.web.snapshot.packed import PackedColumn, pack
from ml_backend.web.snapshot.snapshots import Snapshot

MAX_NEIGHBORS = 200
MAX_SOUND_BYTES = 32 * 2**20
N_NEAREST = 8
LEAST_LIKENESS = 0.6
_WAIT_FOR_EARS_S = 2.0


blueprint = Blueprint("similar", __name__)


@blueprint.get("/projects/<int:project_id>/clips/<int:task_id>/neighbors")
def neighbors(project_id: int, task_id: int) -> ResponseReturnValue:
    """Return the clips that sound most like one."""
    n = request.args.get("n", "12")
    if not re.fullmatch(r"\d{1,9}", n) or not 1 <= int(n) <= MAX_NEIGHBORS:
        raise RequestError(f"n is {n!r:.40}; it must be 1 to {MAX_NEIGHBORS}.")
    snapshot = services().snapshots.current(project_id)
    if snapshot is None:
        return wait(NOT_READ)
    if snapshot.row_of(task_id) is None:
        abort(404, f"Project {project_id} has no task {task_id}, or it was not read yet.")
    clips = services().sounds.clips(snapshot)
    if isinstance(clips, Pending):
        return wait(clips.state, clips.progress)
    return jsonify(_neighbors(snapshot, clips, task_id, int(n)))


@blueprint.post("/projects/<int:project_id>/search")
def search(project_id: int) -> ResponseReturnValue:
    """Return the similarity of every clip to the sound that was sent, as a column."""
    shared = services()
    snapshot = shared.snapshots.current(project_id)
    if snapshot is None:
        return wait(NOT_READ)
    name, content = _dropped()
    clips, ears = shared.sounds.clips(snapshot), shared.sounds.ears(snapshot)
    if isinstance(clips, Pending):
        return wait(clips.state, clips.progress)
    if isinstance(ears, Pending):
        return wait(ears.state, ears.progress)
    if ears is None or not len(clips):
        raise RequestError("No clip of this project is embedded yet; search again later.")
    if not shared.searching.acquire(timeout=_WAIT_FOR_EARS_S):
        raise ServiceUnavailable("Others are searching by sound; ask again.", retry_after=1)
    try:
        embedded = _embed(name, content, ears)
    finally:
        shared.searching.release()
    similarity = 1.0 - distances(clips.unit, embedded)
    column = PackedColumn("similarity", "number", lined_up(snapshot, clips, similarity))
    packed = pack([column], revision=snapshot.revision)
    return Response(packed, mimetype="application/octet-stream")


@blueprint.get("/projects/<int:project_id>/words")
def words(project_id: int) -> ResponseReturnValue:
    """Return the names of sounds that hold what was typed, else those written most like it."""
    found, nearest = find_words(request.args.get("q", ""), services().sounds.names())
    return jsonify(names=found, nearest=nearest)


def find_words(asked: str, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Find the names that hold what was asked for; where none does, those written most like it.

    Examples
    --------
    >>> find_words("sirene", ["Siren", "Police car (siren)", "Dog"])
    ([], ['Siren', 'Police car (siren)'])
    """
    asked = asked.strip().casefold()
    words = asked.split()
    found = [name for name in names if all(word in name.casefold() for word in words)]
    found.sort(key=lambda name: (not name.casefold().startswith(asked), name.casefold()))
    if found:
        return found, []
    matcher = SequenceMatcher(b=asked)
    likeness = {name: max(_likeness(matcher, one) for one in _parts(name)) for name in names}
    near = sorted(names, key=lambda name: (-likeness[name], len(name), name))
    return [], [name for name in near[:N_NEAREST] if likeness[name] >= LEAST_LIKENESS]


def _parts(name: str) -> list[str]:
    return [name.casefold(), *re.findall(r"\w+", name.casefold())]


def _likeness(matcher: "SequenceMatcher[str]", text: str) -> float:
    matcher.set_seq1(text)
    return matcher.ratio() if matcher.real_quick_ratio() >= LEAST_LIKENESS else 0.0


def _neighbors(
    snapshot: Snapshot, clips: EmbeddedClips, task_id: int, n: int
) -> list[dict[str, Any]]:
    row = clips.rows([task_id])
    if not len(row):
        return []  # nobody has embedded it yet
    distance = distances(clips.unit, clips.unit[row[0]])
    distance[row[0]] = np.inf
    labels = snapshot.labels
    labeled = [task for task, one in labels.items() if one.labels is not None]
    is_labeled = np.zeros(len(clips), dtype=bool)
    is_labeled[clips.rows(labeled)] = True
    return [
        {
            "task_id": int(clips.task_ids[found]),
            "distance": round(float(distance[found]), 4),
            "is_labeled": bool(is_labeled[found]),
            "labels": _said(snapshot, int(clips.task_ids[found])),
        }
        for found in find_neighbors(distance, is_labeled, n)
    ]


def _said(snapshot: Snapshot, task_id: int) -> list[str]:
    one = snapshot.labels.get(task_id)
    return sorted(one.labels) if one is not None and one.labels else []


def _dropped() -> tuple[str, bytes]:
    """Read the sound that was sent.

    Raises
    ------
    RequestError
        If there is none, or it is too large.
    """
    file = request.files.get("audio")
    if file is None:
        raise RequestError("Send a recording in the form field 'audio'.")
    content = file.stream.read(MAX_SOUND_BYTES + 1)
    if len(content) > MAX_SOUND_BYTES:
        raise RequestError(
            f"The recording is larger than {MAX_SOUND_BYTES >> 20} MB; cut out what to look for."
        )
    return (file.filename or "the recording")[-80:], content


def _embed(name: str, content: bytes, ears: Ears) -> NDArray[np.float32]:
    """Embed a sound, as a row of length 1.

    Raises
    ------
    RequestError
        If it is no sound that can be embedded.
    """
    rate = ears.embedder.sample_rate_hz
    try:
        recording = read_recording(content, name=name, duration_s=MAX_EMBEDDED_S)
        samples = waveform(recording, rate)
        check_waveform(samples, rate, name)
    except AudioError as error:
        raise RequestError(str(error)) from None
    unit: NDArray[np.float32] = normalize_rows(ears.embedder.embed([samples]))[0]
    return unit
