"""From labels to the next order: the one code path of the live loop and of every simulation."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml_backend.clip import TaskLabels
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.learning.audit_slice import interleave
from ml_backend.learning.classifier import Classifier, fit_and_judge
from ml_backend.learning.decision import F1, learn_rule
from ml_backend.learning.embedded_clips import EmbeddedClips
from ml_backend.learning.features import lay_out
from ml_backend.learning.labeled_set import LabeledSet, part_answers
from ml_backend.learning.round_input import Held
from ml_backend.similarity.coverage import coverage_distance
from ml_backend.strategies.registry import Pool, QueryStrategy

_SEED = 0
_N_DECIDED = 5_000
"""Unlabeled clips, drawn at random, that the rule of decision is learned on."""
_METHOD = "unit rows, prior that fades, sharp, rule"
"""What is learned from the same state when this changes is another version."""


@dataclass(frozen=True)
class Learned:
    """What one round learned: a classifier, if it could be trained, and the order of the pool.

    ``order`` holds task numbers, best first; ``coverage`` is aligned with it. The same state
    gives the same ``model_version``. ``training`` is what the classifier was trained on, ``audit``
    what it may be measured on.
    """

    model_version: str
    classifier: Classifier | None
    order: NDArray[np.int64]
    coverage: NDArray[np.float32]
    n_labeled: int
    training: LabeledSet
    audit: LabeledSet


def name_version(
    clips: EmbeddedClips,
    labels: Iterable[TaskLabels],
    config: LabelConfig,
    strategy: QueryStrategy,
    embedder_id: str,
    prior: NDArray[np.float32] | None = None,
    audit_share: float = 0.0,
    held: Held | None = None,
    first: NDArray[np.int64] | None = None,
    n_annotators_wanted: int = 1,
    objective: str = F1,
) -> str:
    """Name the version that this state leads to, without the work: same state, same name."""
    answers = sorted(labels, key=lambda one: one.task_id)
    n_usable = sum(one.labels is not None for one in answers)
    begun = _begun_rows(clips, answers, n_annotators_wanted)
    digest = _digest(
        clips,
        answers,
        config,
        strategy.name,
        embedder_id,
        prior,
        audit_share,
        first,
        begun,
        objective,
    )
    return held.name(digest[:12]) if held else f"earmark-{n_usable}-{digest[:12]}"


def learn(
    clips: EmbeddedClips,
    labels: Iterable[TaskLabels],
    config: LabelConfig,
    strategy: QueryStrategy,
    *,
    embedder_id: str,
    n_head: int,
    n_annotators_wanted: int = 1,
    prior: NDArray[np.float32] | None = None,
    audit_share: float = 0.0,
    held: Held | None = None,
    first: NDArray[np.int64] | None = None,
    objective: str = F1,
) -> Learned:
    """Train on the labeled set, unless a classifier is held, and rank the pool.

    Clips whose annotations cannot be used are in neither. First come the clips that people want to
    be asked about, ranked as if they were the pool and those of the audit slice among them; then
    all others. Where a project wants several annotators a clip, those it has begun take every
    second place from the first on: a majority can form, and whoever has begun them all finds
    others in any head.

    Parameters
    ----------
    clips : EmbeddedClips
        Every embedded clip of the project.
    labels : iterable of TaskLabels
        What people said so far.
    config : LabelConfig
        The classes, in their fixed order.
    strategy : QueryStrategy
        Ranks the pool.
    n_head : int
        How many clips are ranked greedily.
    n_annotators_wanted : int
        How many annotators the project wants for each clip.
    prior : ndarray of float32, shape=(n_clips, n_classes), or None
        What is known before any label (``Prior.logits``), by rows of ``clips``; a class without
        it is a column of NaN.
    audit_share : float
        Share of the clips that is set aside to measure on (``audit.py``).
    held : Held or None
        Ranks instead of a classifier that is trained (``holding.py``).
    first : ndarray of int64, or None
        Task numbers that people want to be asked about; answered and unknown ones do not matter.
    objective : str
        What the rule is learned for (``deciding.learn_rule``).

    Raises
    ------
    ValueError
        If the prior has another shape.
    """
    if prior is not None and prior.shape != (len(clips), len(config.class_names)):
        raise ValueError(
            f"the prior has shape {prior.shape}; wanted {(len(clips), len(config.class_names))}"
        )
    answers = sorted(labels, key=lambda one: one.task_id)
    parted = part_answers(clips, answers, config.class_names, audit_share)
    labeled, matrix = parted.training.rows, parted.training.labels

    classifier = (
        held.classifier if held else _fit(clips, parted.training, config, prior, answers, objective)
    )
    is_pool = np.ones(len(clips), dtype=bool)
    is_pool[clips.rows([one.task_id for one in answers])] = False
    is_pool[parted.waiting] = False
    asked = _open_rows(clips, answers, first)
    is_pool[asked] = False
    model_version = name_version(
        clips,
        answers,
        config,
        strategy,
        embedder_id,
        prior,
        audit_share,
        held,
        first,
        n_annotators_wanted,
        objective,
    )
    rng = np.random.default_rng(int(model_version[-12:], 16))

    def ranked(pool_rows: NDArray[np.int64], n_head: int) -> NDArray[np.int64]:
        pool_prior = None if prior is None else prior[pool_rows]
        pool = Pool(
            embeddings=clips.unit[pool_rows],
            labeled=clips.unit[labeled],
            probabilities=(
                None
                if classifier is None
                else classifier.probabilities(clips.embeddings[pool_rows], pool_prior)
            ),
            recordings=clips.recordings[pool_rows],
            multi_label=config.multi_label,
            labels=matrix,
            prior=pool_prior,
            predict=(
                None
                if classifier is None
                else lambda rows: classifier.probabilities(rows, pool_prior)
            ),
        )
        return pool_rows[strategy.rank(pool, n_head, rng).order]

    head = ranked(asked, n_head) if len(asked) else asked
    is_asked_audit = np.isin(parted.waiting, asked)
    rest = interleave(
        ranked(np.flatnonzero(is_pool), max(n_head - len(head), 1)),
        parted.waiting[~is_asked_audit],
        audit_share,
        n_answered=parted.n_answered + len(head),
        n_audited=parted.n_audited + int(is_asked_audit.sum()),
    )
    begun = _begun_rows(clips, answers, n_annotators_wanted)
    rows = alternate(begun, np.concatenate([head, rest]))
    return Learned(
        model_version,
        classifier,
        clips.task_ids[rows],
        coverage_distance(clips.unit[rows], clips.unit[labeled]).astype(np.float32),
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


def _begun_rows(
    clips: EmbeddedClips, answers: list[TaskLabels], n_annotators_wanted: int
) -> NDArray[np.int64]:
    """Give the rows of the clips that some, but not enough, annotators have answered.

    Ties are none of them: Label Studio serves those unranked (``ties.py``), and no prediction is to
    lead whoever decides.
    """
    return clips.rows(
        [
            one.task_id
            for one in answers
            if one.state not in ("skipped", "tied") and one.n_annotators < n_annotators_wanted
        ]
    )


def _fit(
    clips: EmbeddedClips,
    training: LabeledSet,
    config: LabelConfig,
    prior: NDArray[np.float32] | None,
    answers: list[TaskLabels],
    objective: str,
) -> Classifier | None:
    """Train on labels, and learn on clips without an answer how classes are predicted."""
    groups = clips.groups(training.rows)
    fitted = fit_and_judge(
        clips.embeddings[training.rows],
        training.labels,
        config.class_names,
        multi_label=config.multi_label,
        groups=groups,
        layout=lay_out(clips.center, clips.spread, prior),
        prior=None if prior is None else prior[training.rows],
        seed=_SEED,
    )
    if fitted is None:
        return None
    classifier, out_of_fold = fitted
    is_open = np.ones(len(clips), dtype=bool)
    is_open[clips.rows([one.task_id for one in answers])] = False
    by_lot = np.argsort(clips.lots, kind="stable")
    drawn = by_lot[is_open[by_lot]][-_N_DECIDED:]
    pool = classifier.probabilities(
        clips.embeddings[drawn], None if prior is None else prior[drawn]
    )
    rule = learn_rule(
        objective,
        training.labels,
        out_of_fold,
        groups,
        pool,
        multi_label=config.multi_label,
    )
    return replace(classifier, rule=rule)


def _open_rows(
    clips: EmbeddedClips, answers: list[TaskLabels], first: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """Give the rows of the clips that people want to be asked about and nobody has answered."""
    if first is None:
        return np.empty(0, dtype=np.int64)
    return clips.rows(np.setdiff1d(first, [one.task_id for one in answers]))


def _digest(
    clips: EmbeddedClips,
    answers: list[TaskLabels],
    config: LabelConfig,
    strategy: str,
    embedder_id: str,
    prior: NDArray[np.float32] | None,
    audit_share: float,
    first: NDArray[np.int64] | None,
    begun: NDArray[np.int64],
    objective: str,
) -> str:
    said = [
        [one.task_id, None if one.labels is None else sorted(one.labels), one.n_annotators]
        for one in answers
    ]
    state = [
        _METHOD,
        objective,
        audit_share,
        embedder_id,
        strategy,
        config.class_names,
        config.multi_label,
        said,
    ]
    digest = hashlib.sha256(json.dumps(state).encode())
    digest.update(clips.task_ids.tobytes())
    digest.update("".join(clips.clip_keys).encode())
    if prior is not None:
        digest.update(prior.tobytes())
    digest.update(clips.task_ids[_open_rows(clips, answers, first)].tobytes())
    if len(begun):
        digest.update(b"begun" + clips.task_ids[begun].tobytes())
    return digest.hexdigest()
