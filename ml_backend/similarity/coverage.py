"""Coverage distance: how far each clip lies from its nearest labeled clip.

Distances are cosine distances between unit rows: 0 the same direction, 1 nothing in common,
2 opposite.
"""

import numpy as np
from numpy.typing import NDArray

from ml_backend.similarity.knn import nearest_row
from ml_backend.similarity.vectors import SAME_DISTANCE


def coverage_distance(
    pool_unit: NDArray[np.float32], labeled_unit: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Compute each pool clip's cosine distance to its nearest labeled clip.

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
    _, similarity = nearest_row(pool_unit, labeled_unit)
    distance = 1.0 - similarity
    distance[distance < SAME_DISTANCE] = 0.0
    return np.asarray(np.minimum(distance, 2.0))
