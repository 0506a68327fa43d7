"""The network of EfficientAT (MobileNetV3 for sound) and its front end, in torch.

Importing this module imports torch: import it inside the function that needs it. Waveforms are
mono at ``SAMPLE_RATE_HZ`` in [-1, 1]; a batch holds clips of one length, rows = clips. Module
names follow the official state dicts, so they load strictly.

References
----------
F. Schmid, K. Koutini, G. Widmer, "Efficient Large-Scale Audio Tagging via Transformer-to-CNN
Knowledge Distillation", ICASSP 2023. A. Howard et al., "Searching for MobileNetV3", ICCV 2019,
table 1 (Large).
"""

import pickle
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml_backend.embedders.front_end import HOP, N_FFT, PRE_EMPHASIS, SAMPLE_RATE_HZ, WINDOW
from ml_backend.embedders.head import Head
from ml_backend.errors import WeightsError

WIDTHS = {"mn04": 0.4, "mn10": 1.0, "mn20": 2.0, "mn40": 4.0}
N_MELS = 128
N_AUDIOSET_CLASSES = 527

# in, kernel, expanded, out, squeeze-excite, hardswish (else ReLU), stride
_BLOCKS = (
    (16, 3, 16, 16, False, False, 1),
    (16, 3, 64, 24, False, False, 2),
    (24, 3, 72, 24, False, False, 1),
    (24, 5, 72, 40, True, False, 2),
    (40, 5, 120, 40, True, False, 1),
    (40, 5, 120, 40, True, False, 1),
    (40, 3, 240, 80, False, True, 2),
    (80, 3, 200, 80, False, True, 1),
    (80, 3, 184, 80, False, True, 1),
    (80, 3, 184, 80, False, True, 1),
    (80, 3, 480, 112, True, True, 1),
    (112, 3, 672, 112, True, True, 1),
    (112, 5, 672, 160, True, True, 2),
    (160, 5, 960, 160, True, True, 1),
    (160, 5, 960, 160, True, True, 1),
)


def mel_bank() -> Tensor:
    """Return Kaldi's mel filters from 0 to 15 kHz, shape=(N_MELS, N_BINS)."""
    from torchaudio.compliance.kaldi import get_mel_banks

    # vtln_low and vtln_high say nothing at warp factor 1
    bank, _ = get_mel_banks(N_MELS, N_FFT, SAMPLE_RATE_HZ, 0.0, 15_000.0, 100.0, -500.0, 1.0)
    return functional.pad(cast(Tensor, bank), (0, 1))  # Kaldi leaves out the Nyquist bin


def power_spectrogram(waveforms: Tensor) -> Tensor:
    """Turn waveforms, shape=(n_clips, n_samples), into power, shape=(n_clips, n_frames, n_bins)."""
    emphasized = waveforms[:, 1:] - PRE_EMPHASIS * waveforms[:, :-1]
    window = torch.hann_window(WINDOW, periodic=False, device=waveforms.device)
    spectrum = torch.stft(
        emphasized, N_FFT, HOP, WINDOW, window, center=True, return_complex=True
    )  # (n_clips, n_bins, n_frames)
    return (spectrum.real**2 + spectrum.imag**2).transpose(1, 2)


def log_mel(power: Tensor, bank: Tensor) -> Tensor:
    """Turn power into the network's input, shape=(n_clips, 1, N_MELS, n_frames)."""
    mel = power @ bank.T  # (n_clips, n_frames, N_MELS)
    return (((mel + 1e-5).log() + 4.5) / 5.0).transpose(1, 2).unsqueeze(1)


class MobileNet(nn.Module):
    """MobileNetV3-Large for one input channel; ``width`` multiplies every channel count.

    Examples
    --------
    >>> network = MobileNet(0.4).eval()
    >>> network.embed(torch.zeros(2, 1, 128, 100)).shape
    torch.Size([2, 384])
    """

    def __init__(self, width: float) -> None:
        super().__init__()
        first, last = _channels(16 * width), _channels(160 * width)
        self.features = nn.Sequential(
            _convolution(1, first, 3, nn.Hardswish, stride=2),
            *(_Block(width, *block) for block in _BLOCKS),
            _convolution(last, 6 * last, 1, nn.Hardswish),
        )
        inner = _channels(1280 * width)
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(6 * last, inner),
            nn.Hardswish(),
            nn.Dropout(0.2),
            nn.Linear(inner, N_AUDIOSET_CLASSES),
        )

    def embed(self, log_mel: Tensor) -> Tensor:
        """Average the last map over frequency and time, shape=(n_clips, embedding_dim)."""
        return cast(Tensor, self.classifier[:2](self.features(log_mel)))

    def forward(self, log_mel: Tensor) -> Tensor:
        """Return AudioSet logits, shape=(n_clips, N_AUDIOSET_CLASSES)."""
        return cast(Tensor, self.classifier[2:](self.embed(log_mel)))

    def head(self) -> Head:
        """Copy out what turns embeddings into logits."""
        layers = self.classifier[2], self.classifier[5]
        return Head(*(part.detach().numpy() for layer in layers for part in layer.parameters()))


class FromPower(nn.Module):
    """Mel bands and network in one: power spectrogram in, embedding and log-mel out."""

    def __init__(self, network: MobileNet) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("bank", mel_bank())

    def forward(self, power: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embeddings and the log-mel that the network read."""
        bands = log_mel(power, cast(Tensor, self.bank))
        return self.network.embed(bands), bands


def load_network(name: str, path: Path) -> MobileNet:
    """Build a network of ``WIDTHS`` with the weights of an official state dict.

    Raises
    ------
    WeightsError
        If the file is no state dict, or one of another network.
    """
    network = MobileNet(WIDTHS[name])
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except (RuntimeError, ValueError, TypeError, KeyError, EOFError, pickle.PickleError) as error:
        reason = str(error).partition("\n")[0] or "it ends too early"
        raise WeightsError(
            f"{path}: these are no weights of {name}, or they are damaged ({reason}). "
            "Check EARMARK_EMBEDDER and EARMARK_WEIGHTS, or delete it to have it fetched again."
        ) from error
    return network.eval()


class _Block(nn.Module):
    """Inverted residual: expand, look around, weigh the channels, project."""

    def __init__(
        self,
        width: float,
        n_in: int,
        kernel: int,
        n_expanded: int,
        n_out: int,
        squeeze_excite: bool,
        hardswish: bool,
        stride: int,
    ) -> None:
        super().__init__()
        n_in, n_expanded, n_out = (_channels(n * width) for n in (n_in, n_expanded, n_out))
        activation = nn.Hardswish if hardswish else nn.ReLU
        steps: list[nn.Module] = []
        if n_expanded != n_in:
            steps.append(_convolution(n_in, n_expanded, 1, activation))
        steps.append(
            _convolution(
                n_expanded, n_expanded, kernel, activation, stride=stride, groups=n_expanded
            )
        )
        if squeeze_excite:
            steps.append(_ConcurrentSqueezeExcite(n_expanded))
        steps.append(_convolution(n_expanded, n_out, 1, None))
        self.block = nn.Sequential(*steps)
        self.is_residual = stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        y = cast(Tensor, self.block(x))
        return x + y if self.is_residual else y


class _ConcurrentSqueezeExcite(nn.Module):
    """The official networks can weigh several axes at once; these weigh channels alone."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.conc_se_layers = nn.ModuleList([_SqueezeExcite(n_channels)])

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.conc_se_layers[0](x))


class _SqueezeExcite(nn.Module):
    def __init__(self, n_channels: int) -> None:
        super().__init__()
        n_squeezed = _channels(n_channels // 4)
        self.fc1 = nn.Linear(n_channels, n_squeezed)
        self.fc2 = nn.Linear(n_squeezed, n_channels)

    def forward(self, x: Tensor) -> Tensor:
        scale = self.fc2(functional.relu(self.fc1(x.mean((2, 3))))).sigmoid()
        return cast(Tensor, x * scale[:, :, None, None])


def _convolution(
    n_in: int,
    n_out: int,
    kernel: int,
    activation: type[nn.Module] | None,
    *,
    stride: int = 1,
    groups: int = 1,
) -> nn.Sequential:
    steps: list[nn.Module] = [
        nn.Conv2d(
            n_in, n_out, kernel, stride, padding=(kernel - 1) // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(n_out, eps=1e-3),
    ]
    if activation is not None:
        steps.append(activation())
    return nn.Sequential(*steps)


def _channels(wanted: float) -> int:
    """Round to a multiple of 8, never below 90 % of what was wanted."""
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * wanted else rounded + 8
