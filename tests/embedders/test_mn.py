"""The mn network against the original's numbers, its front end against a slow, obvious one."""

import doctest

import numpy as np
import pytest

from ml_backend.embedders.export import load_export
from ml_backend.embedders.front_end import HOP, N_FFT, WINDOW, power_spectrogram
from ml_backend.embedders.runtime import MnEmbedder, OnnxRuntime, TorchRuntime
from ml_backend.embedders.weights import find_weights

pytestmark = pytest.mark.slow

RUNTIMES = ["ONNX Runtime", "torch"]


@pytest.fixture(scope="session")
def torch():
    """The library, which is loaded for tests that run."""
    import torch

    torch.set_num_threads(1)  # two wait for each other where other tests run beside them
    return torch


@pytest.fixture(scope="session")
def mn(torch):
    from ml_backend.embedders import mn

    return mn


@pytest.fixture(scope="session")
def golden(shared):
    """What the original implementation makes of four clips of 2 s."""
    with np.load(shared / "weights" / "mn04_reference.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session", params=RUNTIMES)
def runtime_and_head(request, mn, shared, tmp_path_factory):
    found = find_weights("mn04", shared / "weights", tmp_path_factory.mktemp("unused"))
    if request.param == "torch":
        network = mn.load_network("mn04", found.path)
        return TorchRuntime(network, "cpu"), network.head()
    export = load_export("mn04", found, tmp_path_factory.mktemp("cache"))
    return OnnxRuntime(export.graph), export.head


@pytest.fixture(scope="session")
def mn04(runtime_and_head):
    return MnEmbedder("mn04", *runtime_and_head)


def test_log_mel_is_the_original_s(runtime_and_head, golden):
    runtime, _ = runtime_and_head
    log_mel = np.stack([runtime.log_mel(waveform) for waveform in golden["waveform"]])
    assert np.abs(log_mel - golden["log_mel"]).max() < 1e-4


@pytest.mark.parametrize(("n_samples", "suffix"), [(64_000, ""), (32_000, "_first_second")])
def test_embeddings_and_logits_are_the_original_s(mn04, golden, n_samples, suffix):
    embeddings = mn04.embed([waveform[:n_samples] for waveform in golden["waveform"]])
    assert np.abs(embeddings - golden[f"embedding{suffix}"]).max() < 1e-4
    logits = mn04.logits(embeddings)
    assert logits.dtype == np.float32
    assert np.abs(logits - golden[f"logits{suffix}"]).max() < 1e-3


def test_the_examples_hold(mn):
    assert doctest.testmod(mn).failed == 0


def test_the_network_s_own_logits_are_those_of_its_embeddings(torch, mn):
    torch.manual_seed(0)
    network = mn.MobileNet(0.4).eval()
    log_mel = torch.randn(2, 1, mn.N_MELS, 50)
    with torch.inference_mode():
        embeddings = network.embed(log_mel).numpy()
        np.testing.assert_allclose(
            network.head().logits(embeddings), network(log_mel).numpy(), atol=1e-6
        )


@pytest.mark.parametrize(
    ("name", "n_parameters", "embedding_dim"),
    [
        ("mn04", 983_599, 384),
        ("mn10", 4.88e6, 960),
        ("mn20", 17.91e6, 1920),
        ("mn40", 68.43e6, 3840),
    ],
)
def test_every_width_has_the_published_number_of_parameters(
    torch, mn, name, n_parameters, embedding_dim
):
    with torch.device("meta"):
        network = mn.MobileNet(mn.WIDTHS[name])
    counted = sum(parameter.numel() for parameter in network.parameters())
    assert counted == pytest.approx(n_parameters, rel=1e-3)
    assert network.classifier[2].in_features == embedding_dim


@pytest.mark.parametrize("n_samples", [1600, 1601, 1921, 32_000])
def test_both_front_ends_measure_the_power_that_a_plain_dft_does(torch, mn, n_samples):
    waveform = np.random.default_rng(0).standard_normal(n_samples).astype(np.float32)
    emphasized = np.array(
        [waveform[n + 1] - 0.97 * waveform[n] for n in range(n_samples - 1)], dtype=np.float64
    )
    around = np.pad(emphasized, N_FFT // 2, mode="reflect")
    margin = (N_FFT - WINDOW) // 2
    window = np.pad(np.hanning(WINDOW), margin)
    dft = np.exp(-2j * np.pi * np.outer(np.arange(N_FFT // 2 + 1), np.arange(N_FFT)) / N_FFT)
    n_frames = 1 + len(emphasized) // HOP
    frames = [around[HOP * frame :][:N_FFT] * window for frame in range(n_frames)]
    expected = np.array([np.abs(dft @ frame) ** 2 for frame in frames])  # (n_frames, n_bins)
    in_torch = mn.power_spectrogram(torch.from_numpy(waveform)[None])[0].numpy()
    for power in (power_spectrogram(waveform), in_torch):
        assert power.dtype == np.float32
        np.testing.assert_allclose(power, expected, atol=1e-5 * expected.max())
