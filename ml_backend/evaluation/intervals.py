"""Estimates with 95 % intervals, limited to possible values; too few runs have no interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
N_RUNS_LEAST = 5
"""Least number of runs for an interval: with fewer it spans most of the possible range."""


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval and its number of independent observations."""

    value: float
    low: float
    high: float
    n: int


def wilson(n_right: float, n_clips: int) -> Estimate:
    """Return a share with Wilson's interval, which is valid for few clips and for shares of 0 or 1.

    Parameters
    ----------
    n_right : float
    n_clips : int
        At least 1.

    References
    ----------
    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.

    Examples
    --------
    >>> wilson(10, 10).low.__round__(3)
    0.722
    """
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share = n_right / n_clips
    middle = (share + z**2 / (2 * n_clips)) / (1 + z**2 / n_clips)
    reach = z / (1 + z**2 / n_clips)
    reach *= float(np.sqrt(share * (1 - share) / n_clips + z**2 / (4 * n_clips**2)))
    return Estimate(share, max(middle - reach, 0.0), min(middle + reach, 1.0), n_clips)


def share_of(n_right: int, n_clips: int) -> Estimate | None:
    """Return ``wilson`` of a random sample; None if it is empty."""
    return wilson(n_right, n_clips) if n_clips else None


def f1_of(n_right: int, n_either: int) -> Estimate | None:
    """Return F1 on a random sample; None if it is empty.

    Of the clips whose true or predicted class is the class, both are it for a share t. F1 is
    ``2 t / (1 + t)``, which increases with t, so Wilson's interval of t gives that of F1.

    Parameters
    ----------
    n_right : int
        Number of true positives.
    n_either : int
        Number of clips that have the class or are predicted to have it.

    Examples
    --------
    >>> f1_of(1, 3).value
    0.5
    """
    both = share_of(n_right, n_either)
    if both is None:
        return None
    value, low, high = (2.0 * t / (1.0 + t) for t in (both.value, both.low, both.high))
    return Estimate(value, low, high, n_either)


def rounded(estimate: Estimate) -> dict[str, float]:
    """Return an estimate for JSON, rounded to four digits."""
    return {
        name: value if isinstance(value, int) else round(value, 4)
        for name, value in vars(estimate).items()
    }


def mean_of(estimates: Sequence[Estimate]) -> Estimate:
    """Return the mean of independent shares, such as balanced accuracy, with its interval.

    The distances from each share to its interval's bounds add up in squares.

    References
    ----------
    G. Y. Zou, A. Donner, "Construction of confidence limits about effect measures: a general
    approach" (MOVER), Statistics in Medicine, 2008.

    Examples
    --------
    >>> mean_of([wilson(5, 10), wilson(5, 10)]).value
    0.5
    """
    value = float(np.mean([one.value for one in estimates]))
    below = np.sqrt(sum((one.value - one.low) ** 2 for one in estimates)) / len(estimates)
    above = np.sqrt(sum((one.high - one.value) ** 2 for one in estimates)) / len(estimates)
    n = sum(one.n for one in estimates)
    return Estimate(value, max(value - float(below), 0.0), min(value + float(above), 1.0), n)


def mean_over_runs(
    values: Sequence[float] | NDArray[np.floating], within: tuple[float, float] = (0.0, 1.0)
) -> dict[str, float | None]:
    """Compute mean, standard deviation and the 95 % interval of the mean over runs.

    The interval is Student's t, clipped to the possible range: the true mean is inside, so clipping
    costs no coverage. For five accuracies near 1 its coverage is about nine in ten.

    Parameters
    ----------
    values : sequence of float
        One per run.
    within : tuple of float
        Lowest and highest possible value.

    Returns
    -------
    dict
        ``mean``; ``sd``, None for one run; ``low`` and ``high``, None for fewer runs than
        ``N_RUNS_LEAST``.

    References
    ----------
    Student, "The Probable Error of a Mean", Biometrika 6, 1908; M. Mandelkern, "Setting Confidence
    Intervals for Bounded Parameters", Statistical Science 17, 2002.

    Examples
    --------
    >>> mean_over_runs([0.8, 0.9])["low"] is None
    True
    >>> mean_over_runs([1.0, 1.0, 0.9, 1.0, 0.8])["high"]
    1.0
    """
    from scipy.stats import t

    runs = np.asarray(values, dtype=np.float64)
    n_runs = len(runs)
    mean = float(runs.mean())
    sd = float(runs.std(ddof=1)) if n_runs > 1 else None
    if sd is None or n_runs < N_RUNS_LEAST:
        return {"mean": mean, "sd": sd, "low": None, "high": None}
    reach = float(t.ppf((1 + CONFIDENCE) / 2, n_runs - 1)) * sd / float(np.sqrt(n_runs))
    return {
        "mean": mean,
        "sd": sd,
        "low": max(mean - reach, within[0]),
        "high": min(mean + reach, within[1]),
    }


def spell(value: float) -> str:
    """Format a share with two digits, or more if it would be rounded to 0 or 1.

    Examples
    --------
    >>> spell(0.934), spell(1.0), spell(0.9967), spell(0.00004)
    ('0.93', '1.00', '0.997', '<0.0001')
    """
    for n_digits in (2, 3, 4):
        if round(value, n_digits) not in (0.0, 1.0) or value in (0.0, 1.0):
            return f"{value:.{n_digits}f}"
    return "<0.0001" if value < 0.5 else ">0.9999"


def spell_estimate(estimate: Mapping[str, Any]) -> str:
    """Format a share with its interval: ``value``, ``low`` and ``high``.

    Examples
    --------
    >>> spell_estimate({"value": 0.8, "low": 0.7, "high": 0.997})
    '0.80 (0.70 to 0.997)'
    """
    value, low, high = (spell(estimate[name]) for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"
