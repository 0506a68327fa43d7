"""Small networks for one class against the rest: on the embedding, or on the spectrogram alone.

All have the same short training: balanced batches, AdamW with one learning-rate cycle, a fixed
number of steps. (Early stopping on held-out recordings of the labeled set was worse: it removes
some of the few sirens from training.) Spectrograms are rolled in time by a random amount in every
batch; those of the CNN are also masked and mixed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor, nn

N_MELS, N_FRAMES, RATE_HZ = 64, 32, 22_050
_HOP = 1_378  # 64 frames in 4 s, of which every two are averaged
_FLOOR_DB = -80.0
_BATCH = 32
_MASKED_BANDS = 8
_MIXING = 0.4


def log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the levels of a clip of 4 s at ``RATE_HZ`` in dB, shape=(N_MELS, N_FRAMES)."""
    import librosa

    power = librosa.feature.melspectrogram(
        y=samples, sr=RATE_HZ, n_fft=2048, hop_length=_HOP, n_mels=N_MELS
    )
    level_db = librosa.power_to_db(power, ref=1.0, top_db=None).clip(_FLOOR_DB)
    padded = np.pad(level_db, ((0, 0), (0, 2 * N_FRAMES)), constant_values=_FLOOR_DB)
    pairs = padded[:, : 2 * N_FRAMES].reshape(N_MELS, N_FRAMES, 2)
    return np.asarray(pairs.mean(axis=2), dtype=np.float32)


@dataclass(frozen=True)
class Network:
    """A network and its training."""

    make: Callable[[], "nn.Module"]
    rate: float
    n_steps: int
    is_rolled: bool = False
    is_mixed: bool = False


def networks(embedding_dim: int) -> dict[str, tuple[str, Network]]:
    """Return the networks by name, each with its input: "embedding" or "spectrogram"."""
    from torch import nn

    def on_embedding() -> nn.Module:
        return nn.Sequential(
            nn.Linear(embedding_dim, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 2)
        )

    def fully_connected() -> nn.Module:
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(N_MELS * N_FRAMES, 128), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(64, 2),
        )  # fmt: skip

    def convolutional() -> nn.Module:
        layers: list[nn.Module] = [nn.Unflatten(1, (1, N_MELS))]
        for n_in, n_out, stride in [(1, 8, 2), (8, 16, 1), (16, 32, 1)]:
            layers += [
                nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1),
                nn.BatchNorm2d(n_out),
                nn.ReLU(),
                nn.MaxPool2d(2) if n_in > 1 else nn.Identity(),
            ]
        return nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(32, 2)
        )

    return {
        "MLP on the embedding": ("embedding", Network(on_embedding, 1e-3, 200)),
        "MLP from scratch": ("spectrogram", Network(fully_connected, 1e-3, 200, is_rolled=True)),
        "CNN from scratch": (
            "spectrogram",
            Network(convolutional, 5e-3, 200, is_rolled=True, is_mixed=True),
        ),
    }


def train(
    network: Network,
    inputs: NDArray[np.float32],
    answers: NDArray[np.int64],
    train_rows: NDArray[np.int64],
    test_rows: NDArray[np.int64],
    seed: int,
) -> NDArray[np.float64]:
    """Train on some rows and predict the probabilities of others, shape=(n_test, 2).

    Parameters
    ----------
    inputs : ndarray, shape=(n_clips, ...)
        Standardized.
    answers : ndarray of int64, shape=(n_clips,)
        0 or 1; if only one of them is labeled, every probability is 0.5.
    """
    import torch

    counts = np.bincount(answers[train_rows], minlength=2)
    if not counts.all():
        return np.full((len(test_rows), 2), 0.5)
    torch.manual_seed(seed)
    model = network.make()
    rows, truth = torch.from_numpy(inputs[train_rows]), torch.from_numpy(answers[train_rows])
    share = torch.from_numpy(1.0 / counts)[truth]
    optimizer = torch.optim.AdamW(model.parameters(), lr=network.rate, weight_decay=1e-2)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, network.rate, total_steps=network.n_steps
    )
    model.train()
    for _ in range(network.n_steps):
        batch = torch.multinomial(share, _BATCH, replacement=True)
        seen = _rolled(rows[batch]) if network.is_rolled else rows[batch]
        wanted = torch.nn.functional.one_hot(truth[batch], 2).float()
        if network.is_mixed:
            seen, wanted = _mixed(_masked(seen), wanted)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(seen), wanted).backward()
        optimizer.step()
        cycle.step()
    model.eval()
    with torch.inference_mode():
        logits = model(torch.from_numpy(inputs[test_rows]))
    return np.asarray(torch.softmax(logits.double(), dim=1).numpy())


def _rolled(clips: "Tensor") -> "Tensor":
    import torch

    return torch.stack([torch.roll(clip, int(torch.randint(N_FRAMES, ())), -1) for clip in clips])


def _masked(clips: "Tensor") -> "Tensor":
    """Mask some neighboring mel bands (SpecAugment: Park et al. 2019)."""
    import torch

    first = torch.randint(N_MELS - _MASKED_BANDS, (len(clips), 1))
    bands = torch.arange(N_MELS)
    is_hidden = (bands >= first) & (bands < first + _MASKED_BANDS)  # (n_clips, N_MELS)
    return clips.masked_fill(is_hidden[:, :, None], 0.0)


def _mixed(clips: "Tensor", wanted: "Tensor") -> tuple[Any, Any]:
    """Mix every clip with another one (mixup: Zhang et al. 2018)."""
    import torch

    share = torch.distributions.Beta(_MIXING, _MIXING).sample((len(clips),))
    share = torch.maximum(share, 1 - share)
    other = torch.randperm(len(clips))
    mixed = [
        share.reshape(-1, *[1] * (one.ndim - 1)) * one
        + (1 - share).reshape(-1, *[1] * (one.ndim - 1)) * one[other]
        for one in (clips, wanted)
    ]
    return mixed[0], mixed[1]
