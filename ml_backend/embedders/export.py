"""A network as ONNX Runtime runs it: exported once per file of weights, then loaded without torch.

One file in the cache holds all that embedding needs: the graph (mel bands and network, from
power spectrogram to embedding) and the head (from embedding to AudioSet logits). It is exported in
a process of its own, because torch never gives its 500 MB back.
"""

import multiprocessing
import os
import tempfile
import warnings
import zipfile
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ml_backend.embedders.front_end import N_BINS
from ml_backend.embedders.head import Head
from ml_backend.embedders.weights import Weights, written_beside
from ml_backend.errors import WeightsError
from ml_backend.process import tether

EXPORT_VERSION = 1  # raise it when what is exported changes
OPSET = 17


@dataclass(frozen=True)
class Export:
    """An ONNX graph (``power`` in, ``embedding`` and ``log_mel`` out) and the head behind it."""

    graph: bytes
    head: Head


def load_export(name: str, weights: Weights, cache_dir: Path) -> Export:
    """Load the export of a network, making it where the cache holds none that can be read.

    Raises
    ------
    WeightsError
        If the weights do not fit the network, memory runs out, or the cache cannot be written.
    """
    path = cache_dir / f"{name}-{weights.sha256[:16]}-v{EXPORT_VERSION}.npz"
    try:
        return _read(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        export = _export_aside(name, weights)
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with written_beside(path) as file:
            np.savez(file, graph=np.frombuffer(export.graph, np.uint8), **asdict(export.head))
    except OSError as error:
        raise WeightsError(
            f"{cache_dir}: the exported network cannot be kept there ({error}). "
            "Let EARMARK_DATA name a folder that can be written."
        ) from error
    return export


def _read(path: Path) -> Export:
    with np.load(path, allow_pickle=False) as arrays:
        head = Head(**{name: arrays[name] for name in arrays.files if name != "graph"})
        return Export(arrays["graph"].tobytes(), head)


def _export_aside(name: str, weights: Weights) -> Export:
    with ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn"), tether.end_with, (os.getpid(),)
    ) as process:
        try:
            return process.submit(_export, name, weights).result()
        except BrokenProcessPool:
            raise WeightsError(
                f"{weights.path}: the process that exports {name} was ended, probably because it "
                "needs about 1 GB of memory. Free some and start Earmark again."
            ) from None


def _export(name: str, weights: Weights) -> Export:
    import torch

    from ml_backend.embedders import mn

    network = mn.load_network(name, weights.path)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        graph = Path(folder) / "graph.onnx"
        # the exporter that torch recommends instead needs a package more and four times as long
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        torch.onnx.export(
            mn.FromPower(network).eval(),
            (torch.ones(1, 101, N_BINS),),
            graph,
            input_names=["power"],
            output_names=["embedding", "log_mel"],
            dynamic_axes={"power": {1: "n_frames"}, "log_mel": {3: "n_frames"}},
            opset_version=OPSET,
            dynamo=False,
        )
        return Export(graph.read_bytes(), network.head())
