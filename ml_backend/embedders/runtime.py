"""The mn embedders as they run: ONNX Runtime on CPU cores, torch on a GPU.

Both give the same numbers. On CPU a clip is the unit of work: each core takes one clip at a time
from waveform to embedding, so a clip's numbers cannot depend on its neighbors.
"""

import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml_backend.embedders.export import load_export
from ml_backend.embedders.front_end import SAMPLE_RATE_HZ, power_spectrogram
from ml_backend.embedders.head import Head
from ml_backend.embedders.protocol import check_waveform
from ml_backend.embedders.weights import Weights, find_weights

if TYPE_CHECKING:
    from ml_backend.embedders.mn import MobileNet

GPU_BATCH_SIZE = 32


def load_mn(name: str, weights: Path | None, cache_dir: Path) -> "MnEmbedder":
    """Load an mn network for the fastest device of this machine.

    Parameters
    ----------
    name : str
        ``mn04``, ``mn10``, ``mn20`` or ``mn40``.
    weights, cache_dir
        As ``load_embedder`` takes them.

    Raises
    ------
    WeightsError
        If its weights cannot be had or do not fit.
    """
    found = find_weights(name, weights, cache_dir)
    embedder_id = mn_id(name, found)
    if _has_gpu():
        from ml_backend.embedders.mn import load_network

        network = load_network(name, found.path)
        return MnEmbedder(embedder_id, TorchRuntime(network, "cuda"), network.head())
    export = load_export(name, found, cache_dir)
    return MnEmbedder(embedder_id, OnnxRuntime(export.graph), export.head)


def mn_id(name: str, weights: Weights) -> str:
    """Name an mn network with these weights."""
    return f"{name}-{weights.sha256[:8]}"


class MnEmbedder:
    """An mn network, what it runs on, and its own head."""

    sample_rate_hz = SAMPLE_RATE_HZ
    warning: str | None = None

    def __init__(self, embedder_id: str, runtime: "OnnxRuntime | TorchRuntime", head: Head) -> None:
        self.embedder_id = embedder_id
        self.embedding_dim = head.hidden_weight.shape[1]
        self._runtime = runtime
        self._head = head

    def embed(self, waveforms: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Embed clips at 32 kHz, as ``Embedder.embed`` says."""
        for row, waveform in enumerate(waveforms):
            check_waveform(waveform, self.sample_rate_hz, f"row {row}")
        if not waveforms:
            return np.empty((0, self.embedding_dim), dtype=np.float32)
        return self._runtime.embed(waveforms)

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the scores of the network, as it was trained, for clips already embedded.

        Parameters
        ----------
        embeddings : ndarray, shape=(n_clips, embedding_dim)
            What ``embed`` gave.

        Returns
        -------
        ndarray, shape=(n_clips, 527)
            AudioSet logits in the order of AudioSet's class list; a sigmoid makes probabilities.
        """
        return self._head.logits(embeddings)


class OnnxRuntime:
    """Runs an exported graph (``export.Export``), one clip on each core."""

    def __init__(self, graph: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the cores are shared out by clip
        options.enable_cpu_mem_arena = False  # it would hold what the longest clip needed, for good
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )

    def embed(self, waveforms: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Embed one clip or more, each of shape (n_samples,); returns (n_clips, embedding_dim)."""
        with ThreadPoolExecutor(os.cpu_count()) as cores:
            return np.concatenate(list(cores.map(self._embed_clip, waveforms)))

    def log_mel(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the log-mel that the network reads of one clip, shape=(n_mels, n_frames)."""
        log_mel: NDArray[np.float32] = self._run("log_mel", waveform)[0, 0]
        return log_mel

    def _embed_clip(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._run("embedding", waveform)

    def _run(self, output: str, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        answer: NDArray[np.float32]
        (answer,) = self._session.run([output], {"power": power_spectrogram(waveform)[None]})
        return answer


class TorchRuntime:
    """Runs the network in torch, in batches of clips of one length."""

    def __init__(self, network: "MobileNet", device: str) -> None:
        from ml_backend.embedders.mn import FromPower

        self._from_power = FromPower(network).eval().to(device)
        self._device = device

    def embed(self, waveforms: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Embed one clip or more, each of shape (n_samples,); returns (n_clips, embedding_dim)."""
        rows_by_length = defaultdict(list)
        for row, waveform in enumerate(waveforms):
            rows_by_length[len(waveform)].append(row)
        embedded: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(waveforms)
        for rows in rows_by_length.values():
            for start in range(0, len(rows), GPU_BATCH_SIZE):
                batch = rows[start : start + GPU_BATCH_SIZE]
                embeddings, _ = self._run(np.stack([waveforms[row] for row in batch]))
                for row, embedding in zip(batch, embeddings, strict=True):
                    embedded[row] = embedding
        return np.stack(embedded)

    def log_mel(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the log-mel that the network reads of one clip, shape=(n_mels, n_frames)."""
        log_mel: NDArray[np.float32] = self._run(waveform[None])[1][0, 0]
        return log_mel

    def _run(
        self, waveforms: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        import torch

        from ml_backend.embedders.mn import power_spectrogram

        # TF32, the GPU's default in convolutions, keeps three digits only
        with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
            power = power_spectrogram(torch.from_numpy(waveforms).to(self._device))
            embeddings, log_mel = self._from_power(power)
        return embeddings.cpu().numpy(), log_mel.cpu().numpy()


def _has_gpu() -> bool:
    """Look for the driver's device first: importing torch takes 2 s and 300 MB."""
    if not any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/dxg")):
        return False
    import torch

    return torch.cuda.is_available()
