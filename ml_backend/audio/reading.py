"""Hear: from a file or its bytes to float32 samples in the range [-1, 1].

libsndfile reads WAV, FLAC, OGG, MP3 and AIFF; FFmpeg (PyAV) reads what it cannot, such as M4A.
A recording that is opened once can be read piece by piece, and one read never holds more than
``MAX_RECORDING_S`` or ``MAX_VALUES``, whatever a header claims.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ml_backend.errors import AudioError

MAX_RECORDING_S = 600.0
MAX_VALUES = 120_000_000  # ten minutes of stereo at 96 kHz, 480 MB as float32
MAX_PEAK = 1e6  # float files in 16-bit counts still pass; beyond it the power leaves float32
NO_AUDIO = (
    "is no audio that can be read (WAV, FLAC, OGG, MP3, AIFF, M4A and others can). "
    "Convert it or remove it."
)
TRUNCATED_S = 0.1  # lossy decoders may end a frame or two before the header says
# A lossy decoder needs some frames before the first one asked for to get that one right.
PREROLL_S, PREROLL_SAMPLES = 0.5, 8192

# Playlist formats could make FFmpeg open other files and addresses.
RAW_FORMATS = frozenset({"aac", "ac3", "eac3"})  # FFmpeg guesses their length from the bit rate
FFMPEG_OPTIONS = {
    "format_whitelist": "mov,matroska,aac,ac3,eac3,amr,amrnb,amrwb,asf,avi,caf,flac,flv,mp3,"
    "mpeg,mpegts,ogg,wav,w64,aiff,au,ape,wv,tta,tak,dsf,mpc,mpc8",
    "protocol_whitelist": "file",
}


@dataclass(frozen=True)
class Recording:
    """Sound as it came: ``samples`` (n_samples, n_channels) float32, its own sample rate."""

    samples: NDArray[np.float32]
    sample_rate_hz: int

    @property
    def duration_s(self) -> float:
        """Give the length in s."""
        return len(self.samples) / self.sample_rate_hz


class RecordingFile(Protocol):
    """A recording that is open; ``duration_s`` is None where its header does not say."""

    name: str
    sample_rate_hz: int
    n_channels: int
    duration_s: float | None

    def read(self, onset_s: float, duration_s: float | None) -> NDArray[np.float32]:
        """Read (n_samples, n_channels) from ``onset_s`` on; fewer at the recording's end."""


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
    _check_length(file, wanted_s)
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
    """Mix a recording down to one channel, the mean, at a sample rate.

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
    """Tell how long a recording is, in s, from its header where that says.

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
            opened: _Libsndfile | _Ffmpeg = _Libsndfile(source, name)
        except (soundfile.LibsndfileError, ValueError):
            opened = _Ffmpeg(source, name)
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


def _check_length(file: RecordingFile, wanted_s: float | None) -> None:
    if wanted_s is None:
        return
    if wanted_s > MAX_RECORDING_S:
        raise AudioError(
            f"{file.name}: {_spoken(wanted_s)} are too long for one clip, "
            f"{_spoken(MAX_RECORDING_S)} are the most. "
            "Cut it into windows, for example with --window 4."
        )
    if wanted_s * file.sample_rate_hz * file.n_channels > MAX_VALUES:
        raise AudioError(
            f"{file.name}: {file.n_channels} channels at {file.sample_rate_hz} Hz are too much to "
            f"read {_spoken(wanted_s)} at once. Cut it into windows, for example with --window 4."
        )


def _spoken(duration_s: float) -> str:
    if duration_s >= 3600:
        return f"{duration_s / 3600:.1f} h"
    return f"{duration_s / 60:.0f} min" if duration_s >= 60 else f"{duration_s:.2f} s"


class _Libsndfile:
    def __init__(self, source: Path | bytes, name: str) -> None:
        self._file = soundfile.SoundFile(
            io.BytesIO(source) if isinstance(source, bytes) else source
        )
        if self._file.frames > 2**60:  # the header does not say: let FFmpeg find out
            self._file.close()
            raise ValueError("unknown length")
        self.name = name
        self.sample_rate_hz: int = self._file.samplerate
        self.n_channels: int = self._file.channels
        self.duration_s: float | None = self._file.frames / self._file.samplerate

    def read(self, onset_s: float, duration_s: float | None) -> NDArray[np.float32]:
        first = min(round(onset_s * self.sample_rate_hz), self._file.frames)
        n_samples = self._file.frames - first
        if duration_s is not None:
            n_samples = min(round(duration_s * self.sample_rate_hz), n_samples)
        n_before = 0
        try:
            if first != self._file.tell():
                n_before = min(first, PREROLL_SAMPLES)
                self._file.seek(first - n_before)
            samples: NDArray[np.float32] = self._file.read(
                n_before + n_samples, dtype="float32", always_2d=True
            )
        except soundfile.LibsndfileError as error:
            raise AudioError(f"{self.name}: is damaged: {error.error_string}") from None
        return samples[n_before:]

    def close(self) -> None:
        self._file.close()


class _Ffmpeg:
    def __init__(self, source: Path | bytes, name: str) -> None:
        import av

        self.name = name
        self._file = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
        try:
            self._container: Any = av.open(
                self._file, options=FFMPEG_OPTIONS, metadata_errors="replace"
            )
        except BaseException:
            self._file.close()
            raise
        try:
            self._stream: Any = self._container.streams.audio[0]
            self.sample_rate_hz: int = self._stream.rate
            self.n_channels: int = self._stream.channels
            self.duration_s = self._header_duration_s()
        except BaseException:
            self.close()
            raise

    def _header_duration_s(self) -> float | None:
        if self._container.format.name in RAW_FORMATS:
            packets = self._container.demux(self._stream)
            return float(sum(p.duration or 0 for p in packets) * self._stream.time_base)
        if self._stream.duration:
            return float(self._stream.duration * self._stream.time_base)
        duration_us = self._container.duration
        return duration_us / 1e6 if duration_us else None

    def read(self, onset_s: float, duration_s: float | None) -> NDArray[np.float32]:
        import av

        limit_s = MAX_RECORDING_S if duration_s is None else duration_s
        first = round(onset_s * self.sample_rate_hz)
        n_wanted = round(limit_s * self.sample_rate_hz)
        blocks: list[NDArray[np.float32]] = []
        n_got = 0
        try:
            for start, block in self._blocks(onset_s):
                piece = block[max(first - start, 0) : max(first + n_wanted - start, 0)]
                n_got += len(piece)
                if n_got * block.shape[1] > MAX_VALUES:  # whatever the header said before
                    raise AudioError(
                        f"{self.name}: holds more than {MAX_VALUES} values in "
                        f"{_spoken(n_got / self.sample_rate_hz)} ({block.shape[1]} channels at "
                        f"{self.sample_rate_hz} Hz), too many to read at once. "
                        "Cut it into windows, for example with --window 4."
                    )
                blocks.append(piece)
                if start + len(block) >= first + n_wanted:
                    break
        except (av.FFmpegError, ValueError):
            if not n_got:
                raise
        if duration_s is None and n_got == n_wanted:
            _check_length(self, MAX_RECORDING_S + 1)
        return np.concatenate(blocks) if blocks else np.zeros((0, self.n_channels), np.float32)

    def _blocks(self, onset_s: float) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Decode (first sample's number, samples) from a little before the onset on."""
        import av

        self._container.seek(max(int((onset_s - PREROLL_S) * 1e6), 0))
        # Packed into one plane: PyAV ends the process where a frame has 8 planes, or 10, or 16.
        resampler = av.AudioResampler(format="flt", rate=self.sample_rate_hz)
        origin_s = float((self._stream.start_time or 0) * self._stream.time_base)
        position: int | None = None
        for decoded in self._container.decode(self._stream):
            for frame in resampler.resample(decoded):
                packed = np.asarray(frame.to_ndarray(), dtype=np.float32)
                block = packed.reshape(-1, frame.layout.nb_channels)
                if position is None:
                    position = round(((decoded.time or 0.0) - origin_s) * self.sample_rate_hz)
                yield position, block
                position += len(block)

    def close(self) -> None:
        self._container.close()
        self._file.close()
