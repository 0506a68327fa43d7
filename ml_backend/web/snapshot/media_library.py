"""What clips sound and look like, kept in memory, each from where it is had most cheaply.

Files on disk are read from there; what Label Studio or another host serves is fetched whole, up to
``MAX_FETCHED_BYTES``, and kept for a while. What a task says of its content is not believed:
pictures are kept by where they came from, too.
"""

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from werkzeug.exceptions import ServiceUnavailable

from ml_backend.audio.reading import read_recording, waveform
from ml_backend.audio.spectrogram import render_spectrogram
from ml_backend.audio.thumbnail import shrink
from ml_backend.clip import Task
from ml_backend.errors import AudioError, LabelStudioAuthError, LabelStudioError
from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.fetch import Fetcher
from ml_backend.settings import Settings
from ml_backend.web.snapshot.byte_cache import Shelf

MAX_FETCHED_BYTES = 64 << 20
MAX_PICTURE_BYTES = 8 << 20
PATIENCE_S = 0.2
"""A request waits this long for a picture that has to be drawn; the next one finds it."""
_FETCHED_ROOM = 256 << 20
_PICTURES_ROOM = 64 << 20
_N_DRAWING = 2
_N_WAITING = 64
_PNG = b"\x89PNG\r\n\x1a\n"


class Library:
    """Gives the sounds and pictures of clips; safe to share between threads."""

    def __init__(self, settings: Settings, label_studio: LabelStudio) -> None:
        self._fetcher = Fetcher(
            label_studio, settings.files_root, settings.audio_hosts, max_bytes=MAX_FETCHED_BYTES
        )
        self._fetched = Shelf(_FETCHED_ROOM)
        self._pictures = Shelf(_PICTURES_ROOM)
        self._drawing = ThreadPoolExecutor(_N_DRAWING, thread_name_prefix="drawing")
        self._lock = threading.Lock()
        self._under_way: dict[tuple[str, str], Future[bytes]] = {}

    def file(self, address: str) -> Path | bytes:
        """Return the path of a file on disk, or the content of one that was fetched.

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
        """Return the picture that the importer prepared, or draw one."""
        return self._prepared(task) or self._drawn(task)

    def thumbnail(self, task: Task) -> bytes:
        """Return a small picture without axes."""

        def make() -> bytes:
            picture = shrink(self._prepared(task) or b"") or shrink(self._drawn(task))
            assert picture is not None, "what is drawn here can be shrunk"
            return picture

        key = ("thumbnail", task.clip_key, task.audio, spectrogram_address(task))
        return self._pictures.get(key, make)

    def _prepared(self, task: Task) -> bytes | None:
        """Return the PNG that the task names; None where it cannot be read or is no PNG."""
        address = spectrogram_address(task)
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
        """Return a picture drawn from the sound.

        Raises
        ------
        ServiceUnavailable
            If it is not ready after ``PATIENCE_S``.
        """
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


def spectrogram_address(task: Task) -> str | None:
    """Return the address of the picture that the task names, if any."""
    address = (task.data or {}).get("spectrogram")
    return address if isinstance(address, str) and address else None
