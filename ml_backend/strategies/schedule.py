"""The default: find every class first, then ask where it is unsure and nothing is labeled."""

import numpy as np
from numpy.typing import NDArray

from ml_backend.greedy import Ranking, descending, pick_in_turn
from ml_backend.strategies.entropy_coverage import EntropyCoverage
from ml_backend.strategies.herding import herd
from ml_backend.strategies.pool import Pool

N_COLD = 40
N_COLD_PER_CLASS = 10
"""So many labels, and so many for each class, are asked for before the classifier has a say."""
N_SEARCH = 60
"""For so many labels more, a class that has a name but few labels is searched for."""
N_ENOUGH = 3
_TURN = 3


class Schedule:
    """Cold start, then entropy times coverage.

    Up to 40 labels, or 10 for each class, every third clip is the one that sounds most like a
    class by the prior, the class with the fewest labels first; the others come by herding, which
    asks for what is typical of many and unlike what is labeled. Beyond that the order is that of
    entropy times coverage; while a class with a prior has fewer than 3 labels (for 60 labels
    more), every third clip goes on searching for it.

    - 0 labels, 1 class: cold start; without a prior, herding alone.
    - 2 classes, many classes: the classes with a prior take turns; the rest is as in the parts.
    - several labels per clip: the same, a clip counting for each of its labels.
    - cost: that of herding or of entropy-coverage, and O(n log n) a class with a prior.

    References
    ----------
    The parts: ``herding.py``, ``entropy_coverage.py``; that likely positives are mixed in where
    they are rare: J. Attenberg, F. Provost, "Why Label When You Can Search?", KDD 2010.

    Examples
    --------
    >>> pool = Pool(
    ...     embeddings=np.eye(4, dtype=np.float32),
    ...     labeled=np.empty((0, 4), dtype=np.float32),
    ...     probabilities=None,
    ...     recordings=None,
    ...     prior=np.array([[-5, np.nan], [-4, np.nan], [-5, np.nan], [3, np.nan]], np.float32),
    ... )
    >>> Schedule().rank(pool, 4, np.random.default_rng(0)).order.tolist()
    [3, 0, 1, 2]
    """

    name = "default"

    def rank(self, pool: Pool, n_head: int, rng: np.random.Generator) -> Ranking:
        """Order the pool as its labels ask for."""
        n_labeled = len(pool.labeled)
        n_cold = max(N_COLD, N_COLD_PER_CLASS * pool.n_classes)
        is_cold = n_labeled < n_cold or pool.probabilities is None
        base = herd(pool, n_head, rng) if is_cold else EntropyCoverage().rank(pool, n_head, rng)
        if pool.prior is None or not (is_cold or n_labeled < n_cold + N_SEARCH):
            return base
        counts = np.zeros(pool.prior.shape[1])
        if pool.labels is not None:
            counts += pool.labels.sum(axis=0)
        wanted = ~np.isnan(pool.prior).any(axis=0)
        if n_labeled >= n_cold:
            wanted &= counts < N_ENOUGH
        if not wanted.any():
            return base
        return _take_turns(base, pool, counts, np.flatnonzero(wanted), n_head)


def _take_turns(
    base: Ranking,
    pool: Pool,
    counts: NDArray[np.float64],
    wanted: NDArray[np.int64],
    n_head: int,
) -> Ranking:
    """Let every third clip of the head be the likeliest of the class with the fewest labels."""
    prior = np.asarray(pool.prior)
    likeliest = {number: descending(prior[:, number]) for number in wanted.tolist()}
    counts = counts.copy()

    def choose(picked: list[int], is_open: NDArray[np.bool_]) -> int:
        if (len(pool.labeled) + len(picked)) % _TURN:
            return _first(base.order, is_open)
        poorest = int(wanted[np.argmin(counts[wanted])])
        counts[poorest] += 1
        return _first(likeliest[poorest], is_open)

    return pick_in_turn(base.acquisition, choose, n_head, pool.recordings)


def _first(order: NDArray[np.int64], is_open: NDArray[np.bool_]) -> int:
    """Find the first open row of an order; most often it stands near the front."""
    start, step = 0, 1_024
    while True:
        block = order[start : start + step]
        found = np.flatnonzero(is_open[block])
        if len(found):
            return int(block[found[0]])
        start, step = start + step, 4 * step
