"""Measure embedding from WAV files on disk: clips per second, memory, differences of runtimes.

    python benchmarks/embedding_speed.py [WEIGHTS]

WEIGHTS is a file or folder, as in EARMARK_WEIGHTS (default: ../shared/weights; without it,
untrained weights, which are as fast). Clips are 4 s of noise and tones at 22.05 kHz, in the
importer's format: WAV, 16 bit. They are read and embedded as in the worker: the next batch is read
while one is embedded. Each runtime has its own process.
"""

import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile

from ml_backend.audio.reading import read_recording, waveform
from ml_backend.embedders import load_embedder

N_CLIPS = 512
BATCH = 64
DURATION_S = 4
SAMPLE_RATE_HZ = 22_050
RUNTIMES = ("ONNX Runtime", "torch", "melstats")
SHARED_WEIGHTS = Path(__file__).resolve().parents[2] / "shared" / "weights"


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = Path(sys.argv[1]) if sys.argv[1:] else SHARED_WEIGHTS
        if not weights.exists():
            weights = write_untrained_weights(folder)
        write_clips(folder)
        in_a_process(load_embedder_once, weights, folder)  # the first start exports the network
        print(f"{N_CLIPS} clips of {DURATION_S} s, {os.cpu_count()} cores")
        print("| runtime | load | read alone | embed alone | files to embeddings | memory |")
        print("|---|---|---|---|---|---|")
        embeddings = {}
        for runtime in RUNTIMES:
            figures, embeddings[runtime] = in_a_process(measure, runtime, weights, folder)
            print(f"| {runtime} | {' | '.join(figures)} |")
        difference = np.abs(embeddings["ONNX Runtime"] - embeddings["torch"]).max()
        print(f"largest difference between ONNX Runtime and torch: {difference:.1e}")


def in_a_process(function, *arguments):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def load_embedder_once(weights, folder):
    load_embedder("mn04", weights, folder)


def measure(runtime, weights, folder):
    began = time.perf_counter()
    embedder = load(runtime, weights, folder)
    load_s = time.perf_counter() - began
    paths = sorted(folder.glob("*.wav"))
    batches = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]

    def read(path):
        return waveform(read_recording(path), embedder.sample_rate_hz)

    with ThreadPoolExecutor(os.cpu_count()) as readers:
        embedder.embed(list(readers.map(read, paths[:8])))  # what is slow the first time only

        began = time.perf_counter()
        waveforms = list(readers.map(read, paths))
        read_s = time.perf_counter() - began

        began = time.perf_counter()
        for start in range(0, len(paths), BATCH):
            embedder.embed(waveforms[start : start + BATCH])
        embed_s = time.perf_counter() - began
        del waveforms

        began = time.perf_counter()
        ahead = readers.map(read, batches[0])
        embeddings = []
        for following in [*batches[1:], []]:
            waveforms = list(ahead)
            ahead = readers.map(read, following)
            embeddings.append(embedder.embed(waveforms))
        whole_s = time.perf_counter() - began
    figures = [
        f"{load_s:.1f} s",
        *(f"{len(paths) / spent_s:.0f} clips/s" for spent_s in (read_s, embed_s, whole_s)),
        f"{resident_mb():.0f} MB",
    ]
    return figures, np.concatenate(embeddings)


def load(runtime, weights, folder):
    if runtime == "melstats":
        return load_embedder("melstats", None, folder)
    if runtime == "ONNX Runtime":
        return load_embedder("mn04", weights, folder)
    from ml_backend.embedders.mn import load_network
    from ml_backend.embedders.runtime import MnEmbedder, TorchRuntime
    from ml_backend.embedders.weights import find_weights

    network = load_network("mn04", find_weights("mn04", weights, folder).path)
    return MnEmbedder("mn04 on torch", TorchRuntime(network, "cpu"), network.head())


def resident_mb():
    (line,) = (
        line for line in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in line
    )
    return int(line.split()[1]) / 1024


def write_clips(folder):
    rng = np.random.default_rng(0)
    time_s = np.arange(DURATION_S * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    for number in range(N_CLIPS):
        tone = np.sin(2 * np.pi * rng.uniform(100, 5000) * time_s)
        samples = 0.3 * tone + 0.1 * rng.standard_normal(len(time_s))
        soundfile.write(folder / f"{number:04d}.wav", samples, SAMPLE_RATE_HZ, "PCM_16")


def write_untrained_weights(folder):
    import torch

    from ml_backend.embedders.mn import MobileNet

    torch.manual_seed(0)
    torch.save(MobileNet(0.4).state_dict(), folder / "untrained.pt")
    return folder / "untrained.pt"


if __name__ == "__main__":
    main()
