"""How likely a clip of a score has a class: curves learned from labels that were chosen.

A classifier's probabilities are those of a world where every class is equally frequent, and labels
that were asked for are no sample of what there is: neither tells how many of the clips that are
called siren are none. But which clip was asked about was decided by what is heard in it, not by
its label: among clips of one score, labeled ones and others have the class equally often. So
the share of a class is learned *by score*, from scores of classifiers that never met the clip, as
Platt's curve ``1 / (1 + exp(-(a + b s)))`` of the log-odds s, and read off for every clip.

With few labels a prior holds the curve: b near 2 (a classifier that learned from all labels is
surer with reason than those of the folds; with 1, the true figure lay above the interval more
often), a near the log-odds of the class among labels. How far
curves may be off is told by drawing many: every recording counts with a random weight, and every
draw has a prior of its own, so that few recordings give curves far apart.

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
    """Give ``log(p / (1 - p))``, finite for 0 and 1.

    Examples
    --------
    >>> log_odds(np.array([0.5, 0.0])).round(1).tolist()
    [0.0, -13.8]
    """
    p = np.clip(probabilities, _LEAST_PROBABILITY, 1.0 - _LEAST_PROBABILITY)
    return np.asarray(np.log(p) - np.log1p(-p))


def shares(curves: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Read the share of a class off curves, shape=(n_curves, n_clips).

    Parameters
    ----------
    curves : ndarray, shape=(n_curves, 2)
        ``a`` and ``b`` of each.
    scores : ndarray, shape=(n_clips,)

    Examples
    --------
    >>> shares(np.array([[0.0, 1.0], [0.0, 2.0]]), np.array([0.0, 1.0])).round(2).tolist()
    [[0.5, 0.73], [0.5, 0.88]]
    """
    return np.asarray(1.0 / (1.0 + np.exp(-(curves[:, :1] + curves[:, 1:] * scores))))


def fit_curve(scores: NDArray[np.float64], has_class: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Find the likeliest curve, shape=(1, 2).

    Parameters
    ----------
    scores : ndarray, shape=(n_labeled,)
        Log-odds that classifiers gave the class which never met the clip; finite.
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
    """Draw curves that the labels allow, shape=(n_draws, 2).

    Parameters
    ----------
    scores, has_class : ndarray, shape=(n_labeled,)
        As ``fit_curve`` takes them.
    weights : ndarray, shape=(n_draws, n_labeled)
        Of each clip in each draw (``draw_weights``).
    rng : Generator
    """
    centers = _center(has_class) + _SPREADS * rng.standard_normal((len(weights), 2))
    return _solve(scores, has_class, weights, centers)


def draw_weights(
    groups: NDArray[np.int64], n_draws: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Weigh recordings at random: clips of one are right or wrong together.

    Returns
    -------
    ndarray, shape=(n_draws, n_labeled)
        Exponential, of mean 1, the same for all clips of a group.
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
