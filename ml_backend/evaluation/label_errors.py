"""Where people and classifiers disagree: which classes are confused, and which labels to check.

Both look at what classifiers said that never met the clip's recording (``out_of_fold.py``), for a
classifier agrees with what it was trained on. A disagreement may be either side's mistake; a
label is worth checking where the classifier is more certain than it usually is. "Usually" is
measured class by class, since rare and hard classes get lower probabilities.
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
    """Count what was predicted against what people said; None where nothing was measured.

    Parameters
    ----------
    rule : Rule
        How classes are predicted.

    Returns
    -------
    dict or None
        ``class_names``, ``counts``, ``wrong``, ``right`` and ``left_out``. Where a clip has one
        label, ``counts[i][j]`` is the number of clips of class i that were taken for j, ``wrong``
        lists ``{"label", "predicted", "task_ids"}`` (names) for every i other than j, ``right`` for
        every i equal to j, and ``left_out`` ``{"label", "task_ids"}`` for what was not measured.
        Where it may have several, ``counts[k]`` is ``[[no as no, no as yes], [yes as no, yes as
        yes]]`` of class k, ``wrong`` lists ``{"class", "label", "predicted", "task_ids"}`` (yes:
        true), ``right`` the same for yes as yes, and ``left_out`` is empty.
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
    said = predicted[mine].argmax(axis=1)
    counts, cells = _tabulate(given, said, len(names), out_of_fold.task_ids[mine])
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
    """List the labels most worth checking, the least believed first, at most ``N_SUSPECTS``.

    Returns
    -------
    list of dict
        ``task_id``; ``labels`` as given; ``predicted``, what the classifier would say instead;
        ``confidence``, the probability of what was given (of several doubted answers about one
        clip, the lowest).
    """
    names = np.array(config.class_names, dtype=object)
    labels, p = out_of_fold.labels, out_of_fold.probabilities
    instead = labels.copy()
    confidence = np.full(len(labels), np.inf)
    if config.multi_label:
        for k in range(len(names)):
            both = np.stack([1.0 - p[:, k], p[:, k]], axis=1)
            rows, said, believed = doubt(labels[:, k].astype(np.int64), both)
            instead[rows, k] = said
            confidence[rows] = np.minimum(confidence[rows], believed)
    else:
        rows, said, confidence[rows] = doubt(labels.argmax(axis=1), p)
        instead[rows] = np.eye(len(names), dtype=np.int8)[said]
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

    A clip counts confidently as class j where its probability of j is at least the mean
    probability of j over the clips labeled j; of several such classes, as the likeliest. A clip
    that counts confidently as another class than it was labeled is in doubt, unless its own class
    is the likeliest all the same (as is often so while labels are few).

    Parameters
    ----------
    given : ndarray of int64, shape=(n_clips,)
        Class of each clip, as labeled.
    probabilities : ndarray, shape=(n_clips, n_classes)
        Out of fold; rows with NaN are left out.

    Returns
    -------
    rows, instead : ndarray of int64, shape=(n_doubted,)
        The clips in doubt, and the class each counts confidently as.
    confidence : ndarray of float64, shape=(n_doubted,)
        Probability of the class it was labeled (self-confidence).

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
    usual = np.full(p.shape[1], np.inf)  # a class nobody was measured for is no alternative
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
    said: NDArray[np.integer] | NDArray[np.bool_],
    n_kinds: int,
    task_ids: NDArray[np.int64],
) -> tuple[list[list[int]], _Cells]:
    """Count pairs, and list the tasks of each."""
    counts = np.zeros((n_kinds, n_kinds), dtype=np.int64)
    cells: _Cells = {}
    for i, j, task_id in zip(
        given.tolist(), said.astype(int).tolist(), task_ids.tolist(), strict=True
    ):
        counts[i, j] += 1
        cells.setdefault((i, j), []).append(task_id)
    return counts.tolist(), dict(sorted(cells.items()))
