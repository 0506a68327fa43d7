"""What sounds like a clip: exact cosine neighbors, those that somebody has labeled first."""

import numpy as np
from numpy.typing import NDArray

from ml_backend.similarity.vectors import SAME_DISTANCE

LABELED_SHARE = 4
"""Of every 4 neighbors at least one is a labeled clip, if there are enough."""


def distances(unit: NDArray[np.float32], to: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute cosine distances of clips to one clip.

    Parameters
    ----------
    unit : ndarray, shape=(n_clips, embedding_dim)
        Rows of length 1.
    to : ndarray, shape=(embedding_dim,)
        Of length 1.

    Returns
    -------
    ndarray of float32, shape=(n_clips,), range [0, 2]
        Exactly 0 for a copy.

    Examples
    --------
    >>> distances(np.eye(2, dtype=np.float32), np.array([0, 1], dtype=np.float32)).tolist()
    [1.0, 0.0]
    """
    found = np.clip(1.0 - unit @ to, 0.0, 2.0)
    found[found < SAME_DISTANCE] = 0.0
    return np.asarray(found, dtype=np.float32)


def find_neighbors(
    distance: NDArray[np.float32], is_labeled: NDArray[np.bool_], n: int
) -> NDArray[np.int64]:
    """Return the nearest clips, the labeled ones first, each group by distance.

    If the nearest clips hold too few labeled ones, the nearest labeled clips replace the farthest
    of the others: they show what is already known of such sounds.

    Parameters
    ----------
    distance : ndarray, shape=(n_clips,)
        Infinity for a clip that must not be returned, such as the query itself.
    is_labeled : ndarray of bool, shape=(n_clips,)
    n : int
        How many clips to return.

    Returns
    -------
    ndarray of int64, shape=(n_found,)
        Rows; of equally near ones the lowest first. As many as there are, at most ``n``.

    Examples
    --------
    >>> distance = np.array([0.1, 0.2, 0.3, 0.4], dtype=np.float32)
    >>> find_neighbors(distance, np.array([False, False, False, True]), 2).tolist()
    [3, 0]
    """
    labeled = _nearest(distance, np.flatnonzero(is_labeled), -(-n // LABELED_SHARE))
    others = _nearest(distance, np.arange(len(distance)), n)
    others = others[~np.isin(others, labeled)][: max(0, n - len(labeled))]
    found: NDArray[np.int64] = np.concatenate([labeled, others])
    order = np.lexsort((found, distance[found], ~is_labeled[found]))
    return np.asarray(found[order], dtype=np.int64)


def _nearest(distance: NDArray[np.float32], rows: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    rows = rows[np.isfinite(distance[rows])]
    if len(rows) > n:
        farthest = np.partition(distance[rows], n - 1)[n - 1] if n else -1.0
        rows = rows[distance[rows] <= farthest]
    return rows[np.argsort(distance[rows], kind="stable")][:n]
