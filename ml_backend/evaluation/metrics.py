"""Metrics of classifiers and learning curves, as functions of arrays.

Labels are 0/1 matrices, shape=(n_clips, n_classes), with one 1 per row. The predicted class is that
of the highest probability, unless a rule is given (``learning/decision.py``). Probabilities assume
that every class is equally frequent, so predictions favor no class; log-loss and ECE are computed
on the clips as they are, and ECE again with equal class weights (``ece_balanced``).
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
    """Compute all ``FIGURES`` of clips with known labels.

    Parameters
    ----------
    labels : ndarray, shape=(n_clips, n_classes)
        One 1 per row.
    probabilities : ndarray, shape=(n_clips, n_classes), range [0, 1]
    target : int, optional
        Class of F1 and average precision; by default they are means over classes.
    decided : ndarray of int64, shape=(n_clips,), optional
        Predicted class of each clip; by default the most probable.

    Returns
    -------
    dict of str to float
        Means leave out classes without clips.

    Raises
    ------
    ValueError
        If shapes disagree, a row does not have exactly one label, or a probability is not finite.

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
    """Compute the recall of each class, shape=(n_classes,); NaN for a class without clips.

    ``truth`` and ``decided``, shape=(n_clips,), are the true and the predicted classes.

    Examples
    --------
    >>> recalls(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [0.5, 1.0]
    """
    n_clips = np.bincount(truth, minlength=n_classes).astype(np.float64)
    n_right = np.bincount(truth[truth == decided], minlength=n_classes)
    return np.asarray(np.where(n_clips > 0, n_right / np.maximum(n_clips, 1), np.nan))


def f1(is_target: NDArray[np.bool_], is_decided: NDArray[np.bool_]) -> float:
    """Compute F1 from two masks of shape=(n_clips,); 0 without true positives.

    Examples
    --------
    >>> f1(np.array([True, True, False]), np.array([True, False, False])).__round__(3)
    0.667
    """
    n_both = int((is_target & is_decided).sum())
    return 2.0 * n_both / max(int(is_target.sum()) + int(is_decided.sum()), 1)


def average_precision(is_target: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    """Compute the mean precision at each hit, clips sorted by decreasing score; NaN without a hit.

    Both arrays have shape=(n_clips,). Clips of equal score count together, so that the result does
    not depend on their order.

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
    """Compute the mean of -log p of the true class in nats.

    ``truth`` has shape=(n_clips,), ``probabilities`` shape=(n_clips, n_classes).

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
    """Compute the expected calibration error (ECE), range [0, 1].

    Clips are put into 15 bins of equal width by the probability of the predicted class; the error
    is the mean over clips of ``|accuracy of the bin - its mean confidence|``. With ``balance``
    every class has the same weight, as the probabilities assume.

    Parameters
    ----------
    truth : ndarray, shape=(n_clips,)
    probabilities : ndarray, shape=(n_clips, n_classes), range [0, 1]
    balance : bool

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
    """Compute the mean height of a learning curve that is linear between its points.

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
    """Return the number of labels at which a learning curve first reaches a value, else None.

    The curve is linear between its points. For a curve that begins above the value, the result is
    its first number of labels, an upper bound.

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
    """Compute the ratio of labels that baseline and curve need for the baseline's final value.

    2 means that half the labels are enough; None if the curve never reaches the value.

    Examples
    --------
    >>> label_efficiency([40, 80], [0.8, 0.9], [0.7, 0.8])
    2.0
    """
    needed = labels_to_target(n_labels, values, baseline[-1])
    by_baseline = labels_to_target(n_labels, baseline, baseline[-1])
    return None if needed is None or by_baseline is None else by_baseline / needed


def kappa(decided: NDArray[np.integer], before: NDArray[np.integer]) -> float:
    """Compute Cohen's kappa of two predictions of the same clips: 1 if equal, 0 if by chance.

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
