"""What every embedder keeps to, and the clips it refuses.

A waveform is mono float32, shape=(n_samples,), at the embedder's ``sample_rate_hz``, with full
scale at 1. Embeddings are rows = clips.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml_backend.audio.reading import MAX_PEAK
from ml_backend.errors import AudioError

MIN_CLIP_S = 0.05


class Embedder(Protocol):
    """Turns clips of any length from ``MIN_CLIP_S`` on into vectors of one length.

    Attributes
    ----------
    embedder_id : str
        Changes whenever the numbers would; embeddings of two ids are never mixed.
    embedding_dim : int
        Length of an embedding.
    sample_rate_hz : int
        Rate that waveforms must have.
    warning : str or None
        What a user should know about this embedder having been chosen.
    """

    embedder_id: str
    embedding_dim: int
    sample_rate_hz: int
    warning: str | None

    def embed(self, waveforms: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Embed clips, each as if it were alone.

        Parameters
        ----------
        waveforms : sequence of ndarray, shape=(n_samples,)
            Clips at ``sample_rate_hz``, full scale at -1 and 1, each of its own length.

        Returns
        -------
        ndarray, shape=(n_clips, embedding_dim)
            One finite row per clip, in the order given.

        Raises
        ------
        AudioError
            If a clip is not one row of samples, is too short, or holds numbers that are no sound.
        """
        ...


def check_waveform(waveform: NDArray[np.float32], sample_rate_hz: int, name: str) -> None:
    """Check that a clip can be embedded; an embedder names a clip by its row.

    Parameters
    ----------
    waveform : ndarray, shape=(n_samples,), range [-1, 1] at full scale
    sample_rate_hz : int
    name : str
        What the message calls the clip.

    Raises
    ------
    AudioError
        If the clip is not one row of samples, is shorter than ``MIN_CLIP_S``, or holds NaN,
        infinity or values beyond ``MAX_PEAK``.

    Examples
    --------
    >>> check_waveform(np.zeros(10, dtype=np.float32), 1000, "a.wav")
    Traceback (most recent call last):
    ml_backend.errors.AudioError: a.wav: 0.010 s long; a clip needs 0.05 s.
    """
    if waveform.ndim != 1:
        raise AudioError(
            f"{name}: an array of shape {waveform.shape}; "
            "a clip is one row of samples. Mix its channels down first."
        )
    # to the millisecond: resampling may cost a clip of the least length its last sample
    if round(len(waveform) / sample_rate_hz, 3) < MIN_CLIP_S:
        raise AudioError(
            f"{name}: {len(waveform) / sample_rate_hz:.3f} s long; a clip needs {MIN_CLIP_S} s."
        )
    peak = float(np.max(np.abs(waveform)))
    if not peak <= MAX_PEAK:  # so that NaN is refused as well
        raise AudioError(
            f"{name}: its loudest sample is {peak:g}; samples must be finite, with full "
            "scale at 1. Remove the clip or export it again."
        )
