"""Read: from a file or its bytes to float32 samples in the range [-1, 1].

A recording that is opened once can be read piece by piece.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ml_backend.audio.decoders import Ffmpeg, Libsndfile, RecordingFile, check_length
from ml_backend.errors import AudioError

MAX_PEAK = 1e6  # float files in 16-bit counts still pass; beyond it the power leaves float32
NO_AUDIO = (
    "is no audio that can be read (WAV, FLAC, OGG, MP3, AIFF, M4A and others can). "
    "Convert it or remove it."
)
TRUNCATED_S = 0.1  # lossy decoders may end a frame or two before the header says


@dataclass(frozen=True)
class Recording:
    """Sound as it came: ``samples`` (n_samples, n_channels) float32, its own sample rate."""

    samples: NDArray[np.float32]
    sample_rate_hz: int

    @property
    def duration_s(self) -> float:
        """Length in s."""
        return len(self.samples) / self.sample_rate_hz


def read_recording(
    source: Path | bytes,
    *,
    name: str | None = None,
    onset_s: float = 0.0,
    duration_s: float | None = None,
) -> Recording:
    """Read a recording, or a piece of it.

    Parameters
    ----------
    source : Path or bytes
        The file, or what is in it.
    name : str, optional
        What to call it in messages; the path unless given.
    onset_s, duration_s : float
        The piece to read, in s; all of it unless given.

    Returns
    -------
    Recording
        ``samples`` of shape (n_samples, n_channels), full scale at -1 and 1.

    Raises
    ------
    AudioError
        If it is missing, empty, no audio, damaged, ends before ``onset_s``, or is too long.

    Examples
    --------
    >>> import io, soundfile
    >>> file = io.BytesIO()
    >>> soundfile.write(file, np.zeros((8000, 2)), 16000, format="WAV")
    >>> read_recording(file.getvalue(), onset_s=0.25).samples.shape
    (4000, 2)
    """
    with open_recording(source, name=name) as file:
        return read_piece(file, onset_s, duration_s)


def read_piece(
    file: RecordingFile, onset_s: float = 0.0, duration_s: float | None = None
) -> Recording:
    """Read a piece of an open recording; pieces in order of time are read fastest.

    Parameters
    ----------
    file : RecordingFile
    onset_s, duration_s : float
        The piece to read, in s; all of it unless given.

    Raises
    ------
    AudioError
        As ``read_recording``.
    """
    rest_s = None if file.duration_s is None else file.duration_s - onset_s
    if rest_s is not None and rest_s <= 0 and onset_s > 0:
        raise AudioError(
            f"{file.name}: asked for sound from {onset_s:g} s on, "
            f"but it is only {file.duration_s:.2f} s long."
        )
    wanted_s = min((s for s in (duration_s, rest_s) if s is not None), default=None)
    check_length(file, wanted_s)
    with _blamed_on(file.name, "is damaged: its sound cannot be decoded. Copy it again."):
        samples = file.read(onset_s, wanted_s if duration_s is None else duration_s)
    got_s = len(samples) / file.sample_rate_hz
    if not len(samples):
        raise AudioError(f"{file.name}: holds no sound. Remove it or record it again.")
    if wanted_s is not None and got_s < wanted_s - TRUNCATED_S:
        raise AudioError(
            f"{file.name}: is cut off or damaged: its header promises {wanted_s:.2f} s "
            f"from {onset_s:g} s on, and {got_s:.2f} s can be read. Copy it again."
        )
    peak = float(np.abs(samples).max())
    if not peak <= MAX_PEAK:  # so that NaN is refused as well
        raise AudioError(
            f"{file.name}: its loudest sample is {peak:g}; samples must be finite numbers, with "
            "full scale at 1. Export it again."
        )
    return Recording(samples, file.sample_rate_hz)


def waveform(recording: Recording, sample_rate_hz: int) -> NDArray[np.float32]:
    """Mix a recording down to one channel, the mean of all, and resample it.

    Parameters
    ----------
    recording : Recording
    sample_rate_hz : int
        The sample rate wanted.

    Returns
    -------
    ndarray, shape=(n_samples,)
        Finite float32 samples, ``round(duration_s * sample_rate_hz)`` of them, give or take one.

    Examples
    --------
    >>> stereo = np.column_stack([np.ones(48000), np.zeros(48000)]).astype(np.float32)
    >>> waveform(Recording(stereo, 48000), 32000).shape
    (32000,)
    """
    mono: NDArray[np.float32] = recording.samples.mean(axis=1, dtype=np.float32)  # (n_samples,)
    if recording.sample_rate_hz == sample_rate_hz:
        return mono
    resampled = soxr.resample(mono, recording.sample_rate_hz, sample_rate_hz)
    return np.asarray(resampled, dtype=np.float32)


def duration_of(path: Path) -> float:
    """Return the length of a recording in s, from its header where that says.

    Raises
    ------
    AudioError
        If it is missing, empty or no audio.
    """
    with open_recording(path) as file:
        if file.duration_s is None:
            return len(read_piece(file).samples) / file.sample_rate_hz
        return file.duration_s


@contextmanager
def open_recording(source: Path | bytes, *, name: str | None = None) -> Iterator[RecordingFile]:
    """Open a recording to read several pieces of it.

    Raises
    ------
    AudioError
        If it is missing, empty or no audio.
    """
    name = name or (str(source) if isinstance(source, Path) else "the recording")
    _check_there(source, name)
    with _blamed_on(name, NO_AUDIO):
        try:
            opened: Libsndfile | Ffmpeg = Libsndfile(source, name)
        except (soundfile.LibsndfileError, ValueError):
            opened = Ffmpeg(source, name)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def _blamed_on(name: str, reason: str) -> Iterator[None]:
    """Turn whatever a decoder raises into the file's own fault; decoders fail in many ways."""
    try:
        yield
    except AudioError:
        raise
    except Exception as error:
        raise AudioError(f"{name}: {reason}") from error


def _check_there(source: Path | bytes, name: str) -> None:
    if isinstance(source, bytes):
        n_bytes = len(source)
    else:
        try:
            if not source.is_file():
                raise AudioError(f"{name}: there is no such file.")
            n_bytes = source.stat().st_size
            source.open("rb").close()
        except OSError as error:
            raise AudioError(f"{name}: cannot be opened: {error.strerror}.") from None
    if n_bytes == 0:
        raise AudioError(f"{name}: is empty (0 bytes). Remove it or record it again.")
