"""The default: find every class first, then ask where it is unsure and nothing is labeled."""

import numpy as np
from numpy.typing import NDArray

from ml_backend.strategies.entropy_coverage import EntropyCoverage
from ml_backend.strategies.greedy import Ranking, descending, pick_in_turn
from ml_backend.strategies.herding import herd
from ml_backend.strategies.pool import Pool

N_COLD_PER_CLASS = 10
N_COLD_NAMELESS = 40
"""Labels of the cold start: for each class, and at most where no class has a name."""
N_ENOUGH = 3
N_SEARCH = 60
"""A class that has a name is searched for until it has 3 labels, or for 60 labels after that."""
_TURN = 3


class Schedule:
    """Cold start, then entropy times coverage with typical clips in between.

    1. *Cold start.* Up to 10 labels for each class clips come by herding: typical of many and
       unlike what is labeled. Where no class has a prior, the cold start goes on until every
       class has 3 labels, or for 40 labels. Before a classifier exists, always.
    2. *Refinement.* Clips come by entropy times coverage, but every third by herding, which goes
       on looking where the classifier is sure and may be wrong.
    3. In both, as long as a class with a prior has fewer than 3 labels, every third clip is the
       one most like it by the prior, the class with the fewest labels first. The search ends 60
       labels after the cold start.

    - 0 labels, 1 class: cold start; without a prior, herding alone.
    - 2 classes, many classes: the classes with a prior take turns; the rest is as in the parts.
    - several labels per clip: the same, a clip counting for each of its labels.
    - cost: that of herding and of entropy-coverage, and O(n log n) a class with a prior.

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
        counts = np.zeros(pool.n_classes)
        if pool.labels is not None:
            counts += pool.labels.sum(axis=0)
        is_named = np.zeros(pool.n_classes, dtype=bool)
        if pool.prior is not None:
            is_named |= ~np.isnan(pool.prior).any(axis=0)
        n_cold = N_COLD_PER_CLASS * pool.n_classes
        if not is_named.any() and (counts < N_ENOUGH).any():
            n_cold = max(n_cold, N_COLD_NAMELESS)
        typical = herd(pool, n_head, rng)
        base = typical
        if len(pool.labeled) >= n_cold and pool.probabilities is not None:
            base = _refine(pool, typical, n_head, rng)
        if len(pool.labeled) >= n_cold + N_SEARCH or not (counts[is_named] < N_ENOUGH).any():
            return base
        return _search(pool, base, counts, np.flatnonzero(is_named), n_head)


def _refine(pool: Pool, typical: Ranking, n_head: int, rng: np.random.Generator) -> Ranking:
    """Ask where the classifier is unsure, and every third time for what is typical."""
    unsure = EntropyCoverage().rank(pool, n_head, rng)

    def choose(picked: list[int], is_open: NDArray[np.bool_]) -> int:
        is_turn = (len(pool.labeled) + len(picked)) % _TURN == 1
        return _first((typical if is_turn else unsure).order, is_open)

    return pick_in_turn(unsure.acquisition, choose, n_head, pool.recordings)


def _search(
    pool: Pool,
    base: Ranking,
    counts: NDArray[np.float64],
    named: NDArray[np.int64],
    n_head: int,
) -> Ranking:
    """Make every third clip the likeliest of the named class with the fewest labels."""
    prior = np.asarray(pool.prior)
    likeliest = {number: descending(prior[:, number]) for number in named.tolist()}
    counts = counts.copy()

    def choose(picked: list[int], is_open: NDArray[np.bool_]) -> int:
        poorest = int(named[np.argmin(counts[named])])
        if (len(pool.labeled) + len(picked)) % _TURN or counts[poorest] >= N_ENOUGH:
            return _first(base.order, is_open)
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
