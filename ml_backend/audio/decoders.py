"""Decode: libsndfile, and FFmpeg for what it cannot read.

One read never holds more than ``MAX_RECORDING_S`` or ``MAX_VALUES``, whatever a header claims.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from ml_backend.errors import AudioError

MAX_RECORDING_S = 600.0
MAX_VALUES = 120_000_000  # ten minutes of stereo at 96 kHz, 480 MB as float32
# A lossy decoder needs some frames before the first one asked for to get that one right.
PREROLL_S, PREROLL_SAMPLES = 0.5, 8192

# Playlist formats could make FFmpeg open other files and addresses.
RAW_FORMATS = frozenset({"aac", "ac3", "eac3"})  # FFmpeg guesses their length from the bit rate
FFMPEG_OPTIONS = {
    "format_whitelist": "mov,matroska,aac,ac3,eac3,amr,amrnb,amrwb,asf,avi,caf,flac,flv,mp3,"
    "mpeg,mpegts,ogg,wav,w64,aiff,au,ape,wv,tta,tak,dsf,mpc,mpc8",
    "protocol_whitelist": "file",
}


class RecordingFile(Protocol):
    """A recording that is open; ``duration_s`` is None where its header does not say."""

    name: str
    sample_rate_hz: int
    n_channels: int
    duration_s: float | None

    def read(self, onset_s: float, duration_s: float | None) -> NDArray[np.float32]:
        """Read (n_samples, n_channels) from ``onset_s`` on; fewer at the recording's end."""


def check_length(file: RecordingFile, wanted_s: float | None) -> None:
    """Check that so much of a recording may be read at once.

    Raises
    ------
    AudioError
        If it is longer than ``MAX_RECORDING_S`` or more than ``MAX_VALUES`` values.
    """
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


class Libsndfile:
    """A recording that libsndfile reads: WAV, FLAC, OGG, MP3 and AIFF."""

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
        """Read (n_samples, n_channels) from ``onset_s`` on."""
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
        """Close the file."""
        self._file.close()


class Ffmpeg:
    """A recording that FFmpeg (PyAV) reads: what libsndfile cannot, such as M4A."""

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
        """Read (n_samples, n_channels) from ``onset_s`` on."""
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
            check_length(self, MAX_RECORDING_S + 1)
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
        """Close the file."""
        self._container.close()
        self._file.close()
