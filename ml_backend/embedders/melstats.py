"""Statistics of log-mel spectra: an embedder that needs no weights.

It stands in where the mn networks cannot be had, and in tests. A clip is described by groups of
statistics, each of which knows something that the others do not:

- *spectrum*: the mean log-mel spectrum, less its own mean;
- *swing*: how far each band rises above its median and falls below it;
- *cepstral spread* and *correlation*: how much each MFCC moves, and which move together [2]_;
- *modulations*: power of the log-mel spectrum by rate (per second, upward and downward sweeps
  apart) and scale (per band), in windows of 0.37, 1 and 3 s [1]_;
- *harmonics* and *tones*: how far partials stand out of the fine spectrum, by their distance and
  by their frequency, and how much that changes.

Each group is centered and scaled by two constants and weighs as much as any other, so that the
cosine between two clips means something before a project has any labels.

References
----------
.. [1] T. Chi, P. Ru, S. Shamma, "Multiresolution spectrotemporal analysis of complex sounds",
   JASA 2005.
.. [2] J. McDermott, E. Simoncelli, "Sound texture perception via statistics of the auditory
   periphery", Neuron 2011.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ml_backend.embedders.protocol import check_waveform

N_MELS = 64
N_MFCC = 24
N_CORRELATED = 16
_N_FFT, _HOP = 1024, 512
_N_FFT_FINE, _HOP_FINE = 2048, 1024
_LOWEST_HZ = 40.0
_FLOOR = 1e-8  # 80 dB below the loudest
_SILENCE = 1e-12
_WINDOWS = (16, 43, 128)  # frames
_SMOOTH = 31  # bins of 10.8 Hz over which the fine spectrum is leveled
_LIMIT = 4.0

# Center and spread of each group over the 2,460 clips of two public sets of street and everyday
# sounds (UrbanSound8K, ESC-50).
_SCALES = {
    "spectrum": (0.0, 1.72),
    "swing": (2.55, 2.49),
    "cepstral spread": (1.82, 2.21),
    "correlation": (0.0, 0.32),
    "modulations 16": (5.55, 1.04),
    "modulations 43": (6.49, 1.18),
    "modulations 128": (9.14, 1.72),
    "harmonics": (-0.74, 0.45),
    "tones": (0.6, 0.35),
}

_Floats = NDArray[np.float32]


class MelStats:
    """Statistics of log-mel spectra, their modulations and their partials.

    Examples
    --------
    >>> MelStats().embed([np.zeros(22_050, dtype=np.float32)]).shape
    (1, 679)
    """

    embedder_id = "melstats-2"
    embedding_dim = 679
    sample_rate_hz = 22_050

    def __init__(self, warning: str | None = None) -> None:
        self.warning = warning

    def embed(self, waveforms: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Embed clips at 22.05 kHz, as ``Embedder.embed`` says."""
        from threadpoolctl import threadpool_limits

        embeddings = np.empty((len(waveforms), self.embedding_dim), dtype=np.float32)
        with threadpool_limits(1):  # a clip's matrices are too small to share
            for row, waveform in enumerate(waveforms):
                check_waveform(waveform, self.sample_rate_hz, f"row {row}")
                embeddings[row] = self._embed_clip(waveform)
        return embeddings

    def _embed_clip(self, waveform: _Floats) -> _Floats:
        groups = _describe(waveform, self.sample_rate_hz)
        scaled = []
        for name, values in groups.items():
            center, spread = _SCALES[name]
            scaled.append(np.clip((values - center) / spread, -_LIMIT, _LIMIT))
        return np.concatenate([group / np.sqrt(len(group)) for group in scaled])


def _describe(waveform: _Floats, sample_rate_hz: int) -> dict[str, _Floats]:
    log_mel = _log_mel(waveform, sample_rate_hz)  # (N_MELS, n_frames)
    level = log_mel.mean()
    low, middle, high = _quantiles(log_mel, (0.05, 0.5, 0.95))
    mfcc = _cosines(log_mel)  # (N_MFCC, n_frames)
    harmonics, tones = _partials(waveform)
    return {
        "spectrum": log_mel.mean(axis=1) - level,
        "swing": np.concatenate([high - middle, middle - low]),
        "cepstral spread": mfcc.std(axis=1),
        "correlation": _correlations(mfcc[:N_CORRELATED]),
        **{f"modulations {width}": _modulations(log_mel, width) for width in _WINDOWS},
        "harmonics": np.log(_mean_and_spread(harmonics) + 1e-2),
        "tones": _mean_and_spread(tones),
    }


def _log_mel(waveform: _Floats, sample_rate_hz: int) -> _Floats:
    power = np.abs(_stft(waveform, _N_FFT, _HOP)) ** 2
    mel = _mel_filters(sample_rate_hz) @ power
    return np.asarray(np.log(mel / (mel.max() + _SILENCE) + _FLOOR))


def _stft(waveform: _Floats, n_fft: int, hop: int) -> NDArray[np.complex64]:
    from scipy.fft import rfft

    padded = np.pad(waveform, n_fft // 2, mode="reflect" if len(waveform) > n_fft // 2 else "edge")
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    return np.asarray(rfft(frames * _window(n_fft), axis=1)).T  # (n_fft // 2 + 1, n_frames)


@cache
def _window(n: int) -> _Floats:
    from scipy.signal.windows import hann

    return hann(n, sym=False).astype(np.float32)


@cache
def _mel_filters(sample_rate_hz: int) -> _Floats:
    from librosa import filters

    return np.asarray(filters.mel(sr=sample_rate_hz, n_fft=_N_FFT, n_mels=N_MELS, fmin=_LOWEST_HZ))


def _quantiles(rows: _Floats, shares: Sequence[float]) -> list[_Floats]:
    ordered = np.sort(rows, axis=1)
    return [ordered[:, round(share * (rows.shape[1] - 1))] for share in shares]


def _cosines(log_mel: _Floats) -> _Floats:
    from scipy.fft import dct

    return np.asarray(dct(log_mel, axis=0, norm="ortho")[:N_MFCC])


def _correlations(rows: _Floats) -> _Floats:
    """Correlate rows with each other; of a row that never moves with any, 0."""
    centered = rows - rows.mean(axis=1, keepdims=True)
    centered /= np.sqrt((centered**2).sum(axis=1, keepdims=True)) + 1e-3
    return np.asarray((centered @ centered.T)[np.triu_indices(len(rows), 1)])


def _modulations(log_mel: _Floats, width: int) -> _Floats:
    """Return the log of the mean power of modulations, by octaves of scale and of signed rate."""
    from scipy.fft import fft, rfft

    n_missing = max(width - log_mel.shape[1], 0)
    padded = np.pad(log_mel, ((0, 0), (0, n_missing)), mode="edge")
    views = np.lib.stride_tricks.sliding_window_view(padded, width, axis=1)[:, :: width // 2]
    patches = views.transpose(1, 0, 2)  # (n_windows, N_MELS, width)
    patches = (patches - patches.mean(axis=(1, 2), keepdims=True)) * _taper(width)
    power = (np.abs(fft(rfft(patches, axis=1), axis=2)) ** 2).mean(axis=0)
    rates = np.fft.fftfreq(width, 1 / width)
    pooled = _octaves(np.arange(len(power))) @ power @ _octaves(rates).T
    return np.asarray(np.log(pooled + 1e-2)).ravel()


@cache
def _taper(width: int) -> _Floats:
    return np.outer(np.hanning(N_MELS), np.hanning(width)).astype(np.float32)


def _octaves(numbers: NDArray[np.number]) -> _Floats:
    """Return the matrix that takes means over 0, 1, 2-3, 4-7, ... and the same below 0."""
    size = np.abs(numbers).astype(np.int64)
    octave = np.sign(numbers) * np.ceil(np.log2(size + 1))
    belongs = octave == np.unique(octave)[:, None]
    return np.asarray(belongs / belongs.sum(axis=1, keepdims=True), dtype=np.float32)


def _partials(waveform: _Floats) -> tuple[_Floats, _Floats]:
    """Measure what stands out of the fine spectrum: by distance of partials, and by frequency.

    Both have shape=(n_bands, n_frames); bands are of equal width in log frequency.
    """
    from scipy.fft import dct
    from scipy.ndimage import uniform_filter1d

    magnitude = np.abs(_stft(waveform, _N_FFT_FINE, _HOP_FINE))
    fine = np.log(magnitude + 1e-5 * magnitude.max() + _SILENCE)
    peaks = np.maximum(fine - uniform_filter1d(fine, _SMOOTH, axis=0), 0.0)
    combs = np.abs(dct(peaks, axis=0, norm="ortho"))
    return _highest(combs, 6, 400, 24), _highest(peaks, 6, 1000, 32)


def _highest(rows: _Floats, first: int, last: int, n_bands: int) -> _Floats:
    edges = np.geomspace(first, last, n_bands + 1).round().astype(np.int64)
    return np.maximum.reduceat(rows[: edges[-1]], np.unique(edges)[:-1], axis=0)


def _mean_and_spread(rows: _Floats) -> _Floats:
    return np.concatenate([rows.mean(axis=1), rows.std(axis=1)])
