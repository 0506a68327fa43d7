"""Which clips to ask about next: query strategies turn a pool into an order.

A strategy gives every pool clip an *acquisition score* (high = ask first). The head of the order
is picked one clip at a time, as if each pick were labeled the moment it is picked, and from each
recording at most once per round of recordings; the clips behind the head follow by the score they
had at the start. Ties go to the lower row number, and what is random comes from the generator
passed in, so the same pool gives the same order.

A new strategy is a class with a ``name`` and a ``rank``, entered in ``_STRATEGIES``. Where its
score only ever falls as clips are picked, ``pick_greedily`` does the picking.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml_backend.coverage import check_finite_rows, coverage_distance
from ml_backend.errors import SettingsError
from ml_backend.greedy import Ranking, descending, pick_greedily
from ml_backend.uncertainty import binary_entropy, normalized_entropy

# Herding compares candidates with reference clips; larger pools are represented by a sample.
_MAX_CANDIDATES = 5_000
_MAX_REFERENCES = 1_024
_KERNEL_WIDTH = 1.0
# The mean gain of a clip that cannot come into the head needs no more than every fourth reference.
_OTHERS_STRIDE = 4
_ROWS_AT_ONCE = 4_096


@dataclass(frozen=True)
class Pool:
    """What a strategy may look at.

    Attributes
    ----------
    embeddings : ndarray of float32, shape=(n_pool, embedding_dim)
        Unit rows, one per pool clip.
    labeled : ndarray of float32, shape=(n_labeled, embedding_dim)
        Unit rows of the labeled set; may be empty.
    probabilities : ndarray of float64, shape=(n_pool, n_classes), or None
        Class probabilities; None before a classifier exists.
    recordings : ndarray of int64, shape=(n_pool,), or None
        A number per recording, -1 where a clip's recording is not known.
    multi_label : bool
        Whether the probabilities are yes-or-no heads.

    Raises
    ------
    ValueError
        If shapes disagree, or a row of embeddings is not finite (the message names it).
    """

    embeddings: NDArray[np.float32]
    labeled: NDArray[np.float32]
    probabilities: NDArray[np.float64] | None
    recordings: NDArray[np.int64] | None
    multi_label: bool = False

    def __post_init__(self) -> None:
        check_finite_rows(self.embeddings, "pool's embeddings")
        check_finite_rows(self.labeled, "labeled set's embeddings")
        for name, column in [
            ("probabilities", self.probabilities),
            ("recordings", self.recordings),
        ]:
            if column is not None and len(column) != len(self):
                raise ValueError(f"{len(column)} rows of {name} for {len(self)} pool clips")

    def __len__(self) -> int:
        return len(self.embeddings)

    def uncertainty(self) -> NDArray[np.float64] | None:
        """Give the normalized entropy of each clip, shape=(n_pool,), once there is a classifier."""
        if self.probabilities is None:
            return None
        measure = binary_entropy if self.multi_label else normalized_entropy
        return measure(self.probabilities)


class QueryStrategy(Protocol):
    """Anything that can order a pool."""

    @property
    def name(self) -> str:
        """What the setting ``EARMARK_STRATEGY`` calls it."""

    def rank(self, pool: Pool, n_head: int, rng: np.random.Generator) -> Ranking:
        """Order the pool: ``n_head`` clips with care, the rest by plain score."""


class EntropyCoverage:
    """Ask where the classifier is unsure and nothing near is labeled.

    The score is normalized entropy times the cosine distance to the nearest labeled clip. Before
    a classifier exists it is herding: what a pick adds to how well the pool is covered, which asks
    first for clips that are both typical of many and unlike each other.

    References
    ----------
    W. Bae, J. Noh, D. J. Sutherland, "Generalized Coverage for More Robust Low-Budget Active
    Learning", ECCV 2024 (MaxHerding, used before a classifier exists).

    Examples
    --------
    >>> pool = Pool(
    ...     embeddings=np.eye(3, dtype=np.float32),
    ...     labeled=np.eye(3, dtype=np.float32)[:1],
    ...     probabilities=np.array([[0.5, 0.5], [0.9, 0.1], [0.6, 0.4]]),
    ...     recordings=None,
    ... )
    >>> get_strategy("entropy-coverage").rank(pool, 2, np.random.default_rng(0)).order.tolist()
    [2, 1, 0]
    """

    name = "entropy-coverage"

    def rank(self, pool: Pool, n_head: int, rng: np.random.Generator) -> Ranking:
        """Order the pool by entropy times coverage distance, or by herding."""
        uncertainty = pool.uncertainty()
        if uncertainty is None:
            return _rank_by_herding(pool, n_head, rng)
        distance = coverage_distance(pool.embeddings, pool.labeled)

        def score(rows: NDArray[np.int64], picked: list[int]) -> NDArray[np.float64]:
            to_picked = coverage_distance(pool.embeddings[rows], pool.embeddings[picked])
            return np.asarray(uncertainty[rows] * np.minimum(distance[rows], to_picked))

        return pick_greedily(uncertainty * distance, score, n_head, pool.recordings)


class Uncertainty:
    """Ask where the classifier is least sure: normalized entropy alone.

    Before a classifier exists every clip is as uncertain as any other: the order is random.
    """

    name = "uncertainty"

    def rank(self, pool: Pool, n_head: int, rng: np.random.Generator) -> Ranking:
        """Order the pool by entropy."""
        scores = pool.uncertainty()
        if scores is None:
            scores = rng.random(len(pool))
        return pick_greedily(scores, lambda rows, _: scores[rows], n_head, pool.recordings)


class Random:
    """Ask at random: the baseline that a strategy has to beat."""

    name = "random"

    def rank(self, pool: Pool, n_head: int, rng: np.random.Generator) -> Ranking:
        """Draw an order."""
        scores = rng.random(len(pool))
        return Ranking(descending(scores), scores)


_STRATEGIES: dict[str, QueryStrategy] = {
    strategy.name: strategy for strategy in (EntropyCoverage(), Uncertainty(), Random())
}


def get_strategy(name: str) -> QueryStrategy:
    """Find a query strategy by its name.

    Raises
    ------
    SettingsError
        If there is none of that name.

    Examples
    --------
    >>> get_strategy("random").name
    'random'
    """
    if name not in _STRATEGIES:
        raise SettingsError(
            f"no query strategy is called {name!r}; choose one of {', '.join(_STRATEGIES)}."
        )
    return _STRATEGIES[name]


def _rank_by_herding(pool: Pool, n_head: int, rng: np.random.Generator) -> Ranking:
    references = pool.embeddings[_sample(len(pool), _MAX_REFERENCES, rng)]  # (n_references, dim)
    candidates = _sample(len(pool), max(_MAX_CANDIDATES, n_head), rng)
    covered = _kernel(1.0 - coverage_distance(references, pool.labeled))  # (n_references,)
    covered *= len(pool.labeled) > 0
    kernel = _kernel(pool.embeddings[candidates] @ references.T)  # (n_candidates, n_references)
    column = np.full(len(pool), -1)
    column[candidates] = np.arange(len(candidates))

    def score(rows: NDArray[np.int64], picked: list[int]) -> NDArray[np.float64]:
        by_picked = kernel[column[picked]].max(axis=0, initial=0.0)  # (n_references,)
        return _gain(kernel[column[rows]], np.maximum(covered, by_picked))

    start = np.empty(len(pool))
    start[candidates] = _gain(kernel, covered)
    others = np.flatnonzero(column < 0)
    few = slice(None, None, _OTHERS_STRIDE)
    for block in np.array_split(others, max(1, len(others) // _ROWS_AT_ONCE)):
        similarity = pool.embeddings[block] @ references[few].T
        start[block] = _gain(_kernel(similarity), covered[few])
    return pick_greedily(start, score, n_head, pool.recordings, candidates)


def _gain(kernel: NDArray[np.float32], covered: NDArray[np.float32]) -> NDArray[np.float64]:
    gained = np.maximum(kernel - covered, 0.0).sum(axis=1, dtype=np.float64)  # (n_rows,)
    return np.asarray(gained / max(len(covered), 1))


def _kernel(similarity: NDArray[np.float32]) -> NDArray[np.float32]:
    # Of unit rows, the squared Euclidean distance is 2 - 2 * similarity.
    return np.asarray(np.exp((similarity - 1.0) * np.float32(2.0 / _KERNEL_WIDTH**2)))


def _sample(n_rows: int, n_wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if n_rows <= n_wanted:
        return np.arange(n_rows)
    return np.sort(rng.choice(n_rows, n_wanted, replace=False))
