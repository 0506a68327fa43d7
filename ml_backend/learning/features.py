"""What a head reads of a clip: its embedding without its length, and the prior beside it.

Embeddings are scaled to length 1 and centered on the project's clips, then all divided by one
number, so that the mean squared length over the project is 1. Dividing each dimension by its own
spread instead would make the dimensions that hardly vary as loud as the others; on mn04
embeddings of unseen recordings that cost 0.02 balanced accuracy on the mean of ten classes.

The prior's logits (``prior.py``) are standardized over the project and weighted so that each
counts as much as a third of the embedding. A head hears them the lower, the more recordings it
knows the classes from (``classifier.py``).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PRIOR_SCALE = 0.6
_LEAST_SPREAD = 1e-6


@dataclass(frozen=True)
class Layout:
    """Where a project's clips lie and how far they spread.

    Attributes
    ----------
    center : ndarray of float32, shape=(embedding_dim,)
        Mean of the unit rows.
    spread : float
        Root mean squared distance of the unit rows from it.
    prior_center, prior_scale : ndarray of float64, shape=(n_classes,), or None
        Mean of the prior's logits, and what the centered logits are multiplied by: 0 for a class
        that the prior does not know. None without a prior.
    """

    center: NDArray[np.float32]
    spread: float
    prior_center: NDArray[np.float64] | None = None
    prior_scale: NDArray[np.float64] | None = None

    def rows(
        self, unit: NDArray[np.float32], prior: NDArray[np.float32] | None
    ) -> NDArray[np.float64]:
        """Lay clips out for a head.

        Parameters
        ----------
        unit : ndarray, shape=(n_clips, embedding_dim)
            Embeddings, rows of length 1.
        prior : ndarray, shape=(n_clips, n_classes), or None
            Logits, NaN where a class has none; only with a layout that has a prior.

        Returns
        -------
        ndarray of float64, shape=(n_clips, embedding_dim [+ n_classes])
        """
        rows = (unit - self.center).astype(np.float64) / self.spread
        if self.prior_center is None or self.prior_scale is None or prior is None:
            return np.asarray(rows)
        return np.hstack([rows, (np.nan_to_num(prior) - self.prior_center) * self.prior_scale])


def lay_out(
    center: NDArray[np.float32], spread: float, prior: NDArray[np.float32] | None = None
) -> Layout:
    """Measure how a project's clips lie.

    Parameters
    ----------
    center : ndarray, shape=(embedding_dim,)
        Mean of the unit rows of all clips.
    spread : float
        Root mean squared distance from it; no clips, or clips all alike, have none.
    prior : ndarray, shape=(n_clips, n_classes), or None
        Logits of all clips; a class that the prior does not know is a column of NaN.

    Examples
    --------
    >>> layout = lay_out(np.zeros(1, np.float32), 2.0, np.array([[0.0, np.nan], [2.0, np.nan]]))
    >>> layout.rows(np.ones((1, 1), np.float32), np.array([[2.0, np.nan]])).tolist()
    [[0.5, 0.6, 0.0]]
    """
    if spread < _LEAST_SPREAD:
        spread = 1.0
    if prior is None or np.isnan(prior).all():
        return Layout(center, spread)
    known = np.nan_to_num(prior.astype(np.float64))
    deviation = known.std(axis=0)
    scale = np.where(deviation > _LEAST_SPREAD, _PRIOR_SCALE, 0.0)
    return Layout(center, spread, known.mean(axis=0), scale / np.maximum(deviation, _LEAST_SPREAD))
