"""What a query strategy is given, and what it has to be."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml_backend.similarity.vectors import check_finite_rows
from ml_backend.strategies.greedy import Ranking
from ml_backend.strategies.uncertainty import (
    binary_entropy,
    binary_margin,
    margin,
    normalized_entropy,
)


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
    labels : ndarray of int8, shape=(n_labeled, n_classes), or None
        What the labeled clips are: 1 where a clip has the class.
    prior : ndarray of float32, shape=(n_pool, n_classes), or None
        Logits known before any label; a class without any is a column of NaN.
    predict : callable or None
        Gives the class probabilities of unit rows that stand for the pool's clips, in the order
        of the pool; None before a classifier exists.

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
    labels: NDArray[np.int8] | None = None
    prior: NDArray[np.float32] | None = None
    predict: Callable[[NDArray[np.float32]], NDArray[np.float64]] | None = None

    def __post_init__(self) -> None:
        check_finite_rows(self.embeddings, "pool's embeddings")
        check_finite_rows(self.labeled, "labeled set's embeddings")
        for name, column in [
            ("probabilities", self.probabilities),
            ("recordings", self.recordings),
            ("prior", self.prior),
        ]:
            if column is not None and len(column) != len(self):
                raise ValueError(f"{len(column)} rows of {name} for {len(self)} pool clips")
        if self.labels is not None and len(self.labels) != len(self.labeled):
            raise ValueError(f"{len(self.labels)} labels for {len(self.labeled)} labeled clips")

    def __len__(self) -> int:
        return len(self.embeddings)

    @property
    def n_classes(self) -> int:
        """Number of classes, as far as anything given tells; else 0."""
        for known in (self.labels, self.prior, self.probabilities):
            if known is not None:
                return int(known.shape[1])
        return 0

    def uncertainty(self) -> NDArray[np.float64] | None:
        """Return each clip's normalized entropy, shape=(n_pool,); None without a classifier."""
        if self.probabilities is None:
            return None
        measure = binary_entropy if self.multi_label else normalized_entropy
        return measure(self.probabilities)

    def indecision(self) -> NDArray[np.float64] | None:
        """Return 1 minus the margin of each clip, shape=(n_pool,); None without a classifier."""
        if self.probabilities is None:
            return None
        measure = binary_margin if self.multi_label else margin
        return np.asarray(1.0 - measure(self.probabilities))


class QueryStrategy(Protocol):
    """Anything that can order a pool."""

    @property
    def name(self) -> str:
        """What the setting ``EARMARK_STRATEGY`` calls it."""

    def rank(self, pool: Pool, n_head: int, rng: np.random.Generator) -> Ranking:
        """Order the pool: ``n_head`` clips with care, the rest by plain score."""


def sample(n_rows: int, n_wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw rows that stand for a pool, in their order: all of them where they are few enough."""
    if n_rows <= n_wanted:
        return np.arange(n_rows)
    return np.sort(rng.choice(n_rows, n_wanted, replace=False))
