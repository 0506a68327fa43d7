"""Figures an annotator can trust: how good the current classifier is, and whether to go on.

*Cross-validated*: every labeled clip is judged by a classifier that never met its recording
(``out_of_fold.py``). The labels are those that were chosen, the hard ones among them: the figure is
rather too low. A class labeled in one recording only cannot be judged so and is left out.
Intervals rest on the number of recordings, since clips of one are right or wrong together.

*Audit*: clips drawn at random, which the classifier was never trained on (``audit.py``).

Both are mean recalls (balanced accuracy) with 95 % intervals, and recalls per class. Where a clip
may have several labels, a class's figure is the mean of its recall of yes and of no.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.classifier import Classifier
from ml_backend.embedded import EmbeddedClips
from ml_backend.evaluation import undiscovered
from ml_backend.intervals import Estimate, mean_of, wilson
from ml_backend.label_config import LabelConfig
from ml_backend.labeled import LabeledSet
from ml_backend.out_of_fold import OutOfFold

_STABLE = 0.99
_N_STABLE = 3
_DISCOVERED = 0.02


def is_due(n_labeled: int, n_before: int) -> bool:
    """Tell whether there are enough new labels for new figures: five, or one in twenty.

    Examples
    --------
    >>> is_due(14, 10), is_due(15, 10), is_due(400, 390)
    (False, True, False)
    """
    return n_labeled >= n_before + max(5, n_before // 20)


def cross_validate(judged: OutOfFold, config: LabelConfig) -> dict[str, Any] | None:
    """Tell how good classifiers are on recordings they never met.

    Returns
    -------
    dict or None
        As ``summarize_recalls``; None while fewer than two classes can be judged.
    """
    says = decide(judged.probabilities, multi_label=config.multi_label)
    return summarize_recalls(judged.labels, says, judged.groups, config)


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
    says = decide_about(classifier, clips, audited.rows, prior)
    return summarize_recalls(audited.labels, says, np.arange(len(audited)), config)


def decide_about(
    classifier: Classifier,
    clips: EmbeddedClips,
    rows: NDArray[np.int64],
    prior: NDArray[np.float32] | None,
) -> NDArray[np.int8]:
    """Give what a classifier says of clips, 0/1, shape=(n_rows, n_classes)."""
    probabilities = classifier.probabilities(
        clips.embeddings[rows], None if prior is None else prior[rows]
    )
    return decide(probabilities, multi_label=classifier.multi_label)


def decide(probabilities: NDArray[np.float64], *, multi_label: bool) -> NDArray[np.int8]:
    """Turn probabilities into 0/1, shape=(n_clips, n_classes); NaN into -1, nothing judged.

    Examples
    --------
    >>> decide(np.array([[0.3, 0.7], [np.nan, np.nan]]), multi_label=False).tolist()
    [[0, 1], [-1, -1]]
    """
    if multi_label:
        says = probabilities > 0.5
    else:
        says = np.eye(probabilities.shape[1], dtype=bool)[probabilities.argmax(axis=1)]
    return np.where(np.isnan(probabilities), np.int8(-1), says.astype(np.int8))


def summarize_recalls(
    labels: NDArray[np.int8],
    says: NDArray[np.int8],
    groups: NDArray[np.int64],
    config: LabelConfig,
) -> dict[str, Any] | None:
    """Give ``balanced_accuracy`` and ``per_class`` as dicts of ``intervals.Estimate``.

    Parameters
    ----------
    labels, says : ndarray, shape=(n_clips, n_classes)
        0/1; -1 in ``says`` where nothing was judged.
    groups : ndarray of int64, shape=(n_clips,)
        Clips of one group are one observation.
    config : LabelConfig
    """
    per_class: dict[str, Estimate] = {}
    for column, name in enumerate(config.class_names):
        is_judged = says[:, column] >= 0
        sides = []
        for side in (1, 0) if config.multi_label else (1,):
            mine = is_judged & (labels[:, column] == side)
            if mine.any():
                n_groups = len(np.unique(groups[mine]))
                right = float((says[mine, column] == side).mean())
                sides.append(wilson(right * n_groups, n_groups))
        if len(sides) == (2 if config.multi_label else 1):
            per_class[name] = mean_of(sides)
    if len(per_class) < (1 if config.multi_label else 2):
        return None
    return {
        "balanced_accuracy": _rounded(mean_of(list(per_class.values()))),
        "per_class": {name: _rounded(one) for name, one in per_class.items()},
    }


def advise(kappas: Sequence[float | None], n_per_class: dict[str, int]) -> str:
    """Say in words whether more labels will change anything.

    Parameters
    ----------
    kappas : sequence of (float or None)
        Agreement of each classifier with the one before on the same clips, oldest first; None
        where it is not known.
    n_per_class : dict
        Labels of each class.

    References
    ----------
    M. Bloodgood, K. Vijay-Shanker, "A Method for Stopping Active Learning Based on Stabilizing
    Predictions", CoNLL 2009: stop when the mean of the last three is at least 0.99.

    Examples
    --------
    >>> advise([0.99, 1.0, 1.0], {"siren": 30, "other": 40})
    'You may stop: the classifier hardly changes any more (agreement 0.997 over the last three \
looks), and every class is well known.'
    """
    last = [kappa for kappa in kappas[-_N_STABLE:] if kappa is not None]
    n_all = sum(n_per_class.values())
    is_discovered = undiscovered(n_per_class) <= _DISCOVERED and min(n_per_class.values()) > 0
    if len(last) < _N_STABLE:
        return f"Go on: it is too early to tell ({n_all} labels)."
    agreement = float(np.mean(last))
    is_stable = agreement >= _STABLE
    if is_stable and is_discovered:
        return (
            f"You may stop: the classifier hardly changes any more (agreement {agreement:.3f} "
            "over the last three looks), and every class is well known."
        )
    if not is_stable:
        return f"Go on: labels still change the classifier (agreement {agreement:.3f})."
    rare = ", ".join(name for name, n in n_per_class.items() if n <= 1)
    return f"Go on: the classifier is stable, but hardly met {rare or 'some classes'} yet."


def _rounded(estimate: Estimate) -> dict[str, float]:
    return {
        name: value if isinstance(value, int) else round(value, 4)
        for name, value in vars(estimate).items()
    }
