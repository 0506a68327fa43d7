"""Positions in a picture: turned to lie like others, and brought into the unit square.

They are ``(n_clips, 2)``, float32; NaN for a clip that is not drawn.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.float32]

_MARGIN = 0.02


def align(xy: Positions, to: Positions) -> Positions:
    """Rotate, mirror, scale and shift positions to lie nearest to others of the same clips.

    Parameters
    ----------
    xy, to : ndarray, shape=(n_clips, 2)
        Rows that are NaN in either do not count.

    Returns
    -------
    ndarray of float32, shape=(n_clips, 2)
        The least squared distances to ``to``; ``xy`` itself where no row counts.

    References
    ----------
    P. H. Schönemann, "A generalized solution of the orthogonal Procrustes problem",
    Psychometrika 31, 1966.

    Examples
    --------
    >>> upright = np.array([[0, 0], [0, 2]], dtype=np.float32)
    >>> align(upright, np.array([[0, 0], [1, 0]], dtype=np.float32)).tolist()
    [[0.0, 0.0], [1.0, 0.0]]
    """
    both = ~(np.isnan(xy).any(axis=1) | np.isnan(to).any(axis=1))
    mine, other = xy[both].astype(np.float64), to[both].astype(np.float64)
    if not len(mine):
        return xy
    from_center, to_center = mine.mean(axis=0), other.mean(axis=0)
    mine, other = mine - from_center, other - to_center
    spread = (mine**2).sum()
    left, lengths, right = np.linalg.svd(mine.T @ other)
    scale = lengths.sum() / spread if spread > 0 and lengths.sum() > 0 else 1.0
    turned = (xy - from_center) @ (left @ right) * scale + to_center
    return np.asarray(turned, dtype=np.float32)


def in_square(xy: NDArray[np.floating[Any]]) -> Positions:
    """Shift and scale positions into the unit square, both directions alike.

    Parameters
    ----------
    xy : ndarray, shape=(n_clips, 2)

    Returns
    -------
    ndarray of float32, shape=(n_clips, 2), range [0.02, 0.98]
        NaN stays NaN.

    Examples
    --------
    >>> in_square(np.array([[5.0, 1.0], [7.0, 1.0]]))
    array([[0.02, 0.5 ],
           [0.98, 0.5 ]], dtype=float32)
    """
    if not len(xy) or np.isnan(xy).all():
        return np.asarray(xy, dtype=np.float32)
    low, high = np.nanmin(xy, axis=0), np.nanmax(xy, axis=0)
    extent = float((high - low).max())
    scale = (1 - 2 * _MARGIN) / extent if extent > 0 else 0.0
    return np.asarray(0.5 + (xy - (low + high) / 2) * scale, dtype=np.float32)
