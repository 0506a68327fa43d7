"""From labels to the next order: the one code path of the live loop and of every simulation."""

from dataclasses import dataclass, replace

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
"""Unlabeled clips, drawn at random, that the rule of decision is learned on."""


@dataclass(frozen=True)
class Learned:
    """What one round learned: a classifier, if it could be trained, and the order of the pool.

    ``order`` holds task numbers, best first. The same input gives the same ``model_version``.
    ``training`` is what the classifier was trained on, ``audit`` what it may be measured on.
    """

    model_version: str
    classifier: Classifier | None
    order: NDArray[np.int64]
    n_labeled: int
    training: LabeledSet
    audit: LabeledSet


def learn(given: RoundInput, *, n_head: int) -> Learned:
    """Train on the labeled set, unless a classifier is pinned, and rank the pool.

    Clips whose annotations cannot be used are in neither. First come the clips that people want to
    be asked about, ranked as if they were the pool and those of the audit slice among them; then
    all others. Where a project wants several annotators a clip, those it has begun take every
    second place from the first on: a majority can form, and whoever has begun them all finds
    others in any head.

    Parameters
    ----------
    given : RoundInput
    n_head : int
        How many clips are ranked greedily.
    """
    parted = part_answers(given.clips, given.answers, given.config.class_names, given.audit_share)
    classifier = given.pinned.classifier if given.pinned else _fit(given, parted.training)
    ranking = _Ranking(given, parted.training, classifier)

    head = ranking.rank(given.asked, n_head)
    is_asked_audit = np.isin(parted.waiting, given.asked)
    rest = interleave(
        ranking.rank(_pool_rows(given, parted), max(n_head - len(head), 1)),
        parted.waiting[~is_asked_audit],
        given.audit_share,
        n_answered=parted.n_answered + len(head),
        n_audited=parted.n_audited + int(is_asked_audit.sum()),
    )
    rows = alternate(given.begun, np.concatenate([head, rest]))
    return Learned(
        given.model_version,
        classifier,
        given.clips.task_ids[rows],
        parted.n_usable,
        parted.training,
        parted.audit,
    )


def alternate(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Take from both in turn; what is left of the longer one follows.

    Examples
    --------
    >>> alternate(np.array([1, 2]), np.array([7, 8, 9, 10])).tolist()
    [1, 7, 2, 8, 9, 10]
    """
    places = np.concatenate([2 * np.arange(len(first)), 2 * np.arange(len(second)) + 1])
    return np.concatenate([first, second])[np.argsort(places, kind="stable")]


def _fit(given: RoundInput, training: LabeledSet) -> Classifier | None:
    """Train on labels, and learn on clips without an answer how classes are predicted."""
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


def _pool_rows(given: RoundInput, parted: Parted) -> NDArray[np.int64]:
    """Give the rows that the strategy ranks: not answered, not asked for, not of the slice."""
    is_pool = ~given.is_answered
    is_pool[parted.waiting] = False
    is_pool[given.asked] = False
    return np.flatnonzero(is_pool)


class _Ranking:
    """Ranks rows of the clips by the strategy, all by one classifier and one generator."""

    def __init__(
        self, given: RoundInput, training: LabeledSet, classifier: Classifier | None
    ) -> None:
        self._given = given
        self._training = training
        self._classifier = classifier
        self._rng = np.random.default_rng(int(given.model_version[-12:], 16))

    def rank(self, rows: NDArray[np.int64], n_head: int) -> NDArray[np.int64]:
        if not len(rows):
            return rows
        clips, classifier = self._given.clips, self._classifier
        prior = None if self._given.prior is None else self._given.prior[rows]
        pool = Pool(
            embeddings=clips.unit[rows],
            labeled=clips.unit[self._training.rows],
            probabilities=(
                None
                if classifier is None
                else classifier.probabilities(clips.embeddings[rows], prior)
            ),
            recordings=clips.recordings[rows],
            multi_label=self._given.config.multi_label,
            labels=self._training.labels,
            prior=prior,
            predict=(
                None
                if classifier is None
                else lambda embeddings: classifier.probabilities(embeddings, prior)
            ),
        )
        return rows[self._given.strategy.rank(pool, n_head, self._rng).order]
