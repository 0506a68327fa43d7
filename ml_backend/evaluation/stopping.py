"""The stopping criterion: three conditions before Earmark recommends to stop labeling.

1. *Precise*: balanced accuracy of all classes has a 95 % interval no wider than ``WIDTH`` on a
   random sample or, as weaker evidence, a range that narrow by cross-validation.
2. *Complete*: every class has at least ``N_PER_CLASS`` labels.
3. *Stable*: over the last three measurements, each classifier agreed with the one before (mean
   kappa at least 0.99).

``benchmarks/stopping.py`` measures how often that is too early.

References
----------
M. Bloodgood, K. Vijay-Shanker, "A Method for Stopping Active Learning Based on Stabilizing
Predictions", CoNLL 2009: the third condition.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

import numpy as np

from ml_backend.evaluation.intervals import spell_estimate
from ml_backend.evaluation.measurements import Measurement, apart, label_step

WIDTH = 0.3
N_PER_CLASS = 20
_STABLE = 0.99
_N_STABLE = 3
_N_NAMED = 3

_GROUNDS = {"audit": "on {n} randomly sampled clips", "cross_validated": "by cross-validation"}
_CALLED = {"audit": "an interval", "cross_validated": "a range"}
"""Figures on selected labels have no guaranteed coverage, so their range is no interval."""


@dataclass(frozen=True)
class Need:
    """A condition that is not met yet.

    ``n_labels`` estimates the number of further labels; if ``is_least``, it is a lower bound.
    """

    words: str
    n_labels: int
    is_least: bool = False


@dataclass(frozen=True)
class Stopping:
    """The state of the stopping criterion.

    Attributes
    ----------
    is_reached : bool
    rests_on : str or None
        ``audit`` or ``cross_validated``: the figure whose interval is narrow enough.
    missing : list of str
        Unmet conditions: ``interval``, ``classes`` or ``stability``.
    about_n_labels : int or None
        Estimated number of further labels; 0 if none is needed, None if unknown.
    is_least : bool
        Whether ``about_n_labels`` is a lower bound: it cannot be estimated when predictions become
        stable, or when a class without labels occurs.
    agreement : float or None
        Mean kappa over the last three measurements.
    words : str
        The state as a sentence.
    """

    is_reached: bool
    rests_on: str | None
    missing: list[str]
    about_n_labels: int | None
    is_least: bool
    agreement: float | None
    words: str

    def facts(self) -> dict[str, Any]:
        """Return all attributes but ``words``."""
        return {name: value for name, value in asdict(self).items() if name != "words"}


def assess_stopping(
    line: Sequence[Measurement], n_per_class: Mapping[str, int], n_labeled: int
) -> Stopping:
    """Evaluate the stopping criterion on the valid measurements.

    Parameters
    ----------
    line : sequence of Measurement
        Sorted by number of labels (``measurements.line_of``).
    n_per_class : mapping
        Current number of labels of each class.
    n_labeled : int
        Current number of clips with a usable label.

    Examples
    --------
    >>> assess_stopping([], {"siren": 4, "other": 36}, 40).missing
    ['interval', 'classes', 'stability']
    """
    rests_on = _sharp(line)
    kappas = [one.figures["kappa"] for one in apart(line)[-_N_STABLE:]]
    known = [kappa for kappa in kappas if kappa is not None]
    agreement = round(float(np.mean(known)), 4) if len(known) == _N_STABLE else None
    needs = {
        "interval": None if rests_on else _need_of_interval(line),
        "classes": _need_of_classes(line, n_per_class, n_labeled),
        "stability": _need_of_stability(known, agreement, n_labeled),
    }
    missing = {name: need for name, need in needs.items() if need}
    if missing:
        longest = max(missing.values(), key=lambda need: (need.n_labels, need.is_least))
        about = longest.n_labels or None
        is_least = any(need.is_least for need in missing.values())
        words = "; ".join(need.words for need in missing.values())
        return Stopping(
            False,
            rests_on,
            list(missing),
            about,
            is_least,
            agreement,
            f"Go on: {words}. {_tell_number(longest, is_least)}",
        )
    assert rests_on is not None
    words = _tell_reached(line[-1], rests_on, agreement)
    return Stopping(True, rests_on, [], 0, False, agreement, words)


def _sharp(line: Sequence[Measurement]) -> str | None:
    """Return the name of the figure whose interval is narrow enough, the unbiased one first."""
    for name in _GROUNDS:
        width = _width(line[-1].figures[name]) if line else None
        if width is not None and width <= WIDTH:
            return name
    return None


def _width(figures: dict[str, Any] | None) -> float | None:
    """Return the width of an interval; None if it leaves out a class."""
    if not figures or figures.get("left_out"):
        return None
    return float(figures["balanced_accuracy"]["high"] - figures["balanced_accuracy"]["low"])


def _need_of_interval(line: Sequence[Measurement]) -> Need:
    """Estimate by the square root law: half the width takes four times the labels."""
    figures = line[-1].figures if line else {"audit": None, "cross_validated": None}
    widths = {name: _width(figures[name]) for name in _GROUNDS}
    known = {name: width for name, width in widths.items() if width is not None}
    if not known:
        across = figures["cross_validated"] or {}
        classes = _named(across.get("left_out", []))
        why = f" ({classes}: in too few recordings to be judged)" if classes else ""
        return Need(f"how good the classifier is cannot be told yet{why}", 0, is_least=True)
    name = min(known, key=lambda name: known[name])
    n_more = line[-1].n_labeled * ((known[name] / WIDTH) ** 2 - 1)
    where = _GROUNDS[name].format(n=figures["n_audit"])
    return Need(
        f"balanced accuracy {where} has {_CALLED[name]} of width "
        f"{ceil(100 * known[name]) / 100:.2f} "
        f"({WIDTH:.2f} is wanted)",
        ceil(n_more),
    )


def _need_of_classes(
    line: Sequence[Measurement], n_per_class: Mapping[str, int], n_labeled: int
) -> Need | None:
    """Estimate from the rate of labels of the rarest class.

    Clips that are easy to find come first: the rate is that of all labels or of their second half,
    whichever is lower.
    """
    few = sorted((n, name) for name, n in n_per_class.items() if n < N_PER_CLASS)
    if not few:
        return None
    named = _named([f"{name} has {n or 'no'} label{'' if n == 1 else 's'}" for n, name in few])
    n_rarest, rarest = few[0]
    rate = n_rarest / max(n_labeled, 1)
    halfway = [one for one in line if 2 * one.n_labeled <= n_labeled and "labels" in one.figures]
    if halfway:
        n_then = halfway[-1].figures["labels"].get(rarest, 0)
        n_since = max(n_rarest - n_then, 0.5)
        rate = min(rate, n_since / (n_labeled - halfway[-1].n_labeled))
    n_wanted = N_PER_CLASS - n_rarest
    words = f"{named} ({N_PER_CLASS} are wanted)"
    return Need(words, ceil(n_wanted / rate) if n_rarest else n_wanted, is_least=not n_rarest)


def _need_of_stability(
    kappas: Sequence[float], agreement: float | None, n_labeled: int
) -> Need | None:
    """Estimate under the assumption that classifiers agree from now on."""
    if agreement is not None and agreement >= _STABLE:
        return None
    step = label_step(n_labeled)
    if agreement is None:
        n_looks = _N_STABLE - len(kappas)
        return Need(
            f"too few classifiers were compared with the one before ({len(kappas)} of {_N_STABLE})",
            n_looks * step,
            is_least=True,
        )
    n_looks = next(
        n for n in range(1, _N_STABLE + 1) if (sum(kappas[n:]) + n) / _N_STABLE >= _STABLE
    )
    return Need(
        f"labels still change the predictions (agreement {agreement:.3f} over the last three "
        f"measurements; {_STABLE} is wanted)",
        n_looks * step,
        is_least=True,
    )


def _tell_number(longest: Need, is_least: bool) -> str:
    """Describe the number as an estimate, or as a lower bound if the longest need is one."""
    if longest.n_labels == 0:
        return "How many more labels that takes cannot be told yet."
    number = _round_up(longest.n_labels)
    if longest.is_least:
        return f"That takes {number} more labels at the least."
    return f"That takes about {number} more labels{', or more' if is_least else ''}."


def _tell_reached(look: Measurement, rests_on: str, agreement: float | None) -> str:
    balanced = look.figures[rests_on]["balanced_accuracy"]
    figure = f"balanced accuracy is {spell_estimate(balanced)}"
    rest = (
        f"every class has {N_PER_CLASS} labels or more, and the last labels hardly changed the "
        f"predictions (agreement {agreement:.3f})"
    )
    n_audit = look.figures["n_audit"]
    if rests_on == "audit":
        return f"You may stop: {figure} on {n_audit} randomly sampled clips, {rest}."
    drawn = f"only {n_audit}" if n_audit else "no"
    clips = "clip" if n_audit == 1 else "clips"
    return (
        f"You can probably stop: {figure} by cross-validation, {rest}. That was measured on chosen "
        f"labels; {drawn} randomly sampled {clips} can confirm it."
    )


def _named(words: Sequence[str]) -> str:
    more = len(words) - _N_NAMED
    return ", ".join(words[:_N_NAMED]) + (f" and {more} more" if more > 0 else "")


def _round_up(number: int) -> int:
    """Round up to the precision of the estimate."""
    for step, most in ((5, 100), (10, 200), (50, 1_000)):
        if number <= most:
            return ceil(number / step) * step
    return ceil(number / 100) * 100
