"""Prepare: from a clip to audio that every browser plays exactly, and its spectrogram.

A prepared clip is PCM16 WAV with at most two channels at 8 to 96 kHz, named by the hash of its
bytes: ``clips/<first two digits>/<hash>.wav`` with ``<hash>.png`` beside it. Both are written
elsewhere and renamed into place, so a file that is there is whole. What is 16-bit audio within
these bounds already keeps every sample.
"""

import io
import os
import time
import wave
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from importer.scan import Clip, Refusal, reason_of
from ml_backend.audio.decoders import RecordingFile
from ml_backend.audio.reading import Recording, open_recording, read_piece, waveform
from ml_backend.audio.spectrogram import render_spectrogram
from ml_backend.clip import content_hash
from ml_backend.errors import AudioError, SettingsError

MIN_CLIP_S = 0.05
LOWEST_RATE_HZ, HIGHEST_RATE_HZ, BROWSER_RATE_HZ = 8_000, 96_000, 48_000
STALE_S = 3600.0  # unfinished files older than this belong to no running import


@dataclass(frozen=True)
class PreparedClip:
    """A clip whose audio and spectrogram lie in the files folder."""

    clip: Clip
    content_hash: str
    duration_s: float


def prepare_clips(clips: Sequence[Clip], files_dir: Path) -> list[PreparedClip | Refusal]:
    """Prepare clips, one answer per clip, in order; windows of one recording open it once."""
    answers: list[PreparedClip | Refusal] = []
    start = 0
    while start < len(clips):
        stop = start + 1
        while stop < len(clips) and clips[stop].path == clips[start].path:
            stop += 1
        answers += _prepare_recording(clips[start:stop], files_dir)
        start = stop
    return answers


def prepare_clip(clip: Clip, recording: RecordingFile, files_dir: Path) -> PreparedClip:
    """Read, check, and write one clip of an open recording.

    Raises
    ------
    AudioError
        If it cannot be read, is shorter than ``MIN_CLIP_S``, or silent.
    SettingsError
        If what was made of it cannot be written.
    """
    piece = read_piece(recording, clip.onset_s, clip.duration_s)
    if piece.duration_s < MIN_CLIP_S - 1e-9:
        raise AudioError(
            f"{clip.path}: is {piece.duration_s:.3f} s long; a clip needs {MIN_CLIP_S} s. "
            "Remove it or record it again."
        )
    playable = make_playable(piece)
    pcm = to_pcm16(playable.samples)  # (n_samples, n_channels)
    if not np.any(pcm):
        raise AudioError(
            f"{clip.path}: is silent: every sample is 0. Check the recorder, or leave it out."
        )
    audio = wav_bytes(pcm, playable.sample_rate_hz)
    name = content_hash(audio)
    if not is_prepared(files_dir, name):
        rate_hz = playable.sample_rate_hz
        spectrogram = render_spectrogram(waveform(playable, rate_hz), rate_hz)
        _write(spectrogram_path(files_dir, name), spectrogram, files_dir)
        _write(audio_path(files_dir, name), audio, files_dir)
    return PreparedClip(clip, name, round(len(pcm) / playable.sample_rate_hz, 6))


def audio_path(files_dir: Path, name: str) -> Path:
    """Return where the prepared audio with this content hash lies."""
    return files_dir / "clips" / name[:2] / f"{name}.wav"


def spectrogram_path(files_dir: Path, name: str) -> Path:
    """Return where its spectrogram lies."""
    return files_dir / "clips" / name[:2] / f"{name}.png"


def is_prepared(files_dir: Path, name: str) -> bool:
    """Check whether both files of a clip are there."""
    return audio_path(files_dir, name).is_file() and spectrogram_path(files_dir, name).is_file()


def remove_unfinished(files_dir: Path) -> None:
    """Remove what a killed import left half written."""
    for path in (files_dir / ".unfinished").glob("*"):
        if time.time() - path.stat().st_mtime > STALE_S:
            path.unlink(missing_ok=True)


def make_playable(recording: Recording) -> Recording:
    """Keep what browsers play; mix more than two channels to one, resample other rates.

    Examples
    --------
    >>> make_playable(Recording(np.ones((192000, 4), np.float32), 192000)).samples.shape
    (48000, 1)
    """
    samples, rate_hz = recording.samples, recording.sample_rate_hz
    if samples.shape[1] > 2:
        samples = samples.mean(axis=1, keepdims=True, dtype=np.float32)
    if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
        samples = np.asarray(soxr.resample(samples, rate_hz, BROWSER_RATE_HZ), np.float32)
        rate_hz = BROWSER_RATE_HZ
    return Recording(samples, rate_hz)


def to_pcm16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Round samples to 16 bits; where they go beyond full scale, all are scaled down to it.

    Examples
    --------
    >>> to_pcm16(np.array([[0.5], [-2.0]], dtype=np.float32)).ravel().tolist()
    [8192, -32768]
    """
    peak = max(float(np.abs(samples).max(initial=0)), 1.0)
    scaled = np.rint(samples * np.float32(32768 / peak)).clip(-32768, 32767)
    return np.asarray(scaled, dtype="<i2")


def wav_bytes(pcm: NDArray[np.int16], sample_rate_hz: int) -> bytes:
    """Write (n_samples, n_channels) 16-bit samples as a WAV file, the same bytes every time."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(pcm.shape[1])
        writer.setsampwidth(2)
        writer.setframerate(sample_rate_hz)
        writer.writeframes(pcm.tobytes())
    return file.getvalue()


def _prepare_recording(clips: Sequence[Clip], files_dir: Path) -> Iterator[PreparedClip | Refusal]:
    n_done = 0
    try:
        with open_recording(clips[0].path) as recording:
            for clip in clips:
                answer: PreparedClip | Refusal
                try:
                    answer = prepare_clip(clip, recording, files_dir)
                except SettingsError:
                    raise
                except Exception as error:  # of whatever library: it is about this clip alone
                    answer = refusal(clip, error)
                n_done += 1
                yield answer
    except AudioError as error:
        yield from (refusal(clip, error) for clip in clips[n_done:])


def refusal(clip: Clip, error: Exception) -> Refusal:
    """Return the refusal of a clip, with its reason."""
    if isinstance(error, AudioError):
        return Refusal(clip.file + clip.span, reason_of(error, clip.path))
    kind = type(error).__name__
    return Refusal(clip.file + clip.span, f"cannot be prepared ({kind}). Convert it or remove it.")


def _write(path: Path, content: bytes, files_dir: Path) -> None:
    unfinished = files_dir / ".unfinished" / f"{os.getpid()}-{path.name}"
    try:
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(content)
        os.replace(unfinished, path)  # noqa: PTH105
    except OSError as error:  # a full disk is no clip's fault
        with suppress(OSError):
            unfinished.unlink()
        raise SettingsError(
            f"{files_dir}: prepared clips cannot be written there ({error.strerror}). "
            "Make room, or name another folder (EARMARK_FILES_ROOT, EARMARK_DATA)."
        ) from None
