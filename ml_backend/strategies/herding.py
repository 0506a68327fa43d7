"""Herding: ask for what covers the pool best."""

import numpy as np
from numpy.typing import NDArray

from ml_backend.similarity.coverage import coverage_distance
from ml_backend.strategies.greedy import Ranking, pick_greedily
from ml_backend.strategies.pool import Pool, sample

# Herding compares candidates with reference clips; larger pools are represented by a sample.
_MAX_CANDIDATES = 4_000
_MAX_REFERENCES = 1_024
_KERNEL_WIDTH = 1.0
_WIDTH_QUANTILE = 0.05
_LEAST_WIDTH = 0.05
# The mean gain of a clip that cannot come into the head needs no more than every fourth reference.
_OTHERS_STRIDE = 4
_ROWS_AT_ONCE = 4_096


class UHerding:
    """Cover what the classifier is unsure of.

    The gain of a clip is the mean, over the pool, of how undecided each clip is times how much
    nearer the pick brings it to something labeled: ``u_j * max(0, k(i, j) - c_j)``. The kernel's
    width is the 5 % quantile of the distances of labeled clips to their nearest labeled neighbor,
    so that it narrows as labels grow dense.

    - 0 labels, 1 class: everything counts as undecided and the width is 1, which is MaxHerding.
    - 2 classes, many classes: undecided is 1 minus the margin of the two likeliest.
    - several labels per clip: undecided is 1 minus the smallest margin of the yes-or-no heads
      (``binary_margin``): the least certain head alone decides.
    - cost: the pool is represented by 1,024 clips and 4,000 candidates: O(n) time and memory.

    References
    ----------
    W. Bae, G. L. Oliveira, D. J. Sutherland, "Uncertainty Herding: One Active Learning Method for
    All Label Budgets", ICLR 2025.
    """

    name = "uherding"

    def rank(self, pool: Pool, n_head: int, rng: np.random.Generator) -> Ranking:
        """Order the pool by what each pick covers."""
        indecision = pool.indecision()
        if indecision is None:
            return herd(pool, n_head, rng)
        return herd(pool, n_head, rng, weights=indecision, width=_width(pool.labeled))


def herd(
    pool: Pool,
    n_head: int,
    rng: np.random.Generator,
    *,
    weights: NDArray[np.float64] | None = None,
    width: float = _KERNEL_WIDTH,
) -> Ranking:
    """Pick what adds most to how well the pool is covered: typical clips, unlike each other.

    The gain of a clip is the mean, over the reference clips, of how much nearer it brings them to
    something labeled, by a Gaussian kernel. Up to 1,024 references and 4,000 candidates are drawn
    from larger pools: O(n) time and memory. A clip's gain is then what it does for references other
    than itself, and for itself as one clip of the pool.

    Parameters
    ----------
    weights : ndarray, shape=(n_pool,), or None
        How much it matters that a clip is covered; None means all alike.
    width : float
        Of the kernel, as a Euclidean distance of unit rows.

    References
    ----------
    W. Bae, J. Noh, D. J. Sutherland, "Generalized Coverage for More Robust Low-Budget Active
    Learning", ECCV 2024 (MaxHerding).
    """
    drawn = sample(len(pool), _MAX_REFERENCES, rng)
    references = pool.embeddings[drawn]  # (n_references, dim)
    candidates = sample(len(pool), max(_MAX_CANDIDATES, n_head), rng)
    weight = np.ones(len(pool), dtype=np.float32) if weights is None else weights.astype(np.float32)
    mass = weight[drawn] / np.float32(max(len(drawn), 1))  # (n_references,)
    distance = coverage_distance(pool.embeddings, pool.labeled)
    has_labels = len(pool.labeled) > 0
    covered = _kernel(1.0 - distance, width) * np.float32(has_labels)  # (n_pool,)
    kernel = _kernel(pool.embeddings[candidates] @ references.T, width)
    column = np.full(len(pool), -1)
    column[candidates] = np.arange(len(candidates))
    is_part = len(drawn) < len(pool)
    own = weight / np.float32(max(len(pool), 1))
    reached = covered[drawn]  # (n_references,), with what is picked
    n_reached = 0
    reference = np.full(len(pool), -1)
    reference[drawn] = np.arange(len(drawn))
    if is_part:
        # A reference stands for many: what it does for itself would be counted for all of them.
        both = np.flatnonzero(reference[candidates] >= 0)
        kernel[both, reference[candidates[both]]] = 0.0

    def score(rows: NDArray[np.int64], picked: list[int]) -> NDArray[np.float64]:
        nonlocal n_reached
        new = np.array(picked[n_reached:], dtype=np.int64)
        np.maximum(reached, kernel[column[new]].max(axis=0, initial=0.0), out=reached)
        reached[reference[new[reference[new] >= 0]]] = 1.0
        n_reached = len(picked)
        gained = _gain(kernel[column[rows]], reached, mass)
        if not is_part:
            return gained
        near = _kernel(
            1.0 - coverage_distance(pool.embeddings[rows], pool.embeddings[picked]), width
        )
        return np.asarray(gained + own[rows] * (1.0 - np.maximum(covered[rows], near)))

    start = np.empty(len(pool))
    start[candidates] = _gain(kernel, covered[drawn], mass)
    others = np.flatnonzero(column < 0)
    few = slice(None, None, _OTHERS_STRIDE)
    for block in np.array_split(others, max(1, len(others) // _ROWS_AT_ONCE)):
        similarity = pool.embeddings[block] @ references[few].T
        of_few = _gain(_kernel(similarity, width), covered[drawn][few], mass[few])
        start[block] = of_few * (len(mass) / max(len(mass[few]), 1))
    if is_part:
        start += own * (1.0 - covered)
    return pick_greedily(start, score, n_head, pool.recordings, candidates)


def _gain(
    kernel: NDArray[np.float32], covered: NDArray[np.float32], mass: NDArray[np.float32]
) -> NDArray[np.float64]:
    gained = np.maximum(kernel - covered, 0.0)  # (n_rows, n_references)
    gained *= mass
    # Not a product with mass: that rounds equal rows differently, and ties go by row number.
    return np.asarray(gained.sum(axis=1, dtype=np.float64))


def _kernel(similarity: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    # Of unit rows, the squared Euclidean distance is 2 - 2 * similarity.
    return np.asarray(np.exp((similarity - 1.0) * np.float32(2.0 / width**2)))


def _width(labeled: NDArray[np.float32]) -> float:
    """Return the 5 % quantile of the labeled clips' distances to their nearest neighbor."""
    if len(labeled) < 2:
        return _KERNEL_WIDTH
    nearest = np.empty(len(labeled))
    for start in range(0, len(labeled), _ROWS_AT_ONCE):
        block = np.arange(start, min(start + _ROWS_AT_ONCE, len(labeled)))
        similarity = labeled[block] @ labeled.T
        similarity[np.arange(len(block)), block] = -1.0
        nearest[block] = np.sqrt(np.maximum(2.0 - 2.0 * similarity.max(axis=1), 0.0))
    return max(float(np.quantile(nearest, _WIDTH_QUANTILE)), _LEAST_WIDTH)
