"""Probability of a class given a clip's score, estimated from labels that a strategy selected.

A classifier's probabilities assume that every class is equally frequent, and selected labels are
not a random sample: neither gives the share of false positives in the pool. But a strategy selects
clips by their content, not by their label: among clips of one score, labeled clips and pool clips
have the class equally often. Therefore the share of a class is fitted *by score*, on out-of-fold
scores, as Platt's curve ``1 / (1 + exp(-(a + b s)))`` of the log-odds s, and evaluated for every
clip.

With few labels a prior regularizes the curve: b near 2 (a classifier trained on all labels is more
confident, with reason, than those of the folds; with 1, the true value lay above the interval more
often), a near the log-odds of the class among labels. The uncertainty of a curve is the spread of
many draws: each weights recordings at random and has its own prior mean, so that few recordings
give a wide spread.

References
----------
J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999; D. B. Rubin, "The Bayesian
Bootstrap", Annals of Statistics 9, 1981.
"""

import numpy as np
from numpy.typing import NDArray

SLOPE = 2.0
_SPREADS = np.array([3.0, 1.0])
"""Standard deviations of the prior of a and b."""
_LEAST_SLOPE = 0.05
_LEAST_PROBABILITY = 1e-6
_N_STEPS = 30
_LONGEST_STEP = 2.0
_EXACT = 1e-6


def log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``log(p / (1 - p))``, finite also for 0 and 1; any shape.

    Examples
    --------
    >>> log_odds(np.array([0.5, 0.0])).round(1).tolist()
    [0.0, -13.8]
    """
    p = np.clip(probabilities, _LEAST_PROBABILITY, 1.0 - _LEAST_PROBABILITY)
    return np.asarray(np.log(p) - np.log1p(-p))


def shares(curves: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate curves at scores.

    Parameters
    ----------
    curves : ndarray, shape=(n_curves, 2)
        ``a`` and ``b`` of each.
    scores : ndarray, shape=(n_clips,)
        Log-odds.

    Returns
    -------
    ndarray, shape=(n_curves, n_clips), range [0, 1]
        Shares of a class.

    Examples
    --------
    >>> shares(np.array([[0.0, 1.0], [0.0, 2.0]]), np.array([0.0, 1.0])).round(2).tolist()
    [[0.5, 0.73], [0.5, 0.88]]
    """
    return np.asarray(1.0 / (1.0 + np.exp(-(curves[:, :1] + curves[:, 1:] * scores))))


def fit_curve(scores: NDArray[np.float64], has_class: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the most likely curve, shape=(1, 2).

    Parameters
    ----------
    scores : ndarray, shape=(n_labeled,)
        Out-of-fold log-odds of the class; finite.
    has_class : ndarray of bool, shape=(n_labeled,)

    Examples
    --------
    >>> scores = np.tile([-1.0, 1.0], 200)
    >>> curve = fit_curve(scores, np.arange(400) % 4 == 1)
    >>> shares(curve, np.array([1.0])).round(1).tolist()
    [[0.5]]
    """
    return _solve(scores, has_class, np.ones((1, len(scores))), _center(has_class)[None])


def draw_curves(
    scores: NDArray[np.float64],
    has_class: NDArray[np.bool_],
    weights: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draw curves from their posterior, shape=(n_draws, 2), by a Bayesian bootstrap.

    Parameters
    ----------
    scores, has_class : ndarray, shape=(n_labeled,)
        As for ``fit_curve``.
    weights : ndarray, shape=(n_draws, n_labeled)
        Weight of each clip in each draw (``draw_weights``).
    rng : Generator
    """
    centers = _center(has_class) + _SPREADS * rng.standard_normal((len(weights), 2))
    return _solve(scores, has_class, weights, centers)


def draw_weights(
    groups: NDArray[np.int64], n_draws: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw random weights of recordings, because the errors of one recording's clips correlate.

    Parameters
    ----------
    groups : ndarray of int64, shape=(n_labeled,)
        Recording of each clip.
    n_draws : int
    rng : Generator

    Returns
    -------
    ndarray, shape=(n_draws, n_labeled)
        Exponential with mean 1, equal for all clips of a group.
    """
    _, group = np.unique(groups, return_inverse=True)
    return rng.exponential(size=(n_draws, group.max(initial=-1) + 1))[:, group]


def _center(has_class: NDArray[np.bool_]) -> NDArray[np.float64]:
    n_yes, n_no = has_class.sum() + 0.5, (~has_class).sum() + 0.5
    return np.array([np.log(n_yes / n_no), SLOPE])


def _solve(
    scores: NDArray[np.float64],
    has_class: NDArray[np.bool_],
    weights: NDArray[np.float64],
    centers: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Maximize the penalized likelihood of every row of weights by Newton's method."""
    curves = centers.copy()
    precision = 1.0 / _SPREADS**2
    for _ in range(_N_STEPS):
        p = shares(curves, scores)
        misfit, weight = weights * (has_class - p), weights * p * (1.0 - p)
        slope_a, slope_b = (
            np.stack([misfit.sum(axis=1), misfit @ scores], axis=1) - (curves - centers) * precision
        ).T
        aa, ab, bb = weight.sum(axis=1), weight @ scores, weight @ scores**2
        aa, bb = aa + precision[0], bb + precision[1]
        det = aa * bb - ab**2
        step = np.stack([bb * slope_a - ab * slope_b, aa * slope_b - ab * slope_a], axis=1)
        step /= det[:, None]
        longest = np.abs(step).max(axis=1, keepdims=True)
        curves += step * np.minimum(1.0, _LONGEST_STEP / np.maximum(longest, _EXACT))
        if longest.max() < _EXACT:
            break
    curves[:, 1] = np.maximum(curves[:, 1], _LEAST_SLOPE)
    return curves
