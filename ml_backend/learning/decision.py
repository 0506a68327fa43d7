"""From probabilities to classes: one decision rule wherever a class is predicted.

Each class has an offset that is added to the logarithm of its probability. The class with the
highest sum is predicted or, if a clip may have several labels, every class whose log-odds plus
offset are at least 0. Offsets of 0 predict the most likely class, or every class of 0.5 or more:
the best rule for balanced accuracy, because the probabilities assume that all classes are equally
frequent. For a rare class, most predictions are then wrong.

For other objectives, offsets are fitted on the pool: cross-validated curves (``posterior.py``)
estimate how likely each clip has each class, from which precision, recall and F1 follow for any
offsets, and a search finds the best ones.

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
"""Least number of recordings with a class, and without it, to measure the class."""
_CANDIDATES = np.array(sorted(np.arange(-24, 25) / 6.0, key=abs))
"""Offsets of the search, nearest to 0 first."""
_AS_GOOD = 0.01
"""Of the offsets within this of the best value, the nearest to 0 is taken: labels are few."""
_N_PASSES = 2
_PENALTY = 10.0
"""Cost of each missing hundredth of precision, in hundredths of recall."""


@dataclass(frozen=True)
class Rule:
    """A decision rule.

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
        """Return the rule with offsets of 0."""
        return cls(BALANCED, np.zeros(n_classes), multi_label)

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], n_classes: int, multi_label: bool
    ) -> "Rule":
        """Return the rule of ``objective`` and ``offsets``; without them, the balanced one."""
        if "offsets" not in arrays:
            return cls.balanced(n_classes, multi_label=multi_label)
        return cls(str(arrays["objective"]), arrays["offsets"], multi_label)

    def decide(self, probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Predict the classes of clips, exactly one per clip unless ``multi_label``.

        Parameters
        ----------
        probabilities : ndarray, shape=(n_clips, n_classes), range [0, 1]

        Returns
        -------
        ndarray of bool, shape=(n_clips, n_classes)

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
        """Return the rule in JSON.

        Returns
        -------
        dict
            ``objective``; ``thresholds``, the least probability at which each class is predicted,
            or, if one of three classes or more is predicted, ``weights``, the factors of their
            probabilities before the maximum (the other of the two is None); ``words``.

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
    """Search the offsets that are best for an objective on the pool.

    Parameters
    ----------
    objective : str
        ``balanced``; ``f1``: the mean F1 of the classes; or ``precision:0.9``: the most recall at
        which the precision of every class is at least 0.9, or nearest to it.
    labels : ndarray of int8, shape=(n_labeled, n_classes)
    probabilities : ndarray, shape=(n_labeled, n_classes), range [0, 1]
        Out-of-fold probabilities; NaN where there is none.
    groups : ndarray of int64, shape=(n_labeled,)
        Recording of each clip.
    pool : ndarray, shape=(n_pool, n_classes), range [0, 1]
        The classifier's probabilities of pool clips.
    multi_label : bool

    Returns
    -------
    Rule
        The offset of a class that cannot be measured is 0.
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
    """Return whether two recordings with a class, and two without it, have a probability.

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
    """Return the best offset of the class in the first column.

    Parameters
    ----------
    ahead : ndarray, shape=(n_pool,)
        Lead of the class in log probability, before its offset.
    likely : ndarray, shape=(n_pool, n_measured)
    rival : ndarray of int64, shape=(n_pool,), or None
        Column of the class that is predicted instead, -1 for one that is not measured; None if
        no class is.
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
