"""Figures an annotator can trust: how good the current classifier is.

*Cross-validated*: every labeled clip is predicted by a classifier that never met its recording
(``out_of_fold.py``). The labels are those that were chosen, the hard ones among them: the figure is
rather too low. A class labeled in one recording only cannot be measured so and is left out.
Intervals rest on the number of recordings, since clips of one are right or wrong together.

*Audit*: clips drawn at random, which the classifier was never trained on (``audit.py``).

Both are mean recalls (balanced accuracy) with 95 % intervals, and recalls per class. Where a clip
may have several labels, a class's figure is the mean of its recall of yes and of no.
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
    """Tell how good classifiers are on labeled clips of recordings they never met.

    Parameters
    ----------
    rule : Rule
        How classes are predicted.

    Returns
    -------
    dict or None
        As ``summarize_recalls``; None while fewer than two classes can be measured.
    """
    says = decide(out_of_fold.probabilities, rule)
    return summarize_recalls(out_of_fold.labels, says, out_of_fold.groups, config)


def audit(
    classifier: Classifier | None,
    clips: EmbeddedClips,
    audited: LabeledSet,
    config: LabelConfig,
    prior: NDArray[np.float32] | None,
) -> dict[str, Any] | None:
    """Judge the audit slice by the current classifier; None while that says nothing."""
    if classifier is None or not len(audited):
        return None
    says = decide_about(classifier, clips, audited.rows, prior, classifier.rule)
    found = summarize_recalls(audited.labels, says, np.arange(len(audited)), config)
    return found and {**found, "classes": _count_classes(audited.labels, says, config)}


def _count_classes(
    labels: NDArray[np.int8], says: NDArray[np.int8], config: LabelConfig
) -> dict[str, dict[str, Any]]:
    """Give share, precision, recall and F1 of each class among clips drawn at random."""
    counted = {}
    for column, name in enumerate(config.class_names):
        has, said = labels[:, column] == 1, says[:, column] == 1
        n_right = int((has & said).sum())
        found = {
            "share": share_of(int(has.sum()), len(has)),
            "precision": share_of(n_right, int(said.sum())),
            "recall": share_of(n_right, int(has.sum())),
            "f1": f1_of(n_right, int((has | said).sum())),
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
    """Give what is predicted of clips, 0/1, shape=(n_rows, n_classes)."""
    probabilities = classifier.probabilities(
        clips.embeddings[rows], None if prior is None else prior[rows]
    )
    return decide(probabilities, rule)


def decide(probabilities: NDArray[np.float64], rule: Rule) -> NDArray[np.int8]:
    """Turn probabilities into 0/1, shape=(n_clips, n_classes); NaN into -1, nothing measured.

    Examples
    --------
    >>> rule = Rule.balanced(2, multi_label=False)
    >>> decide(np.array([[0.3, 0.7], [np.nan, np.nan]]), rule).tolist()
    [[0, 1], [-1, -1]]
    """
    says = rule.decide(probabilities)
    return np.where(np.isnan(probabilities), np.int8(-1), says.astype(np.int8))


def summarize_recalls(
    labels: NDArray[np.int8],
    says: NDArray[np.int8],
    groups: NDArray[np.int64],
    config: LabelConfig,
) -> dict[str, Any] | None:
    """Give ``balanced_accuracy`` and ``per_class`` as dicts of ``intervals.Estimate``.

    ``left_out`` names the classes that the balanced accuracy does not speak of.

    Parameters
    ----------
    labels, says : ndarray, shape=(n_clips, n_classes)
        0/1; -1 in ``says`` where nothing was measured.
    groups : ndarray of int64, shape=(n_clips,)
        Clips of one group are one observation.
    config : LabelConfig
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
