"""From probabilities to classes: one rule wherever a class is predicted.

Each class has an offset, added to the logarithm of its probability: the class of the highest sum
is predicted or, where a clip may have several labels, every class whose log-odds and offset are
not below 0. With offsets of 0 that is the likeliest class, and every class of 0.5 or more: right
for balanced accuracy, for the probabilities are those of a world where all classes are equally
frequent. Where a class is rare, most of what is called by its name is then something else.

For another objective, offsets are learned on the clips that nobody has labeled: curves learned
out of recording (``posterior.py``) tell how likely each has each class, so precision, recall and
F1 that offsets would have there can be computed, and the best offsets are searched.

References
----------
Z. C. Lipton, C. Elkan, B. Narayanaswamy, "Optimal Thresholding of Classifiers to Maximize F1
Measure", ECML 2014; H. Narasimhan et al., "Consistent Multiclass Algorithms for Complex Performance
Measures", ICML 2015: a weighted argmax is what maximizes macro F1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.learning.posterior import fit_curve, log_odds, shares

BALANCED = "balanced"
F1 = "f1"
PRECISION = "precision:"
_MEANS = {BALANCED: "balanced accuracy", F1: "the best F1"}
N_RECORDINGS = 2
"""A class is measured from so many recordings on, with it and without it."""
_CANDIDATES = np.array(sorted(np.arange(-24, 25) / 6.0, key=abs))
"""Offsets that are tried, those near 0 first."""
_AS_GOOD = 0.01
"""Of offsets within so much of the best value, the one nearest 0 is taken: labels are few."""
_N_PASSES = 2
_PENALTY = 10.0
"""What each missing hundredth of precision costs, in hundredths of recall."""


@dataclass(frozen=True)
class Rule:
    """How classes are predicted.

    Attributes
    ----------
    objective : str
        ``balanced``, ``f1`` or ``precision:0.9``.
    offsets : ndarray of float64, shape=(n_classes,)
    multi_label : bool
    """

    objective: str
    offsets: NDArray[np.float64]
    multi_label: bool

    @classmethod
    def balanced(cls, n_classes: int, *, multi_label: bool) -> "Rule":
        """Give the rule that favors no class."""
        return cls(BALANCED, np.zeros(n_classes), multi_label)

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], n_classes: int, multi_label: bool
    ) -> "Rule":
        """Make a rule of ``objective`` and ``offsets``; without them, the balanced one."""
        if "offsets" not in arrays:
            return cls.balanced(n_classes, multi_label=multi_label)
        return cls(str(arrays["objective"]), arrays["offsets"], multi_label)

    def decide(self, probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which classes clips are predicted to have, shape=(n_clips, n_classes).

        Exactly one, unless several labels may be present.

        Examples
        --------
        >>> rule = Rule("f1", np.array([-1.0, 0.0]), multi_label=False)
        >>> rule.decide(np.array([[0.6, 0.4], [0.8, 0.2]])).tolist()
        [[False, True], [True, False]]
        """
        if self.multi_label:
            return np.asarray(probabilities >= 1.0 / (1.0 + np.exp(self.offsets)))
        best = (probabilities * np.exp(self.offsets)).argmax(axis=1)
        return np.asarray(best[:, None] == np.arange(len(self.offsets)))

    def describe(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Tell the rule in JSON.

        Returns
        -------
        dict
            ``objective``; ``thresholds``, from which probability on each class is predicted; and,
            where one of three classes or more is, ``weights`` instead, what their probabilities are
            multiplied by before the highest is taken; the other one is None; ``words``.

        Examples
        --------
        >>> rule = Rule("f1", np.array([-np.log(4), 0.0]), multi_label=False)
        >>> rule.describe(["siren", "other"])["thresholds"]
        {'siren': 0.8, 'other': 0.2}
        """
        thresholds = self._thresholds()
        weights = np.round(np.exp(self.offsets), 4).tolist()
        return {
            "objective": self.objective,
            "thresholds": None if thresholds is None else _by_name(class_names, thresholds),
            "weights": _by_name(class_names, weights) if thresholds is None else None,
            "words": f"predicted for {_MEANS.get(self.objective) or _precise(self.objective)}",
        }

    def _thresholds(self) -> list[float] | None:
        if not self.multi_label and len(self.offsets) != 2:
            return None
        ahead = self.offsets if self.multi_label else self.offsets - self.offsets[::-1]
        return [round(float(one), 4) for one in 1.0 / (1.0 + np.exp(ahead))]


def learn_rule(
    objective: str,
    labels: NDArray[np.int8],
    probabilities: NDArray[np.float64],
    groups: NDArray[np.int64],
    pool: NDArray[np.float64],
    *,
    multi_label: bool,
) -> Rule:
    """Find the offsets that serve an objective best on clips that nobody has labeled.

    Parameters
    ----------
    objective : str
        ``balanced``; ``f1``: the mean F1 of the classes; or ``precision:0.9``: the most recall at
        which the precision of every class reaches 0.9, or comes nearest.
    labels : ndarray of int8, shape=(n_labeled, n_classes)
    probabilities : ndarray, shape=(n_labeled, n_classes)
        Of classifiers that never met the clip's recording; NaN where there is none.
    groups : ndarray of int64, shape=(n_labeled,)
        Recordings.
    pool : ndarray, shape=(n_pool, n_classes)
        What the classifier says of the clips that nobody has labeled.
    multi_label : bool

    Returns
    -------
    Rule
        A class that cannot be measured has offset 0.
    """
    n_classes = pool.shape[1]
    rule = Rule(objective, np.zeros(n_classes), multi_label)
    measured = [
        k for k in range(n_classes) if can_measure(labels[:, k], probabilities[:, k], groups)
    ]
    if objective == BALANCED or not len(pool) or len(measured) < (1 if multi_label else 2):
        return rule
    likely = np.zeros(pool.shape)  # that a clip has a class
    for k in measured:
        is_known = ~np.isnan(probabilities[:, k])
        curve = fit_curve(log_odds(probabilities[is_known, k]), labels[is_known, k] == 1)
        likely[:, k] = shares(curve, log_odds(pool[:, k]))[0]
    if multi_label:
        for k in measured:
            rule.offsets[k] = _search(objective, log_odds(pool[:, k]), likely[:, [k]], None)
        return rule
    with np.errstate(divide="ignore"):
        logs = np.log(pool)
    for k in measured[:1] if n_classes == 2 else measured * _N_PASSES:
        others = logs + rule.offsets
        others[:, k] = -np.inf
        rival = others.argmax(axis=1)
        ahead = logs[:, k] - others[np.arange(len(pool)), rival]
        columns = [k, *(one for one in measured if one != k)]
        rival_column = np.array(
            [columns.index(j) if j in columns else -1 for j in range(n_classes)]
        )
        rule.offsets[k] = _search(objective, ahead, likely[:, columns], rival_column[rival])
    return rule


def can_measure(
    labels: NDArray[np.int8], probabilities: NDArray[np.float64], groups: NDArray[np.int64]
) -> bool:
    """Tell whether a class was measured in two recordings, and in two without it.

    Examples
    --------
    >>> can_measure(np.array([1, 1, 0, 0]), np.full(4, 0.5), np.array([0, 0, 1, 2]))
    False
    """
    is_known = ~np.isnan(probabilities)
    return all(
        len(np.unique(groups[is_known & (labels == side)])) >= N_RECORDINGS for side in (0, 1)
    )


def _search(
    objective: str,
    ahead: NDArray[np.float64],
    likely: NDArray[np.float64],
    rival: NDArray[np.int64] | None,
) -> float:
    """Find the best offset of the class in the first column.

    Parameters
    ----------
    ahead : ndarray, shape=(n_pool,)
        By how much the class leads, before its offset.
    likely : ndarray, shape=(n_pool, n_measured)
    rival : ndarray of int64, shape=(n_pool,), or None
        Column of the class that is predicted instead, -1 for one that is not measured; None where
        nothing is.
    """
    n_measured = likely.shape[1]
    n_of_class = likely.sum(axis=0)
    values = []
    for offset in _CANDIDATES:
        column = np.where(ahead + offset >= 0, 0, -1 if rival is None else rival)
        mine = column >= 0
        right = np.bincount(column[mine], likely[mine, column[mine]], n_measured).astype(np.float64)
        n_predicted = np.bincount(column[mine], minlength=n_measured).astype(np.float64)
        values.append(_value(objective, right, n_predicted, n_of_class))
    best = max(values)
    return float(next(o for o, v in zip(_CANDIDATES, values, strict=True) if v >= best - _AS_GOOD))


def _value(
    objective: str,
    right: NDArray[np.float64],
    n_predicted: NDArray[np.float64],
    n_of_class: NDArray[np.float64],
) -> float:
    if objective == F1:
        return float((2.0 * right / (n_predicted + n_of_class)).mean())
    wanted = float(objective.removeprefix(PRECISION))
    missing = np.maximum(wanted - right / np.maximum(n_predicted, 1), 0.0) * (n_predicted > 0)
    return float((right / n_of_class - _PENALTY * missing).mean())


def _precise(objective: str) -> str:
    return f"a precision of {objective.removeprefix(PRECISION)}"


def _by_name(class_names: Sequence[str], values: list[float]) -> dict[str, float]:
    return dict(zip(class_names, values, strict=True))
