"""Performance of the current classifier on labeled clips.

*Cross-validated*: every labeled clip is predicted by a classifier that was not trained on its
recording (``cross_validation.py``). A strategy selected the clips, hard ones among them: the figure
tends to be too low. A class labeled in one recording only cannot be measured and is left out.
Intervals use the number of recordings, since the errors of one recording's clips correlate.

*Audit*: a random sample that is never trained on (``learning/audit_slice.py``).

Both are mean recalls (balanced accuracy) with 95 % intervals, and recalls per class. If a clip may
have several labels, a class's figure is the mean of its recall of yes and of no.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.evaluation.cross_validation import OutOfFold
from ml_backend.evaluation.intervals import Estimate, f1_of, mean_of, rounded, share_of, wilson
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.learning.classifier import Classifier
from ml_backend.learning.decision import Rule
from ml_backend.learning.embedded_clips import EmbeddedClips
from ml_backend.learning.labeled_set import LabeledSet


def cross_validate(
    out_of_fold: OutOfFold, config: LabelConfig, rule: Rule
) -> dict[str, Any] | None:
    """Compute the performance of classifiers on recordings that they were not trained on.

    Parameters
    ----------
    out_of_fold : OutOfFold
    config : LabelConfig
    rule : Rule
        Decision rule.

    Returns
    -------
    dict or None
        As ``summarize_recalls``; None while fewer than two classes can be measured.
    """
    predicted = decide(out_of_fold.probabilities, rule)
    return summarize_recalls(out_of_fold.labels, predicted, out_of_fold.groups, config)


def audit(
    classifier: Classifier | None,
    clips: EmbeddedClips,
    audited: LabeledSet,
    config: LabelConfig,
    prior: NDArray[np.float32] | None,
) -> dict[str, Any] | None:
    """Compute the performance of the current classifier on the audit labels; None without any."""
    if classifier is None or not len(audited):
        return None
    predicted = decide_about(classifier, clips, audited.rows, prior, classifier.rule)
    found = summarize_recalls(audited.labels, predicted, np.arange(len(audited)), config)
    return found and {**found, "classes": _count_classes(audited.labels, predicted, config)}


def _count_classes(
    labels: NDArray[np.int8], predicted: NDArray[np.int8], config: LabelConfig
) -> dict[str, dict[str, Any]]:
    """Compute share, precision, recall and F1 of each class in a random sample."""
    counted = {}
    for column, name in enumerate(config.class_names):
        has, is_predicted = labels[:, column] == 1, predicted[:, column] == 1
        n_right = int((has & is_predicted).sum())
        found = {
            "share": share_of(int(has.sum()), len(has)),
            "precision": share_of(n_right, int(is_predicted.sum())),
            "recall": share_of(n_right, int(has.sum())),
            "f1": f1_of(n_right, int((has | is_predicted).sum())),
        }
        counted[name] = {one: rounded(value) for one, value in found.items() if value}
    return counted


def decide_about(
    classifier: Classifier,
    clips: EmbeddedClips,
    rows: NDArray[np.int64],
    prior: NDArray[np.float32] | None,
    rule: Rule,
) -> NDArray[np.int8]:
    """Predict the classes of clips, 0/1, shape=(n_rows, n_classes)."""
    probabilities = classifier.probabilities(
        clips.embeddings[rows], None if prior is None else prior[rows]
    )
    return decide(probabilities, rule)


def decide(probabilities: NDArray[np.float64], rule: Rule) -> NDArray[np.int8]:
    """Convert probabilities to predictions, 0/1, shape=(n_clips, n_classes); NaN to -1.

    Examples
    --------
    >>> rule = Rule.balanced(2, multi_label=False)
    >>> decide(np.array([[0.3, 0.7], [np.nan, np.nan]]), rule).tolist()
    [[0, 1], [-1, -1]]
    """
    predicted = rule.decide(probabilities)
    return np.where(np.isnan(probabilities), np.int8(-1), predicted.astype(np.int8))


def summarize_recalls(
    labels: NDArray[np.int8],
    says: NDArray[np.int8],
    groups: NDArray[np.int64],
    config: LabelConfig,
) -> dict[str, Any] | None:
    """Compute recalls with intervals.

    Parameters
    ----------
    labels, says : ndarray, shape=(n_clips, n_classes)
        Labels and predictions, 0/1; -1 in ``says`` where nothing was measured.
    groups : ndarray of int64, shape=(n_clips,)
        Clips of one group are one observation.
    config : LabelConfig

    Returns
    -------
    dict or None
        ``balanced_accuracy`` and ``per_class`` as dicts of ``intervals.Estimate``; ``left_out``,
        the names of the classes that the balanced accuracy leaves out. None while fewer than two
        classes (one if a clip may have several labels) can be measured.
    """
    per_class: dict[str, Estimate] = {}
    for column, name in enumerate(config.class_names):
        is_measured = says[:, column] >= 0
        sides = []
        for side in (1, 0) if config.multi_label else (1,):
            mine = is_measured & (labels[:, column] == side)
            if mine.any():
                n_groups = len(np.unique(groups[mine]))
                right = float((says[mine, column] == side).mean())
                sides.append(wilson(right * n_groups, n_groups))
        if len(sides) == (2 if config.multi_label else 1):
            per_class[name] = mean_of(sides)
    if len(per_class) < (1 if config.multi_label else 2):
        return None
    return {
        "balanced_accuracy": rounded(mean_of(list(per_class.values()))),
        "per_class": {name: rounded(one) for name, one in per_class.items()},
        "left_out": [name for name in config.class_names if name not in per_class],
    }
