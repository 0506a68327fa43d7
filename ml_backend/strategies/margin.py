"""Smallest margin first."""

import numpy as np

from ml_backend.strategies.greedy import Ranking, pick_greedily
from ml_backend.strategies.pool import Pool


class Margin:
    """Ask where the two likeliest answers are nearly equally likely.

    The score is 1 minus the margin: 1 where they are equal, 0 where one is certain.

    - 0 labels, 1 class: no probabilities, so the order is random.
    - 2 classes: the same order as by entropy; many classes: only the two likeliest count.
    - several labels per clip: 1 minus the smallest margin of the yes-or-no heads
      (``binary_margin``): the least certain head alone decides.
    - cost: O(n) time and memory.

    References
    ----------
    T. Scheffer, C. Decomain, S. Wrobel, "Active Hidden Markov Models for Information Extraction",
    IDA 2001.

    Examples
    --------
    >>> pool = Pool(
    ...     np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)[:1],
    ...     np.array([[0.9, 0.1], [0.6, 0.4]]), None,
    ... )
    >>> Margin().rank(pool, 2, np.random.default_rng(0)).order.tolist()
    [1, 0]
    """

    name = "margin"

    def rank(self, pool: Pool, n_head: int, rng: np.random.Generator) -> Ranking:
        """Order the pool by margin."""
        scores = pool.indecision()
        if scores is None:
            scores = rng.random(len(pool))
        return pick_greedily(scores, lambda rows, _: scores[rows], n_head, pool.recordings)
