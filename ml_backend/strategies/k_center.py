"""Farthest first: k-center, and the same among clips that two readers disagree on."""

import numpy as np
from numpy.typing import NDArray

from ml_backend.similarity.coverage import coverage_distance
from ml_backend.similarity.knn import nearest_row
from ml_backend.strategies.greedy import Ranking, pick_greedily
from ml_backend.strategies.pool import Pool


class KCenter:
    """Ask for the clip farthest from everything labeled, again and again.

    Greedy k-center by cosine distance, at most twice as far as the best choice in a metric space.

    - 0 labels: the first pick is the lowest row, since all are equally far; then farthest first.
    - 1 class, 2 classes, many classes, several labels per clip: alike, no label is looked at.
    - cost: O(n * n_labeled) for the distances, then lazy greedy; O(n) memory.

    References
    ----------
    O. Sener, S. Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set
    Approach", ICLR 2018.

    Examples
    --------
    >>> rows = np.array([[1, 0], [0.6, 0.8], [-1, 0]], dtype=np.float32)
    >>> pool = Pool(rows[1:], rows[:1], None, None)
    >>> KCenter().rank(pool, 2, np.random.default_rng(0)).order.tolist()
    [1, 0]
    """

    name = "k-center"

    def rank(self, pool: Pool, n_head: int, rng: np.random.Generator) -> Ranking:
        """Order the pool by farthest traversal."""
        return _farthest_first(pool, n_head, np.zeros(len(pool)))


class MismatchFirst:
    """Ask first where the classifier and the nearest labeled clip disagree, farthest first.

    Clips whose likeliest class is not that of their nearest labeled neighbor lead, in the order of
    farthest traversal; the others follow in the same way.

    - 0 labels, 1 class: nothing to disagree, so it is farthest traversal alone.
    - 2 classes, many classes: by the likeliest class.
    - several labels per clip: where any yes-or-no head is on the other side of 0.5.
    - cost: O(n * n_labeled) for the distances, then lazy greedy; O(n) memory.

    References
    ----------
    S. Zhao, T. Heittola, T. Virtanen, "Active Learning for Sound Event Detection", IEEE/ACM TASLP
    28, 2020.

    Examples
    --------
    >>> rows = np.array([[1, 0], [0.6, 0.8], [-1, 0]], dtype=np.float32)
    >>> pool = Pool(
    ...     rows[1:], rows[:1], np.array([[0.4, 0.6], [0.9, 0.1]]), None,
    ...     labels=np.array([[1, 0]], dtype=np.int8),
    ... )
    >>> MismatchFirst().rank(pool, 2, np.random.default_rng(0)).order.tolist()
    [0, 1]
    """

    name = "mismatch-first"

    def rank(self, pool: Pool, n_head: int, rng: np.random.Generator) -> Ranking:
        """Order the pool by mismatch, then farthest first."""
        return _farthest_first(pool, n_head, _mismatch(pool))


def _mismatch(pool: Pool) -> NDArray[np.float64]:
    if pool.probabilities is None or pool.labels is None or not len(pool.labeled):
        return np.zeros(len(pool))
    nearest, _ = nearest_row(pool.embeddings, pool.labeled)
    neighbors = pool.labels[nearest]
    if pool.multi_label:
        differs = ((pool.probabilities >= 0.5) != (neighbors == 1)).any(axis=1)
    else:
        differs = pool.probabilities.argmax(axis=1) != neighbors.argmax(axis=1)
    return np.asarray(differs, dtype=np.float64)


def _farthest_first(pool: Pool, n_head: int, lead: NDArray[np.float64]) -> Ranking:
    distance = coverage_distance(pool.embeddings, pool.labeled)  # range [0, 2]
    # Where it differs, a lead of 1 outweighs any distance; a copy of a labeled clip has none.
    bonus = 3.0 * lead * (distance > 0)

    def score(rows: NDArray[np.int64], picked: list[int]) -> NDArray[np.float64]:
        to_picked = coverage_distance(pool.embeddings[rows], pool.embeddings[picked])
        nearest = np.minimum(distance[rows], to_picked)
        return np.asarray(nearest + bonus[rows] * (nearest > 0))

    return pick_greedily(np.asarray(distance + bonus), score, n_head, pool.recordings)
