"""What a clip sounds and looks like: its audio in ranges, its spectrogram, a thumbnail of it.

A task's addresses are data from strangers: they are read as ``fetch`` and ``file_access`` allow,
and only what is a sound or a PNG is passed on.
"""

import io
import re
from dataclasses import replace
from pathlib import Path

from flask import Blueprint, Response, abort, g, request, send_file
from flask.typing import ResponseReturnValue

from ml_backend.clip import Task
from ml_backend.web.services import services
from ml_backend.web.snapshot.media_library import spectrogram_address

KEPT_S = 300
"""Browsers ask again after so long, in s, and with that, whether the visitor still may see it."""
_ONE_RANGE = re.compile(r"bytes=(?:(\d{1,18})-\d{0,18}|-(\d{1,18}))", re.ASCII)
_BEGINNINGS = {
    b"OggS": "audio/ogg",
    b"fLaC": "audio/flac",
    b"ID3": "audio/mpeg",
    b"\x1a\x45\xdf\xa3": "audio/webm",
}

blueprint = Blueprint("media", __name__)


@blueprint.get("/projects/<int:project_id>/clips/<int:task_id>/audio")
def clip_audio(project_id: int, task_id: int) -> ResponseReturnValue:
    """Return the sound of a clip, whole or in one range."""
    task = _audible(project_id, task_id)
    file = services().library.file(task.audio)
    size, head = _measure(file)
    kind = audio_type(head)
    if kind is None:
        abort(415, f"Task {task_id}: its audio is in no format that is passed on.")
    _mend_range(size)
    return _send(file, kind, f"{task.clip_key}-{size:x}")


@blueprint.get("/projects/<int:project_id>/clips/<int:task_id>/spectrogram")
def clip_spectrogram(project_id: int, task_id: int) -> ResponseReturnValue:
    """Return the spectrogram of a clip."""
    task = _visible(project_id, task_id)
    return _send(services().library.spectrogram(task), "image/png", f"{task.clip_key}-s")


@blueprint.get("/projects/<int:project_id>/clips/<int:task_id>/thumbnail")
def clip_thumbnail(project_id: int, task_id: int) -> ResponseReturnValue:
    """Return a small spectrogram without axes."""
    task = _visible(project_id, task_id)
    if request.if_none_match.contains(f"{task.clip_key}-t"):
        return _kept_for_a_while(Response(status=304), f"{task.clip_key}-t")
    return _send(services().library.thumbnail(task), "image/png", f"{task.clip_key}-t")


def _audible(project_id: int, task_id: int) -> Task:
    """Return a task whose sound the visitor may be given."""
    task = services().store.clips.find(project_id, task_id)
    if task is None:
        abort(404, f"Project {project_id} has no task {task_id}, or it was not read yet.")
    services().reach.check(g.visitor, project_id, task.audio)
    return task


def _visible(project_id: int, task_id: int) -> Task:
    """Return a task whose sound the visitor may see, without a picture that is out of reach."""
    task = _audible(project_id, task_id)
    address = spectrogram_address(task)
    if address is None or services().reach.holds(g.visitor, project_id, address):
        return task
    return replace(task, data=None)


def audio_type(head: bytes) -> str | None:
    """Tell a sound's media type from its first 16 bytes; None for anything that is no sound.

    Examples
    --------
    >>> audio_type(b"RIFF....WAVEfmt "), audio_type(b"<html><script>a")
    ('audio/wav', None)
    """
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "audio/wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "audio/aiff"
    if head[4:8] == b"ftyp":
        return "audio/mp4"
    for start, kind in _BEGINNINGS.items():
        if head.startswith(start):
            return kind
    is_frame = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0
    if is_frame:  # MPEG audio without tags; a layer of 0 is AAC
        return "audio/mpeg" if head[1] & 0x06 else "audio/aac"
    return None


def _measure(file: Path | bytes) -> tuple[int, bytes]:
    """Give the size and the first 16 bytes."""
    if isinstance(file, bytes):
        return len(file), file[:16]
    with file.open("rb") as opened:
        return file.stat().st_size, opened.read(16)


def _mend_range(size: int) -> None:
    """Leave out a range that cannot be answered by one: the whole is sent instead.

    HTTP lets a server pass over several ranges at once, other units, and a last part that is
    longer than the whole (RFC 9110, section 14.2).
    """
    asked = _ONE_RANGE.fullmatch(request.headers.get("Range", "").strip())
    if asked is None or (asked[2] and int(asked[2]) >= size):
        request.environ.pop("HTTP_RANGE", None)


def _send(file: Path | bytes, kind: str, etag: str) -> Response:
    content = io.BytesIO(file) if isinstance(file, bytes) else file
    answer = send_file(content, kind, etag=etag, conditional=True, download_name="clip")
    return _kept_for_a_while(answer, etag)


def _kept_for_a_while(answer: Response, etag: str) -> Response:
    answer.set_etag(etag)
    answer.headers["Cache-Control"] = f"private, max-age={KEPT_S}"
    return answer
