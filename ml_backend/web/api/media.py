"""What a clip sounds and looks like: its audio in ranges, its spectrogram, a thumbnail of it.

Files on disk are streamed from there; what Label Studio or another host serves is fetched whole,
up to ``MAX_FETCHED_BYTES``, and kept for a while. A task's addresses are data from strangers: they
are read as ``fetch`` and ``reach`` allow, and only what is a sound or a PNG is passed on. What a
task says of its content is not believed either: pictures are kept by where they came from, too.
"""

import io
import re
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

from flask import Flask, Response, abort, g, request, send_file
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import ServiceUnavailable

from ml_backend.audio.reading import read_recording, waveform
from ml_backend.audio.spectrogram import render_spectrogram
from ml_backend.audio.thumbnail import shrink
from ml_backend.clip import Task
from ml_backend.errors import AudioError, LabelStudioAuthError, LabelStudioError
from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.fetch import Fetcher
from ml_backend.settings import Settings
from ml_backend.store import Store
from ml_backend.web.access.file_access import Reach
from ml_backend.web.snapshot.byte_cache import Shelf

MAX_FETCHED_BYTES = 64 << 20
PATIENCE_S = 0.2
"""So long a request waits for a picture that has to be drawn; the next one finds it."""
KEPT_S = 300
"""Browsers ask again after so long, in s, and with that, whether the visitor still may see it."""
MAX_PICTURE_BYTES = 8 << 20
_FETCHED_ROOM = 256 << 20
_PICTURES_ROOM = 64 << 20
_N_DRAWING = 2
_N_WAITING = 64
_ONE_RANGE = re.compile(r"bytes=(?:(\d{1,18})-\d{0,18}|-(\d{1,18}))", re.ASCII)
_BEGINNINGS = {
    b"OggS": "audio/ogg",
    b"fLaC": "audio/flac",
    b"ID3": "audio/mpeg",
    b"\x1a\x45\xdf\xa3": "audio/webm",
}
_PNG = b"\x89PNG\r\n\x1a\n"


class Library:
    """Gives the sounds and pictures of clips, each from where it is had most cheaply."""

    def __init__(self, store: Store, fetcher: Fetcher) -> None:
        self._store = store
        self._fetcher = fetcher
        self._fetched = Shelf(_FETCHED_ROOM)
        self._pictures = Shelf(_PICTURES_ROOM)
        self._drawing = ThreadPoolExecutor(_N_DRAWING, thread_name_prefix="drawing")
        self._lock = threading.Lock()
        self._under_way: dict[tuple[str, str], Future[bytes]] = {}

    def task(self, project_id: int, task_id: int) -> Task:
        """Find a clip of a project, or answer that there is none."""
        task = self._store.clips.find(project_id, task_id)
        if task is None:
            abort(404, f"Project {project_id} has no task {task_id}, or it was not read yet.")
        return task

    def file(self, address: str) -> Path | bytes:
        """Give the file on disk, or what was fetched and is kept for a while.

        Raises
        ------
        AudioError, LabelStudioError
            As ``Fetcher.fetch``; that Label Studio refuses the backend is no fault of visitors.
        """
        try:
            path = self._fetcher.on_disk(address)
            return path or self._fetched.get(address, lambda: self._fetcher.download(address))
        except LabelStudioAuthError as error:
            said = "Label Studio refuses this clip to Earmark itself. Tell whoever runs Earmark."
            raise LabelStudioError(f"{said} {error}", plain=said) from error

    def spectrogram(self, task: Task) -> bytes:
        """Give the picture that the importer prepared, or draw one."""
        return self._prepared(task) or self._drawn(task)

    def thumbnail(self, task: Task) -> bytes:
        """Give a small picture without axes."""

        def make() -> bytes:
            picture = shrink(self._prepared(task) or b"") or shrink(self._drawn(task))
            assert picture is not None, "what is drawn here can be shrunk"
            return picture

        key = ("thumbnail", task.clip_key, task.audio, _spectrogram_address(task))
        return self._pictures.get(key, make)

    def _prepared(self, task: Task) -> bytes | None:
        """Give the PNG that the task names; None where it cannot be had, or is something else."""
        address = _spectrogram_address(task)
        if address is None:
            return None
        try:
            file = self.file(address)
        except (AudioError, LabelStudioError):
            return None
        if isinstance(file, Path):
            if file.stat().st_size > MAX_PICTURE_BYTES:
                return None
            file = file.read_bytes()
        return file if file.startswith(_PNG) else None

    def _drawn(self, task: Task) -> bytes:
        """Give a picture drawn from the sound, if it is there soon; else ask to come back."""
        key = (task.clip_key, task.audio)
        kept = self._pictures.find(("spectrogram", *key))
        if kept is not None:
            return kept
        with self._lock:
            drawing = self._under_way.get(key)
            if drawing is None and len(self._under_way) < _N_WAITING:
                drawing = self._drawing.submit(self._draw, task)
                self._under_way[key] = drawing
                drawing.add_done_callback(lambda _: self._under_way.pop(key, None))
        if drawing is not None and wait([drawing], PATIENCE_S).done:
            return drawing.result()
        raise ServiceUnavailable("The picture is being drawn; ask again.", retry_after=1)

    def _draw(self, task: Task) -> bytes:
        def draw() -> bytes:
            recording = read_recording(self.file(task.audio), name=task.audio)
            samples = waveform(recording, recording.sample_rate_hz)
            return render_spectrogram(samples, recording.sample_rate_hz)

        return self._pictures.get(("spectrogram", task.clip_key, task.audio), draw)


def register(app: Flask, store: Store, settings: Settings, label_studio: LabelStudio) -> None:
    """Add the routes of one clip's media."""
    fetcher = Fetcher(
        label_studio, settings.files_root, settings.audio_hosts, max_bytes=MAX_FETCHED_BYTES
    )
    library = Library(store, fetcher)
    reach = Reach(label_studio, settings.files_root)

    def heard(project_id: int, task_id: int) -> Task:
        """Find a task whose sound the visitor may hear."""
        task = library.task(project_id, task_id)
        reach.check(g.visitor, project_id, task.audio)
        return task

    def seen(project_id: int, task_id: int) -> Task:
        """Find a task whose sound the visitor may see, without a picture that is out of reach."""
        task = heard(project_id, task_id)
        address = _spectrogram_address(task)
        if address is None or reach.holds(g.visitor, project_id, address):
            return task
        return replace(task, data=None)

    @app.get("/projects/<int:project_id>/clips/<int:task_id>/audio")
    def clip_audio(project_id: int, task_id: int) -> ResponseReturnValue:
        task = heard(project_id, task_id)
        file = library.file(task.audio)
        size, head = _measure(file)
        kind = audio_type(head)
        if kind is None:
            abort(415, f"Task {task_id}: its audio is in no format that is passed on.")
        _mend_range(size)
        return _send(file, kind, f"{task.clip_key}-{size:x}")

    @app.get("/projects/<int:project_id>/clips/<int:task_id>/spectrogram")
    def clip_spectrogram(project_id: int, task_id: int) -> ResponseReturnValue:
        task = seen(project_id, task_id)
        return _send(library.spectrogram(task), "image/png", f"{task.clip_key}-s")

    @app.get("/projects/<int:project_id>/clips/<int:task_id>/thumbnail")
    def clip_thumbnail(project_id: int, task_id: int) -> ResponseReturnValue:
        task = seen(project_id, task_id)
        if request.if_none_match.contains(f"{task.clip_key}-t"):
            return _kept_for_a_while(Response(status=304), f"{task.clip_key}-t")
        return _send(library.thumbnail(task), "image/png", f"{task.clip_key}-t")


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


def _spectrogram_address(task: Task) -> str | None:
    address = (task.data or {}).get("spectrogram")
    return address if isinstance(address, str) and address else None


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
