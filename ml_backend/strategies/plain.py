"""The baselines: plain uncertainty, and chance."""

import numpy as np

from ml_backend.strategies.greedy import Ranking, descending, pick_greedily
from ml_backend.strategies.pool import Pool


class Uncertainty:
    """Ask where the classifier is least sure: normalized entropy alone.

    - 0 labels, 1 class: every clip is as uncertain as any other, so the order is random.
    - 2 classes, many classes: entropy divided by its largest value.
    - several labels per clip: the mean entropy of the yes-or-no heads.
    - cost: O(n) time and memory.

    References
    ----------
    D. D. Lewis, W. A. Gale, "A Sequential Algorithm for Training Text Classifiers", SIGIR 1994.
    """

    name = "uncertainty"

    def rank(self, pool: Pool, n_head: int, rng: np.random.Generator) -> Ranking:
        """Order the pool by entropy."""
        scores = pool.uncertainty()
        if scores is None:
            scores = rng.random(len(pool))
        return pick_greedily(scores, lambda rows, _: scores[rows], n_head, pool.recordings)


class Random:
    """Ask at random: the baseline that a strategy has to beat.

    The same in every state, O(n) time and memory; recordings are not held apart.
    """

    name = "random"

    def rank(self, pool: Pool, n_head: int, rng: np.random.Generator) -> Ranking:
        """Draw an order."""
        scores = rng.random(len(pool))
        return Ranking(descending(scores), scores)
