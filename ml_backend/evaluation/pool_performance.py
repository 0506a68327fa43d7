"""Performance of a classifier on the pool: precision, recall, F1, ...

Clips that a strategy selected are hard, and their class frequencies differ from the pool's.
Therefore figures are not counted on labels: labels, those of the audit slice included, only
estimate the probability of a class given a score (``learning/posterior.py``), and the figures are
expected values over the scores of all pool clips.

Scores are from classifiers that were not trained on the *clip*: a pool clip may have a labeled clip
of the same recording, and labeled clips must be treated alike. Intervals come from many draws of
the curve, with random weights of recordings, and of the clips that have the class.
``benchmarks/interval_coverage.py`` measures their coverage. If one of three classes or more is
predicted, coverage is too low: with few labels of each, folds without a fifth of them perform so
much worse than the classifier that the true value often lies above. They are then called ranges.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.evaluation.cross_validation import predict_out_of_fold
from ml_backend.evaluation.intervals import CONFIDENCE, Estimate, rounded, wilson
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.learning.audit_slice import N_ENOUGH
from ml_backend.learning.classifier import Classifier
from ml_backend.learning.decision import can_measure
from ml_backend.learning.embedded_clips import EmbeddedClips
from ml_backend.learning.labeled_set import LabeledSet
from ml_backend.learning.posterior import draw_curves, draw_weights, fit_curve, log_odds, shares

FIGURES = ("share", "precision", "recall", "f1", "average_precision")
RANDOM, CALIBRATED = "random", "calibrated"
INTERVAL, RANGE = "interval", "range"
N_DRAWS = 200
N_DRAWN_ON = 4_000
"""Size of the random sample that intervals are computed on if the pool is larger."""
_SEED = 0

_Draws = dict[str, NDArray[np.float64]]


def estimate_pool(
    classifier: Classifier,
    clips: EmbeddedClips,
    training: LabeledSet,
    audit: LabeledSet,
    config: LabelConfig,
    prior: NDArray[np.float32] | None,
) -> dict[str, Any] | None:
    """Estimate the figures of a classifier on the pool.

    Parameters
    ----------
    classifier : Classifier
        Trained on ``training``; its rule decides.
    clips : EmbeddedClips
    training : LabeledSet
    audit : LabeledSet
        Random sample, not trained on.
    config : LabelConfig
    prior : ndarray of float32, shape=(n_clips, n_classes), or None
        By rows of ``clips``.

    Returns
    -------
    dict or None
        ``n_clips``, the size of the pool; ``balanced_accuracy``; ``classes``, by name a dict of
        ``FIGURES``, where ``precision`` is None if nothing is predicted; all as
        ``intervals.Estimate``, whose ``n`` is the number of recordings labeled with the class;
        ``left_out``, the classes that could not be measured; ``shares_from``: ``random`` if the
        random sample is large enough to estimate the shares, else ``calibrated``; ``spread``: the
        kind of ``low`` and ``high``, ``interval`` or ``range``. None while fewer than two classes
        can be measured, or if every clip is labeled.
    """
    out_of_fold = predict_out_of_fold(clips, training, config, prior, by_clip=True)
    is_open = np.ones(len(clips), dtype=bool)
    rows = np.concatenate([training.rows, audit.rows])
    is_open[rows] = False
    probabilities = classifier.probabilities(clips.embeddings, prior)
    labels = np.vstack([training.labels, audit.labels])
    scored = np.vstack([out_of_fold.probabilities, probabilities[audit.rows]])
    groups = clips.groups(rows)
    n_classes = len(config.class_names)
    columns = [k for k in range(n_classes) if can_measure(labels[:, k], scored[:, k], groups)]
    if not is_open.any() or len(columns) < (1 if config.multi_label else 2):
        return None
    pool = probabilities[is_open]
    predicted = classifier.rule.decide(pool)
    drawn = np.argsort(clips.lots[is_open], kind="stable")[-N_DRAWN_ON:]
    rng = np.random.default_rng(_SEED)
    weights = draw_weights(groups, N_DRAWS, rng)
    expected: dict[int, _Draws] = {}
    draws: dict[int, _Draws] = {}
    has: NDArray[np.bool_] = np.empty(0, dtype=bool)
    for k in columns:
        is_known = ~np.isnan(scored[:, k])
        scores, answers = log_odds(scored[is_known, k]), labels[is_known, k] == 1
        of_pool = log_odds(pool[:, k])
        likely = shares(fit_curve(scores, answers), of_pool)
        expected[k] = measure_expected(likely, predicted[:, k], pool[:, k])
        if k and n_classes == 2 and not config.multi_label:
            has = ~has  # one question has one answer
        else:
            curves = draw_curves(scores, answers, weights[:, is_known], rng)
            of_drawn = shares(curves, of_pool[drawn])
            has = rng.random(of_drawn.shape) < of_drawn
        draws[k] = measure_expected(has.astype(np.float64), predicted[drawn, k], pool[drawn, k])

    def estimate(name: str, k: int) -> dict[str, float] | None:
        n_recordings = len(np.unique(groups[labels[:, k] == 1]))
        return _estimate(expected[k][name], draws[k][name], n_recordings)

    sides = ("recall", "specificity") if config.multi_label else ("recall",)
    value, drawn_values = (
        np.mean([of[k][side] for k in columns for side in sides], axis=0)
        for of in (expected, draws)
    )
    names = config.class_names
    classes = {names[k]: {name: estimate(name, k) for name in FIGURES} for k in columns}
    if len(audit) >= N_ENOUGH:
        for k in columns:
            of_class = int(audit.labels[:, k].sum())
            classes[names[k]]["share"] = rounded(wilson(of_class, len(audit)))
    return {
        "n_clips": int(is_open.sum()),
        "balanced_accuracy": _estimate(value, drawn_values, len(np.unique(groups))),
        "classes": classes,
        "left_out": [name for name in names if name not in classes],
        "shares_from": RANDOM if len(audit) >= N_ENOUGH else CALIBRATED,
        "spread": INTERVAL if config.multi_label or n_classes == 2 else RANGE,
    }


def measure_expected(
    likely: NDArray[np.float64], predicted: NDArray[np.bool_], scores: NDArray[np.float64]
) -> _Draws:
    """Compute the expected figures of a class, each of shape=(n_draws,).

    Parameters
    ----------
    likely : ndarray, shape=(n_draws, n_clips), range [0, 1]
        Probability that a clip has the class; 0 or 1 if it is known.
    predicted : ndarray of bool, shape=(n_clips,)
    scores : ndarray, shape=(n_clips,)
        Sort key of average precision.

    Returns
    -------
    dict
        ``FIGURES`` and ``specificity``, the recall of clips without the class; NaN if undefined.

    Examples
    --------
    >>> found = measure_expected(
    ...     np.array([[1.0, 0.5, 0.0, 0.5]]), np.array([True, True, False, False]), np.arange(4.0)
    ... )
    >>> found["precision"].tolist(), found["recall"].tolist(), found["f1"].tolist()
    ([0.75], [0.75], [0.75])
    """
    of_class, right = likely.sum(axis=1), likely[:, predicted].sum(axis=1)
    n_clips, n_predicted = likely.shape[1], int(predicted.sum())
    ranked = likely[:, np.argsort(-scores, kind="stable")]
    before = np.cumsum(ranked, axis=1) - ranked
    precision_at_hit = (1.0 + before) / np.arange(1, n_clips + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "share": of_class / n_clips,
            "precision": right / n_predicted if n_predicted else np.full(len(right), np.nan),
            "recall": right / of_class,
            "f1": 2.0 * right / (n_predicted + of_class),
            "average_precision": (precision_at_hit * ranked).sum(axis=1) / of_class,
            "specificity": 1.0 - (n_predicted - right) / (n_clips - of_class),
        }


def _estimate(
    value: NDArray[np.float64], draws: NDArray[np.float64], n: int
) -> dict[str, float] | None:
    known = draws[np.isfinite(draws)]
    if not np.isfinite(value[0]) or not len(known):
        return None
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    middle = float(value[0])
    return rounded(Estimate(middle, min(float(low), middle), max(float(high), middle), n))
