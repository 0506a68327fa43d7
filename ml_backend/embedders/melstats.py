"""Statistics of log-mel bands and MFCCs: an embedder that needs no weights.

It tells sounds apart by color and movement only; it stands in where the mn networks cannot be
had, and in tests.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml_backend.embedders.protocol import check_waveform

N_FFT = 1024
HOP = 512
N_MELS = 40
N_MFCC = 20
FLOOR = 1e-6  # power of a mel band in what counts as silence


class MelStats:
    """Mean, spread and percentiles of 40 log-mel bands, spread and change of 20 MFCCs.

    Means of MFCCs would say nothing new: they are sums of the log-mel means.

    Examples
    --------
    >>> MelStats().embed([np.zeros(22_050, dtype=np.float32)]).shape
    (1, 240)
    """

    embedder_id = "melstats-1"
    embedding_dim = 5 * N_MELS + 2 * N_MFCC
    sample_rate_hz = 22_050

    def __init__(self, warning: str | None = None) -> None:
        self.warning = warning

    def embed(self, waveforms: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Embed clips at 22.05 kHz, as ``Embedder.embed`` says."""
        embeddings = np.empty((len(waveforms), self.embedding_dim), dtype=np.float32)
        for row, waveform in enumerate(waveforms):
            check_waveform(waveform, self.sample_rate_hz, f"row {row}")
            embeddings[row] = self._embed_clip(waveform)
        return embeddings

    def _embed_clip(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        from librosa import feature

        mel = feature.melspectrogram(
            y=waveform,
            sr=self.sample_rate_hz,
            n_fft=N_FFT,
            hop_length=HOP,
            n_mels=N_MELS,
            pad_mode="reflect",
        )  # (N_MELS, n_frames)
        log_mel = np.log(mel + FLOOR)
        mfcc = feature.mfcc(S=log_mel, n_mfcc=N_MFCC)
        statistics: NDArray[np.float32] = np.concatenate(
            [
                log_mel.mean(axis=1),
                log_mel.std(axis=1),
                *np.percentile(log_mel, [10, 50, 90], axis=1),
                mfcc.std(axis=1),
                feature.delta(mfcc, mode="nearest").std(axis=1),
            ]
        )
        return statistics
