"""How far each clip lies from what is already labeled: pure functions of embeddings.

Distances are cosine distances between unit rows: 0 the same direction, 1 nothing in common,
2 opposite.
"""

import numpy as np
from numpy.typing import NDArray

_BLOCK_BYTES = 32 * 2**20
# Two equal unit rows of float32 are this close after rounding.
SAME_DISTANCE = 1e-6


def normalize_rows(embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
    """Scale every row to length 1; a row of zeros stays as it is.

    Parameters
    ----------
    embeddings : ndarray, shape=(n_clips, embedding_dim)

    Returns
    -------
    ndarray of float32, shape=(n_clips, embedding_dim)

    Raises
    ------
    ValueError
        If the array is not 2-D, or a row holds NaN or infinity.

    Examples
    --------
    >>> normalize_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    rows = np.asarray(embeddings, dtype=np.float32)
    check_finite_rows(rows, "embeddings")
    # Scaled by the largest number first: squares of float32 overflow beyond 1.8e19.
    largest = np.maximum(rows.max(axis=1, initial=0.0), -rows.min(axis=1, initial=0.0))
    unit = rows / np.where(largest > 0, largest, 1.0)[:, None]
    lengths = np.sqrt(np.einsum("ij,ij->i", unit, unit))  # (n_clips,)
    unit /= np.where(lengths > 0, lengths, 1.0)[:, None]
    return np.asarray(unit, dtype=np.float32)


def coverage_distance(
    pool_unit: NDArray[np.float32], labeled_unit: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Measure each pool clip's cosine distance to its nearest labeled clip.

    The similarities are made block by block, so a large pool needs little memory.

    Parameters
    ----------
    pool_unit : ndarray, shape=(n_pool, embedding_dim)
        Rows of length 1; a row of zeros is at distance 1 from everything.
    labeled_unit : ndarray, shape=(n_labeled, embedding_dim)
        Rows of length 1; may be empty.

    Returns
    -------
    ndarray of float32, shape=(n_pool,), range [0, 2]
        1 everywhere while nothing is labeled; exactly 0 for a copy of a labeled clip.

    Raises
    ------
    ValueError
        If the two differ in ``embedding_dim``.

    References
    ----------
    O. Sener, S. Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set
    Approach", ICLR 2018 (the distance; there Euclidean).

    Examples
    --------
    >>> pool = np.eye(2, dtype=np.float32)
    >>> coverage_distance(pool, pool[:1]).tolist()
    [0.0, 1.0]
    """
    if len(labeled_unit) == 0:
        return np.ones(len(pool_unit), dtype=np.float32)
    if pool_unit.shape[1:] != labeled_unit.shape[1:]:
        raise ValueError(
            f"the pool has shape {pool_unit.shape} and the labeled set {labeled_unit.shape}; "
            "wanted the same embedding_dim from the same embedder"
        )
    distance = np.empty(len(pool_unit), dtype=np.float32)
    step = max(1, _BLOCK_BYTES // (4 * len(labeled_unit)))
    for start in range(0, len(pool_unit), step):
        block = slice(start, start + step)
        similarity = pool_unit[block] @ labeled_unit.T  # (n_block, n_labeled)
        distance[block] = 1.0 - similarity.max(axis=1)
    distance[distance < SAME_DISTANCE] = 0.0
    return np.minimum(distance, 2.0)


def nearest_labeled(
    pool_unit: NDArray[np.float32], labeled_unit: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Find each pool clip's nearest labeled clip, as a row of the labeled set, of which one is.

    Of equally near ones it is the lowest row.

    Examples
    --------
    >>> pool = np.eye(2, dtype=np.float32)
    >>> nearest_labeled(pool, pool[::-1]).tolist()
    [1, 0]
    """
    nearest = np.empty(len(pool_unit), dtype=np.int64)
    step = max(1, _BLOCK_BYTES // (4 * len(labeled_unit)))
    for start in range(0, len(pool_unit), step):
        block = slice(start, start + step)
        nearest[block] = (pool_unit[block] @ labeled_unit.T).argmax(axis=1)
    return nearest


def check_finite_rows(rows: NDArray[np.floating], name: str) -> None:
    """Refuse an array that is not 2-D or holds NaN or infinity.

    Raises
    ------
    ValueError
        Naming the first such row.

    Examples
    --------
    >>> check_finite_rows(np.array([[0.0], [np.nan]]), "embeddings")
    Traceback (most recent call last):
    ValueError: row 1 of the embeddings is not finite; embed the clip again or leave it out
    """
    if rows.ndim != 2:
        raise ValueError(f"the {name} have shape {rows.shape}; wanted (n_clips, embedding_dim)")
    # A row's sum in float64 is finite exactly where all its float32 numbers are.
    is_bad = ~np.isfinite(rows.sum(axis=1, dtype=np.float64))
    if is_bad.any():
        row = int(np.argmax(is_bad))
        raise ValueError(
            f"row {row} of the {name} is not finite; embed the clip again or leave it out"
        )
