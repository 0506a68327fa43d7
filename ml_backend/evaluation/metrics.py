"""How good a classifier is, and how much a choice of labels was worth: figures from arrays.

Labels are 0/1 matrices, shape=(n_clips, n_classes), one 1 per row. A classifier *decides* for the
class of the highest probability, unless its rule says otherwise (``deciding.py``). Probabilities
are those of a world in which every class is equally frequent, so decisions favor no class;
log-loss and ECE are taken on the clips as they are, and ECE once more with every class weighing
the same (``ece_balanced``).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FIGURES = ("balanced_accuracy", "f1", "average_precision", "log_loss", "ece", "ece_balanced")
_N_BINS = 15
_LEAST_PROBABILITY = 1e-12


def measure(
    labels: NDArray[np.integer],
    probabilities: NDArray[np.floating],
    target: int | None = None,
    decided: NDArray[np.integer] | None = None,
) -> dict[str, float]:
    """Give all of ``FIGURES`` for clips whose labels are known.

    Parameters
    ----------
    labels : ndarray, shape=(n_clips, n_classes)
        One 1 per row.
    probabilities : ndarray, shape=(n_clips, n_classes), range [0, 1]
    target : int, optional
        The class that F1 and average precision are of; without it they are means over classes.
    decided : ndarray of int64, shape=(n_clips,), optional
        The class that each clip is taken for, where that is not the likeliest.

    Returns
    -------
    dict of str to float
        A class without a clip is left out of every mean.

    Raises
    ------
    ValueError
        If shapes disagree, a row has not exactly one label, or a probability is not finite.

    Examples
    --------
    >>> measure(np.eye(2, dtype=int), np.array([[0.9, 0.1], [0.6, 0.4]]))["balanced_accuracy"]
    0.5
    """
    if labels.ndim != 2 or labels.shape != probabilities.shape or not len(labels):
        raise ValueError(
            f"labels of shape {labels.shape} and probabilities of shape {probabilities.shape}; "
            "both must be (n_clips, n_classes), with at least one clip"
        )
    if (labels.sum(axis=1) != 1).any() or not np.isfinite(probabilities).all():
        raise ValueError("every clip needs exactly one label and finite probabilities")
    truth = labels.argmax(axis=1)
    if decided is None:
        decided = probabilities.argmax(axis=1)
    present = np.unique(truth)
    asked = present if target is None else np.array([target])
    n_classes = labels.shape[1]
    return {
        "balanced_accuracy": float(np.mean(recalls(truth, decided, n_classes)[present])),
        "f1": float(np.mean([f1(truth == one, decided == one) for one in asked])),
        "average_precision": float(
            np.mean([average_precision(truth == one, probabilities[:, one]) for one in asked])
        ),
        "log_loss": log_loss(truth, probabilities),
        "ece": calibration_error(truth, probabilities),
        "ece_balanced": calibration_error(truth, probabilities, balance=True),
    }


def recalls(
    truth: NDArray[np.integer], decided: NDArray[np.integer], n_classes: int
) -> NDArray[np.float64]:
    """Give the share of each class's clips that were decided right; NaN for a class without any.

    Examples
    --------
    >>> recalls(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [0.5, 1.0]
    """
    n_clips = np.bincount(truth, minlength=n_classes).astype(np.float64)
    n_right = np.bincount(truth[truth == decided], minlength=n_classes)
    return np.asarray(np.where(n_clips > 0, n_right / np.maximum(n_clips, 1), np.nan))


def f1(is_target: NDArray[np.bool_], is_decided: NDArray[np.bool_]) -> float:
    """Give the harmonic mean of precision and recall; 0 where nothing was hit.

    Examples
    --------
    >>> f1(np.array([True, True, False]), np.array([True, False, False])).__round__(3)
    0.667
    """
    n_both = int((is_target & is_decided).sum())
    return 2.0 * n_both / max(int(is_target.sum()) + int(is_decided.sum()), 1)


def average_precision(is_target: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    """Give the mean precision at each hit, clips sorted by falling score; NaN without a target.

    Clips of equal score come in together, so that their order decides nothing.

    Examples
    --------
    >>> average_precision(np.array([True, False, True]), np.array([0.9, 0.8, 0.7])).__round__(3)
    0.833
    """
    n_targets = int(is_target.sum())
    if not n_targets:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    is_last = np.append(np.diff(scores[order]) != 0, True)  # of its equals
    n_hits = np.cumsum(is_target[order])[is_last]
    precision = n_hits / (np.flatnonzero(is_last) + 1)
    return float((np.diff(n_hits, prepend=0) * precision).sum() / n_targets)


def log_loss(truth: NDArray[np.integer], probabilities: NDArray[np.floating]) -> float:
    """Give the mean of -log p of the true class in nats.

    Examples
    --------
    >>> log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])).__round__(4)
    0.6931
    """
    of_truth = probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(of_truth, _LEAST_PROBABILITY)).mean())


def calibration_error(
    truth: NDArray[np.integer], probabilities: NDArray[np.floating], *, balance: bool = False
) -> float:
    """Give the expected calibration error (ECE): how far confidence is from being right.

    Clips are put into 15 bins of equal width by the probability of what was decided; the error is
    the mean over clips of ``|share of the bin decided right - its mean confidence|``. With
    ``balance`` every class weighs the same, as in the world that the probabilities are of.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks", ICML
    2017, equation 3.

    Examples
    --------
    >>> calibration_error(np.array([0, 1]), np.array([[0.8, 0.2], [0.2, 0.8]])).__round__(3)
    0.2
    """
    n_clips = np.bincount(truth)
    weights = np.full(len(truth), 1.0 / len(truth))
    if balance:
        weights = 1.0 / (n_clips[truth] * np.count_nonzero(n_clips))
    confidence = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * _N_BINS).astype(np.int64), _N_BINS - 1)
    gaps = np.bincount(bins, weights * (is_right - confidence), minlength=_N_BINS)
    return float(np.abs(gaps).sum())


def area_under_curve(n_labels: Sequence[int], values: Sequence[float]) -> float:
    """Give the mean height of a learning curve, straight lines between its points.

    Examples
    --------
    >>> area_under_curve([40, 60, 100], [0.8, 0.9, 0.9]).__round__(4)
    0.8833
    """
    if len(n_labels) == 1:
        return float(values[0])
    heights = np.asarray(values, dtype=np.float64)
    between = np.diff(n_labels) * (heights[1:] + heights[:-1]) / 2
    return float(between.sum() / (n_labels[-1] - n_labels[0]))


def labels_to_target(
    n_labels: Sequence[int], values: Sequence[float], target: float
) -> float | None:
    """Give the number of labels at which a learning curve first reaches a value.

    Straight lines lie between its points; None where it never gets there. A curve that begins
    above the value gives its first number of labels, so then it is at most that.

    Examples
    --------
    >>> labels_to_target([40, 60], [0.5, 1.0], 0.75)
    50.0
    """
    for place, (n, value) in enumerate(zip(n_labels, values, strict=True)):
        if value >= target:
            if place == 0:
                return float(n)
            share = (target - values[place - 1]) / (value - values[place - 1])
            return float(n_labels[place - 1] + share * (n - n_labels[place - 1]))
    return None


def label_efficiency(
    n_labels: Sequence[int], values: Sequence[float], baseline: Sequence[float]
) -> float | None:
    """Give how many times as many labels the baseline needs for where it ends.

    2 means that half the labels were enough for what all labels of the baseline reached; None
    where the curve never gets there.

    Examples
    --------
    >>> label_efficiency([40, 80], [0.8, 0.9], [0.7, 0.8])
    2.0
    """
    needed = labels_to_target(n_labels, values, baseline[-1])
    by_baseline = labels_to_target(n_labels, baseline, baseline[-1])
    return None if needed is None or by_baseline is None else by_baseline / needed


def kappa(decided: NDArray[np.integer], before: NDArray[np.integer]) -> float:
    """Give Cohen's kappa of two decisions about the same clips: 1 the same, 0 as by chance.

    References
    ----------
    J. Cohen, "A Coefficient of Agreement for Nominal Scales", 1960.

    Examples
    --------
    >>> kappa(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]))
    0.5
    """
    classes = np.union1d(decided, before)
    by_chance = sum(float((decided == one).mean() * (before == one).mean()) for one in classes)
    agreed = float((decided == before).mean())
    return 1.0 if by_chance == 1.0 else (agreed - by_chance) / (1.0 - by_chance)
