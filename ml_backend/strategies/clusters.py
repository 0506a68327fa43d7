"""k-means on unit rows, bounded: enough for a query batch from any pool."""

import numpy as np
from numpy.typing import NDArray

_MAX_FITTED = 10_000
_N_ROUNDS = 8
_ROWS_AT_ONCE = 8_192


def cluster(
    unit: NDArray[np.float32], n_clusters: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Group rows by Lloyd's algorithm, eight rounds from a random start.

    Larger sets are fitted on 10,000 rows and then assigned: O(n * n_clusters) time, O(n) memory.

    Parameters
    ----------
    unit : ndarray, shape=(n_clips, embedding_dim)
    n_clusters : int
        As many as there are rows at most.
    rng : numpy.random.Generator

    Returns
    -------
    cluster_of : ndarray of int64, shape=(n_clips,)
    centers : ndarray of float32, shape=(n_clusters, embedding_dim)

    References
    ----------
    S. P. Lloyd, "Least Squares Quantization in PCM", 1982.

    Examples
    --------
    >>> rows = np.repeat(np.eye(2, dtype=np.float32), 3, axis=0)
    >>> len(set(cluster(rows, 6, np.random.default_rng(0))[0].tolist()))
    2
    """
    n_clusters = min(n_clusters, len(unit))
    fitted = unit
    if len(unit) > _MAX_FITTED:
        fitted = unit[np.sort(rng.choice(len(unit), _MAX_FITTED, replace=False))]
    centers = fitted[np.sort(rng.choice(len(fitted), n_clusters, replace=False))].copy()
    for _ in range(_N_ROUNDS):
        cluster_of = assign(fitted, centers)
        order = np.argsort(cluster_of, kind="stable")
        filled, first = np.unique(cluster_of[order], return_index=True)
        sums = np.add.reduceat(fitted[order], first, axis=0)
        centers[filled] = sums / np.diff(np.append(first, len(order)))[:, None]
    return assign(unit, centers), centers


def assign(unit: NDArray[np.float32], centers: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the nearest center of each row, shape=(n_clips,); of two as near the lower number.

    Not ``nearest_row``: means of unit rows are shorter than 1, so the distance is Euclidean.
    """
    half = (centers**2).sum(axis=1) / 2  # (n_clusters,)
    nearest = np.empty(len(unit), dtype=np.int64)
    for start in range(0, len(unit), _ROWS_AT_ONCE):
        block = slice(start, start + _ROWS_AT_ONCE)
        nearest[block] = (unit[block] @ centers.T - half).argmax(axis=1)
    return nearest
