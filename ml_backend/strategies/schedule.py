"""The default: find every class first, then ask where it is unsure and nothing is labeled."""

import numpy as np
from numpy.typing import NDArray

from ml_backend.greedy import Ranking, descending
from ml_backend.strategies.entropy_coverage import EntropyCoverage
from ml_backend.strategies.herding import herd
from ml_backend.strategies.pool import Pool

N_COLD = 40
"""So many labels are asked for before the classifier has a say."""
N_SEARCH = 100
"""So many labels are asked for at most in search of a class that has a name but few labels."""
N_ENOUGH = 3
_TURN = 3
_UNKNOWN_RECORDING = -1


class Schedule:
    """Cold start, then entropy times coverage.

    Up to 40 labels, every third clip is the one that sounds most like a class by the prior, the
    class with the fewest labels first; the others come by herding, which asks for what is typical
    of many and unlike what is labeled. Beyond that the order is that of entropy times coverage;
    while a class with a prior has fewer than 3 labels (up to 100 labels), every third clip goes on
    searching for it.

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
        is_cold = n_labeled < N_COLD or pool.probabilities is None
        base = herd(pool, n_head, rng) if is_cold else EntropyCoverage().rank(pool, n_head, rng)
        if pool.prior is None or not (is_cold or n_labeled < N_SEARCH):
            return base
        counts = np.zeros(pool.prior.shape[1])
        if pool.labels is not None:
            counts += pool.labels.sum(axis=0)
        wanted = ~np.isnan(pool.prior).any(axis=0)
        if n_labeled >= N_COLD:
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
    is_open = np.ones(len(pool), dtype=bool)
    is_held_back = np.zeros(len(pool), dtype=bool)
    picked: list[int] = []
    for place in range(min(n_head, len(pool))):
        order = base.order
        if (len(pool.labeled) + place) % _TURN == 0:
            poorest = int(wanted[np.argmin(counts[wanted])])
            counts[poorest] += 1
            order = likeliest[poorest]
        row = _first(order, is_open & ~is_held_back)
        if row is None:
            is_held_back[:] = False
            row = _first(order, is_open)
        assert row is not None
        picked.append(row)
        is_open[row] = False
        if pool.recordings is not None and pool.recordings[row] != _UNKNOWN_RECORDING:
            is_held_back |= pool.recordings == pool.recordings[row]
    rest = base.order[is_open[base.order]]
    rest = rest[np.argsort(-base.acquisition[rest], kind="stable")]
    return Ranking(np.concatenate([np.array(picked, dtype=np.int64), rest]), base.acquisition)


def _first(order: NDArray[np.int64], may: NDArray[np.bool_]) -> int | None:
    """Find the first row of an order that may be picked; most often it stands near the front."""
    step = 1_024
    for start in range(0, len(order), step):
        block = order[start : start + step]
        found = np.flatnonzero(may[block])
        if len(found):
            return int(block[found[0]])
        step *= 4
    return None
