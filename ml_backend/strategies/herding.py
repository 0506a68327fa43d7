"""Herding: ask for what covers the pool best."""

import numpy as np
from numpy.typing import NDArray

from ml_backend.coverage import coverage_distance
from ml_backend.greedy import Ranking, pick_greedily
from ml_backend.strategies.pool import Pool

# Herding compares candidates with reference clips; larger pools are represented by a sample.
_MAX_CANDIDATES = 5_000
_MAX_REFERENCES = 1_024
_KERNEL_WIDTH = 1.0
# The mean gain of a clip that cannot come into the head needs no more than every fourth reference.
_OTHERS_STRIDE = 4
_ROWS_AT_ONCE = 4_096


def herd(pool: Pool, n_head: int, rng: np.random.Generator) -> Ranking:
    """Pick what adds most to how well the pool is covered: typical clips, unlike each other.

    The gain of a clip is the mean, over the reference clips, of how much nearer it brings them to
    something labeled, by a Gaussian kernel of width 1. Up to 1,024 references and 5,000 candidates
    are drawn from larger pools: O(n) time and memory.

    References
    ----------
    W. Bae, J. Noh, D. J. Sutherland, "Generalized Coverage for More Robust Low-Budget Active
    Learning", ECCV 2024 (MaxHerding).
    """
    references = pool.embeddings[_sample(len(pool), _MAX_REFERENCES, rng)]  # (n_references, dim)
    candidates = _sample(len(pool), max(_MAX_CANDIDATES, n_head), rng)
    covered = _kernel(1.0 - coverage_distance(references, pool.labeled))  # (n_references,)
    covered *= len(pool.labeled) > 0
    kernel = _kernel(pool.embeddings[candidates] @ references.T)  # (n_candidates, n_references)
    column = np.full(len(pool), -1)
    column[candidates] = np.arange(len(candidates))

    def score(rows: NDArray[np.int64], picked: list[int]) -> NDArray[np.float64]:
        by_picked = kernel[column[picked]].max(axis=0, initial=0.0)  # (n_references,)
        return _gain(kernel[column[rows]], np.maximum(covered, by_picked))

    start = np.empty(len(pool))
    start[candidates] = _gain(kernel, covered)
    others = np.flatnonzero(column < 0)
    few = slice(None, None, _OTHERS_STRIDE)
    for block in np.array_split(others, max(1, len(others) // _ROWS_AT_ONCE)):
        similarity = pool.embeddings[block] @ references[few].T
        start[block] = _gain(_kernel(similarity), covered[few])
    return pick_greedily(start, score, n_head, pool.recordings, candidates)


def _gain(kernel: NDArray[np.float32], covered: NDArray[np.float32]) -> NDArray[np.float64]:
    gained = np.maximum(kernel - covered, 0.0).sum(axis=1, dtype=np.float64)  # (n_rows,)
    return np.asarray(gained / max(len(covered), 1))


def _kernel(similarity: NDArray[np.float32]) -> NDArray[np.float32]:
    # Of unit rows, the squared Euclidean distance is 2 - 2 * similarity.
    return np.asarray(np.exp((similarity - 1.0) * np.float32(2.0 / _KERNEL_WIDTH**2)))


def _sample(n_rows: int, n_wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if n_rows <= n_wanted:
        return np.arange(n_rows)
    return np.sort(rng.choice(n_rows, n_wanted, replace=False))
