"""Measure the speed and trustworthiness of similarity maps, on real clips and jittered copies.

Run: ``python benchmarks/map_speed.py [--sizes 8732 100000] [--localities 1] [--against-umap]``

Needs ``../shared``. Every figure is of one process with one thread, as in the backend: elapsed
seconds, and processor time, which does not depend on other load. *Trust* is the trustworthiness
(Venna, Kaski 2001) of 12 neighbors among 1,000 clips: 1 = every neighborhood on the map is a true
one. *Spots* is the number of occupied cells of 6 pixels on a map 600 pixels wide: clips in one cell
cannot be distinguished. ``--against-umap`` compares the placement of new clips with UMAP's
``transform``: the distance between both positions of a clip, and from each to its true neighbors,
as shares of the map's width.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from ml_backend.audio.reading import read_recording, waveform
from ml_backend.embedders import load_embedder
from ml_backend.similarity.knn import nearest_neighbors
from ml_backend.similarity.map_layout import DEFAULT, LOCALITIES, fit_map, place_clips, sketch_map
from ml_backend.similarity.vectors import normalize_rows

SHARED = Path(__file__).parents[1].parent / "shared"
N_NEW = 100
N_TRUSTED = 1_000
N_NEIGHBORS = 12
PICTURE_PX = 600
SPOT_PX = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[8_732, 100_000])
    parser.add_argument("--localities", type=int, nargs="+", default=[1])
    parser.add_argument("--against-umap", action="store_true")
    chosen = parser.parse_args()
    threadpool_limits(limits=1)
    real = embed_real_clips()
    for n_clips in chosen.sizes:
        embeddings = grow(real, n_clips + N_NEW)
        held, new = embeddings[:n_clips], embeddings[n_clips:]
        print(f"{n_clips:,} clips")
        with timed("sketch"):
            sketch = sketch_map(held)
        print(f"    trust {trust(held, sketch):.3f}")
        for number in chosen.localities:
            with timed(f"map of locality {number}"):
                xy = fit_map(held, LOCALITIES[number])
            print(f"    trust {trust(held, xy):.3f}, {n_spots(xy):,} spots")
            with timed(f"placing {N_NEW} new clips"):
                place_clips(new, held, xy)
        if chosen.against_umap:
            compare(held, new)


def embed_real_clips() -> np.ndarray:
    with tempfile.TemporaryDirectory() as cache:
        embedder = load_embedder("mn04", SHARED / "weights", Path(cache))
        files = sorted((SHARED / "data/us8k_dev/audio").glob("*.ogg"))
        sounds = (waveform(read_recording(file), embedder.sample_rate_hz) for file in files)
        return np.concatenate([embedder.embed([sound]) for sound in sounds])


def grow(real: np.ndarray, n_clips: int) -> np.ndarray:
    """Return the real clips and copies at a third of the spread from them, in random order."""
    rng = np.random.default_rng(0)
    rows = real[np.arange(n_clips) % len(real)]
    noise = (0.35 * real.std(axis=0)).astype(np.float32)
    for start in range(len(real), n_clips, 10_000):
        block = rows[start : start + 10_000]
        block += noise * rng.standard_normal(block.shape, dtype=np.float32)
    return rows[rng.permutation(n_clips)]


def trust(embeddings: np.ndarray, xy: np.ndarray) -> float:
    rows = np.random.default_rng(0).choice(len(xy), min(N_TRUSTED, len(xy)), replace=False)
    unit, points = normalize_rows(embeddings[rows]), xy[rows]
    n, k = len(rows), N_NEIGHBORS
    far = 1.0 - unit @ unit.T
    np.fill_diagonal(far, -1.0)
    rank = far.argsort(axis=1).argsort(axis=1)
    apart = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(apart, -1.0)
    near = apart.argsort(axis=1)[:, 1 : k + 1]
    excess = np.maximum(np.take_along_axis(rank, near, axis=1) - k, 0).sum()
    return float(1.0 - 2.0 / (n * k * (2 * n - 3 * k - 1)) * excess)


def n_spots(xy: np.ndarray) -> int:
    return len(np.unique((xy * PICTURE_PX / SPOT_PX).astype(int), axis=0))


def compare(held: np.ndarray, new: np.ndarray) -> None:
    from umap import UMAP

    with timed("UMAP's own fit"):
        how = asdict(LOCALITIES[DEFAULT])
        reducer = UMAP(**how, metric="cosine", random_state=0).fit(held)
    with timed(f"UMAP's own transform of {N_NEW}"):
        theirs = reducer.transform(new)
    xy = reducer.embedding_
    ours = place_clips(new, held, xy)
    width = float(np.ptp(xy, axis=0).max())
    near, _ = nearest_neighbors(normalize_rows(new), N_NEIGHBORS, among=normalize_rows(held))

    def kept(placed: np.ndarray) -> float:
        """Compute the share of the true neighbors that are among the 30 nearest on the map."""
        apart = np.linalg.norm(placed[:, None] - xy[None], axis=2).argsort(axis=1)[:, :30]
        return float(
            np.mean([np.isin(one, row).mean() for one, row in zip(near, apart, strict=True)])
        )

    def share(distances: np.ndarray) -> str:
        return " / ".join(f"{value / width:.4f}" for value in np.percentile(distances, [50, 90]))

    print(f"  apart, median / 90 %: {share(np.linalg.norm(ours - theirs, axis=1))}")
    for name, placed in (("ours", ours), ("transform", theirs)):
        to_near = np.linalg.norm(placed[:, None] - xy[near], axis=2)
        print(f"  {name} to true neighbors: {share(to_near)}, kept {kept(placed):.3f}")
    own, _ = nearest_neighbors(normalize_rows(held), N_NEIGHBORS + 1)
    to_own = np.linalg.norm(xy[:, None] - xy[own[:, 1:]], axis=2)
    print(f"  clips of the map to theirs: {share(to_own)}")


@contextmanager
def timed(what: str) -> Iterator[None]:
    began, used = time.perf_counter(), time.process_time()
    yield
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - used
    print(f"  {what}: {wall_s:.1f} s ({cpu_s:.1f} s of processor time)", flush=True)


if __name__ == "__main__":
    main()
