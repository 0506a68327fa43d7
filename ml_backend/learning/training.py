"""From labels to the next ranking: one code path for the live loop and every simulation."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml_backend.learning.audit_slice import interleave
from ml_backend.learning.classifier import Classifier, fit_and_predict
from ml_backend.learning.decision import learn_rule
from ml_backend.learning.features import lay_out
from ml_backend.learning.labeled_set import LabeledSet, Parted, part_answers
from ml_backend.learning.round_input import RoundInput
from ml_backend.strategies.registry import Pool

_SEED = 0
_N_DECIDED = 5_000
"""Size of the random sample of the pool that the decision rule is learned on."""


@dataclass(frozen=True)
class Learned:
    """The result of a round: a classifier, if it could be trained, and the ranking of the pool.

    ``order`` holds task numbers, best first. The same input results in the same ``model_version``.
    ``training`` is the training set; ``audit`` may be used to measure.
    """

    model_version: str
    classifier: Classifier | None
    order: NDArray[np.int64]
    n_labeled: int
    training: LabeledSet
    audit: LabeledSet


def learn(given: RoundInput, *, n_head: int) -> Learned:
    """Train on the labeled set, unless a classifier is pinned, and rank the pool.

    Parameters
    ----------
    given : RoundInput
    n_head : int
        Number of clips to rank greedily.
    """
    return train_and_rank(given, n_head=n_head)[0]


def train_and_rank(given: RoundInput, *, n_head: int) -> tuple[Learned, "Ranking"]:
    """Do what ``learn`` does, and return the ranking, too, which can rank more clips greedily.

    It holds a copy of the pool's embeddings; the first value does not.
    """
    parted = part_answers(given.clips, given.answers, given.config.class_names, given.audit_share)
    classifier = given.pinned.classifier if given.pinned else _fit(given, parted.training)
    ranking = Ranking(given, parted, classifier)
    learned = Learned(
        given.model_version,
        classifier,
        ranking.order(n_head),
        parted.n_usable,
        parted.training,
        parted.audit,
    )
    return learned, ranking


def keep_positions(
    order: NDArray[np.int64], again: NDArray[np.int64], kept: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return ``again``, a permutation of ``order``, with some of ``order`` at their positions.

    Examples
    --------
    >>> keep_positions(np.array([7, 8, 9, 5]), np.array([9, 5, 8, 7]), np.array([0])).tolist()
    [7, 9, 5, 8]
    """
    merged = order.copy()
    merged[np.setdiff1d(np.arange(len(order)), kept)] = again[~np.isin(again, order[kept])]
    return merged


def alternate(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return both interleaved, element by element; the rest of the longer one follows.

    Examples
    --------
    >>> alternate(np.array([1, 2]), np.array([7, 8, 9, 10])).tolist()
    [1, 7, 2, 8, 9, 10]
    """
    places = np.concatenate([2 * np.arange(len(first)), 2 * np.arange(len(second)) + 1])
    return np.concatenate([first, second])[np.argsort(places, kind="stable")]


def _fit(given: RoundInput, training: LabeledSet) -> Classifier | None:
    """Train on labels, and learn the decision rule on clips without an answer."""
    clips, prior = given.clips, given.prior
    groups = clips.groups(training.rows)
    fitted = fit_and_predict(
        clips.embeddings[training.rows],
        training.labels,
        given.config.class_names,
        multi_label=given.config.multi_label,
        groups=groups,
        layout=lay_out(clips.center, clips.spread, prior),
        prior=None if prior is None else prior[training.rows],
        seed=_SEED,
    )
    if fitted is None:
        return None
    classifier, out_of_fold = fitted
    by_lot = np.argsort(clips.lots, kind="stable")
    drawn = by_lot[~given.is_answered[by_lot]][-_N_DECIDED:]
    pool = classifier.probabilities(
        clips.embeddings[drawn], None if prior is None else prior[drawn]
    )
    rule = learn_rule(
        given.objective,
        training.labels,
        out_of_fold,
        groups,
        pool,
        multi_label=given.config.multi_label,
    )
    return replace(classifier, rule=rule)


class Ranking:
    """Ranks a project's clips by one strategy and one classifier.

    Clips whose annotations cannot be used are left out. The requested clips come first, those of
    the audit slice included, ranked like the pool; then all others. If a project wants several
    annotators per clip, partly answered clips take every second position from the first on: a
    majority can form, and an annotator of all of them still gets others from any head.
    """

    def __init__(self, given: RoundInput, parted: Parted, classifier: Classifier | None) -> None:
        self._given = given
        self._parted = parted
        self._classifier = classifier

    def order(self, n_head: int) -> NDArray[np.int64]:
        """Return the ranking of the pool as task numbers, ``n_head`` of them ranked greedily."""
        given, parted = self._given, self._parted
        rng = np.random.default_rng(int(given.model_version[-12:], 16))
        head = self._rank(self._requested, n_head, rng)
        is_requested_audit = np.isin(parted.waiting, given.asked)
        rest = interleave(
            self._rank(self._others, max(n_head - len(head), 1), rng),
            parted.waiting[~is_requested_audit],
            given.audit_share,
            n_answered=parted.n_answered + len(head),
            n_audited=parted.n_audited + int(is_requested_audit.sum()),
        )
        return given.clips.task_ids[alternate(given.begun, np.concatenate([head, rest]))]

    @cached_property
    def _requested(self) -> "_Candidates":
        return self._candidates(self._given.asked)

    @cached_property
    def _others(self) -> "_Candidates":
        """Return the clips that are neither answered, nor requested, nor of the audit slice."""
        is_pool = ~self._given.is_answered
        is_pool[self._parted.waiting] = False
        is_pool[self._given.asked] = False
        return self._candidates(np.flatnonzero(is_pool))

    def _rank(
        self, candidates: "_Candidates", n_head: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        rows, pool = candidates
        return rows[self._given.strategy.rank(pool, n_head, rng).order] if len(rows) else rows

    def _candidates(self, rows: NDArray[np.int64]) -> "_Candidates":
        clips, classifier, training = self._given.clips, self._classifier, self._parted.training
        prior = None if self._given.prior is None else self._given.prior[rows]
        pool = Pool(
            embeddings=clips.unit[rows],
            labeled=clips.unit[training.rows],
            probabilities=(
                None
                if classifier is None
                else classifier.probabilities(clips.embeddings[rows], prior)
            ),
            recordings=clips.recordings[rows],
            multi_label=self._given.config.multi_label,
            labels=training.labels,
            prior=prior,
            predict=(
                None
                if classifier is None
                else lambda embeddings: classifier.probabilities(embeddings, prior)
            ),
        )
        return _Candidates(rows, pool)


class _Candidates(NamedTuple):
    rows: NDArray[np.int64]
    pool: Pool
