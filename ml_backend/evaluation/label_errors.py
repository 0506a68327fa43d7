"""Disagreements of labels and predictions: the confusion matrix, and labels to check.

Both use out-of-fold predictions (``cross_validation.py``), because a classifier agrees with its
training set. Either side may be wrong in a disagreement; a label is worth checking if the
classifier is more confident than its mean of the class, since rare and hard classes get lower
probabilities.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.evaluation.cross_validation import OutOfFold
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.learning.decision import Rule

N_SUSPECTS = 50


def count_confusions(
    out_of_fold: OutOfFold, config: LabelConfig, rule: Rule
) -> dict[str, Any] | None:
    """Compute the confusion matrix with the tasks of its cells; None if nothing was measured.

    Parameters
    ----------
    out_of_fold : OutOfFold
    config : LabelConfig
    rule : Rule
        Decision rule.

    Returns
    -------
    dict or None
        ``class_names``, ``counts``, ``wrong``, ``right`` and ``left_out``. If a clip has one
        label, ``counts[i][j]`` is the number of clips of true class i and predicted class j;
        ``wrong`` lists ``{"label", "predicted", "task_ids"}`` (names) for every i other than j,
        ``right`` for every i equal to j, and ``left_out`` ``{"label", "task_ids"}`` for clips that
        were not measured. If a clip may have several, ``counts[k]`` is ``[[no as no, no as yes],
        [yes as no, yes as yes]]`` of class k, ``wrong`` lists ``{"class", "label", "predicted",
        "task_ids"}`` (yes: true), ``right`` the same for yes as yes, and ``left_out`` is empty.
    """
    is_measured = ~np.isnan(out_of_fold.probabilities)
    if not is_measured.any():
        return None
    names = list(config.class_names)
    predicted = rule.decide(out_of_fold.probabilities)
    if config.multi_label:
        tables = [
            _tabulate(
                out_of_fold.labels[mine, k],
                predicted[mine, k],
                2,
                out_of_fold.task_ids[mine],
            )
            for k, mine in enumerate(is_measured.T)
        ]
        listed = [
            {"class": name, "label": bool(i), "predicted": bool(j), "task_ids": ids}
            for name, (_, cells) in zip(names, tables, strict=True)
            for (i, j), ids in cells.items()
            if i or j
        ]
        return _told(names, [counts for counts, _ in tables], listed, [])
    mine = is_measured.all(axis=1)
    given = out_of_fold.labels[mine].argmax(axis=1)
    predicted_class = predicted[mine].argmax(axis=1)
    counts, cells = _tabulate(given, predicted_class, len(names), out_of_fold.task_ids[mine])
    listed = [
        {"label": names[i], "predicted": names[j], "task_ids": ids} for (i, j), ids in cells.items()
    ]
    not_measured = out_of_fold.labels[~mine].argmax(axis=1)
    left_out = [
        {"label": names[i], "task_ids": out_of_fold.task_ids[~mine][not_measured == i].tolist()}
        for i in np.unique(not_measured)
    ]
    return _told(names, counts, listed, left_out)


def find_suspects(out_of_fold: OutOfFold, config: LabelConfig) -> list[dict[str, Any]]:
    """List the labels that are probably wrong, least confident first, at most ``N_SUSPECTS``.

    Returns
    -------
    list of dict
        ``task_id``; ``labels`` as given; ``predicted``, the labels that the classifier predicts
        instead; ``confidence``, the probability of the given label (the lowest of several).
    """
    names = np.array(config.class_names, dtype=object)
    labels, p = out_of_fold.labels, out_of_fold.probabilities
    instead = labels.copy()
    confidence = np.full(len(labels), np.inf)
    if config.multi_label:
        for k in range(len(names)):
            both = np.stack([1.0 - p[:, k], p[:, k]], axis=1)
            rows, other, believed = doubt(labels[:, k].astype(np.int64), both)
            instead[rows, k] = other
            confidence[rows] = np.minimum(confidence[rows], believed)
    else:
        rows, other, confidence[rows] = doubt(labels.argmax(axis=1), p)
        instead[rows] = np.eye(len(names), dtype=np.int8)[other]
    order = np.argsort(confidence, kind="stable")[:N_SUSPECTS]
    return [
        {
            "task_id": int(out_of_fold.task_ids[row]),
            "labels": names[labels[row] == 1].tolist(),
            "predicted": names[instead[row] == 1].tolist(),
            "confidence": round(float(confidence[row]), 4),
        }
        for row in order
        if np.isfinite(confidence[row])
    ]


def doubt(
    given: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Find labels that are probably wrong, by confident learning.

    The confident class of a clip is the most probable class j among those whose probability is at
    least the mean probability of j over the clips labeled j. A label is doubted if the confident
    class is another one, unless the labeled class is the most probable (which is frequent while
    labels are few).

    Parameters
    ----------
    given : ndarray of int64, shape=(n_clips,)
        Labeled class of each clip.
    probabilities : ndarray, shape=(n_clips, n_classes), range [0, 1]
        Out-of-fold probabilities; rows with NaN are left out.

    Returns
    -------
    rows, instead : ndarray of int64, shape=(n_doubted,)
        Rows of doubted labels, and the confident class of each.
    confidence : ndarray of float64, shape=(n_doubted,), range [0, 1]
        Probability of the labeled class (self-confidence).

    References
    ----------
    C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset
    Labels", JAIR 2021, equations 1 and 2.

    Examples
    --------
    >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.95, 0.05]])
    >>> rows, instead, confidence = doubt(np.array([0, 0, 1, 1]), p)
    >>> rows.tolist(), instead.tolist(), confidence.tolist()
    ([3], [0], [0.05])
    """
    rows = np.flatnonzero(~np.isnan(probabilities).any(axis=1))
    p, labeled = probabilities[rows], given[rows]
    usual = np.full(p.shape[1], np.inf)  # a class without measured clips is no alternative
    for one in np.unique(labeled):
        usual[one] = p[labeled == one, one].mean()
    confident = np.where(p >= usual, p, -1.0)  # (n_measured, n_classes)
    instead = confident.argmax(axis=1)
    is_other = (confident.max(axis=1) >= 0) & (instead != labeled)
    found = np.flatnonzero(is_other & (p.argmax(axis=1) != labeled))
    return rows[found], instead[found], p[found, labeled[found]]


def _told(
    names: list[str],
    counts: list[Any],
    listed: list[dict[str, Any]],
    left_out: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "class_names": names,
        "counts": counts,
        "wrong": [one for one in listed if one["label"] != one["predicted"]],
        "right": [one for one in listed if one["label"] == one["predicted"]],
        "left_out": left_out,
    }


_Cells = dict[tuple[int, int], list[int]]


def _tabulate(
    given: NDArray[np.integer],
    predicted: NDArray[np.integer] | NDArray[np.bool_],
    n_kinds: int,
    task_ids: NDArray[np.int64],
) -> tuple[list[list[int]], _Cells]:
    """Count pairs of true and predicted class, and list the tasks of each."""
    counts = np.zeros((n_kinds, n_kinds), dtype=np.int64)
    cells: _Cells = {}
    for i, j, task_id in zip(
        given.tolist(), predicted.astype(int).tolist(), task_ids.tolist(), strict=True
    ):
        counts[i, j] += 1
        cells.setdefault((i, j), []).append(task_id)
    return counts.tolist(), dict(sorted(cells.items()))
