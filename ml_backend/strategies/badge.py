"""BADGE: gradients that are large and point in different directions."""

import numpy as np
from numpy.typing import NDArray

from ml_backend.strategies.greedy import Ranking, pick_in_turn
from ml_backend.strategies.herding import herd
from ml_backend.strategies.pool import Pool, sample

_MAX_DRAWN = 20_000


class Badge:
    """Draw clips whose gradients are large and unlike those already drawn (k-means++).

    The gradient of a clip for its likeliest answer is ``(p - onehot) x z``; its length grows with
    uncertainty. The squared distance of two such products is
    ``|a|^2 |z|^2 + |b|^2 |w|^2 - 2 (a.b) (z.w)``, so they are never written out. The first pick is
    the longest gradient; each further one is drawn with the squared distance to the nearest pick
    as its weight.

    - 0 labels, 1 class: MaxHerding, since no classifier exists.
    - 2 classes, many classes: as said.
    - several labels per clip: each head's residual ``p - (p >= 0.5)`` is a part of ``a``.
    - cost: O(n * n_head) time, O(n) memory. A pool of more than 20,000 clips is represented by so
      many drawn at random, and the longest gradient of all.

    References
    ----------
    J. T. Ash, C. Zhang, A. Krishnamurthy, J. Langford, A. Agarwal, "Deep Batch Active Learning by
    Diverse, Uncertain Gradient Lower Bounds", ICLR 2020; D. Arthur, S. Vassilvitskii,
    "k-means++", SODA 2007.
    """

    name = "badge"

    def rank(self, pool: Pool, n_head: int, rng: np.random.Generator) -> Ranking:
        """Draw the head; the rest follows by the length of the gradient."""
        if pool.probabilities is None:
            return herd(pool, n_head, rng)
        residuals = residuals_of(pool.probabilities, multi_label=pool.multi_label)
        # Rows have length 1 or 0.
        sounds = np.einsum("ij,ij->i", pool.embeddings, pool.embeddings)
        length = np.einsum("ij,ij->i", residuals, residuals) * sounds  # (n_pool,)
        rows = sample(len(pool), _MAX_DRAWN, rng)
        near, near_residuals = pool.embeddings[rows], residuals[rows]
        nearest = np.full(len(rows), np.inf)

        def choose(picked: list[int], is_open: NDArray[np.bool_]) -> int:
            if not picked:
                return int(np.argmax(np.where(is_open, length, -1.0)))
            last = picked[-1]
            products = (near_residuals @ residuals[last]) * (near @ pool.embeddings[last])
            squared = np.maximum(length[rows] + length[last] - 2 * products, 0.0)
            np.minimum(nearest, squared, out=nearest)
            weight = np.cumsum(np.where(is_open[rows], nearest, 0.0))
            if weight[-1] <= 0.0:
                return int(np.argmax(is_open))
            drawn = int(np.searchsorted(weight, rng.random() * weight[-1], side="right"))
            return int(rows[min(drawn, int(np.flatnonzero(is_open[rows])[-1]))])

        return pick_in_turn(length, choose, n_head, pool.recordings)


def residuals_of(probabilities: NDArray[np.float64], *, multi_label: bool) -> NDArray[np.float64]:
    """Return ``p - onehot`` of the likeliest answer, shape=(n_clips, n_classes)."""
    if multi_label:
        return np.asarray(probabilities - (probabilities >= 0.5))
    residuals = probabilities.copy()
    residuals[np.arange(len(residuals)), residuals.argmax(axis=1)] -= 1.0
    return residuals
