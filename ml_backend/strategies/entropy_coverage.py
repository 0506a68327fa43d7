"""The seed's rule: uncertain, and in a place where little is labeled."""

import numpy as np
from numpy.typing import NDArray

from ml_backend.similarity.coverage import coverage_distance
from ml_backend.strategies.greedy import Ranking, pick_greedily
from ml_backend.strategies.herding import herd
from ml_backend.strategies.pool import Pool


class EntropyCoverage:
    """Ask where the classifier is unsure and nothing near is labeled.

    The score is normalized entropy times the cosine distance to the nearest labeled clip, each
    pick counting as labeled at once.

    - 0 labels, 1 class: MaxHerding, since no classifier exists.
    - 2 classes, many classes: entropy divided by its largest value, so that they compare.
    - several labels per clip: the mean entropy of the yes-or-no heads.
    - cost: O(n * n_labeled) for the distances, then lazy greedy; O(n) memory.

    References
    ----------
    The product is the rule of the work that Earmark grew from; coverage: O. Sener, S. Savarese,
    "Active Learning for Convolutional Neural Networks: A Core-Set Approach", ICLR 2018.

    Examples
    --------
    >>> pool = Pool(
    ...     embeddings=np.eye(3, dtype=np.float32),
    ...     labeled=np.eye(3, dtype=np.float32)[:1],
    ...     probabilities=np.array([[0.5, 0.5], [0.9, 0.1], [0.6, 0.4]]),
    ...     recordings=None,
    ... )
    >>> EntropyCoverage().rank(pool, 2, np.random.default_rng(0)).order.tolist()
    [2, 1, 0]
    """

    name = "entropy-coverage"

    def rank(self, pool: Pool, n_head: int, rng: np.random.Generator) -> Ranking:
        """Order the pool by entropy times coverage distance, or by herding."""
        uncertainty = pool.uncertainty()
        if uncertainty is None:
            return herd(pool, n_head, rng)
        distance = coverage_distance(pool.embeddings, pool.labeled)

        def score(rows: NDArray[np.int64], picked: list[int]) -> NDArray[np.float64]:
            to_picked = coverage_distance(pool.embeddings[rows], pool.embeddings[picked])
            return np.asarray(uncertainty[rows] * np.minimum(distance[rows], to_picked))

        return pick_greedily(uncertainty * distance, score, n_head, pool.recordings)
