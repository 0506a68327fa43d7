"""Summaries of simulated runs: means with intervals, and each strategy against random.

The baseline of a strategy is ``random`` after random first labels if that was simulated, else
``random`` after the same first labels. Differences are computed per run: both have the same pool
and test clips in a run.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.evaluation.intervals import mean_over_runs
from ml_backend.evaluation.metrics import (
    FIGURES,
    area_under_curve,
    label_efficiency,
    labels_to_target,
)

BASELINE = "random"
TARGETS = (0.8, 0.85, 0.9, 0.95)
_HIGHEST = {"log_loss": math.inf}
"""Upper bounds of figures that may exceed 1."""

Kind = tuple[str, str]
Curves = Sequence[dict[str, Any]]


def summarize(curves: Curves) -> list[dict[str, Any]]:
    """Return one row per strategy and number of labels.

    Parameters
    ----------
    curves : sequence of dict
        The result of ``simulation.simulate``.

    Returns
    -------
    list of dict
        ``strategy``, ``initial_strategy``, ``n_labels``, ``n_runs``; for each of
        ``metrics.FIGURES`` its mean, standard deviation and the 95 % interval of the mean; and
        ``difference``: the same of balanced accuracy and F1 minus the baseline's, per run, or
        None without a baseline.
    """
    rows = []
    for kind in kinds(curves):
        n_labels, figures = _by_run(curves, kind)
        baseline = _baseline(curves, kind)
        for place, n in enumerate(n_labels):
            row: dict[str, Any] = {
                "strategy": kind[0],
                "initial_strategy": kind[1],
                "n_labels": n,
                "n_runs": len(figures["f1"]),
            }
            row |= {
                name: mean_over_runs(figures[name][:, place], (0.0, _HIGHEST.get(name, 1.0)))
                for name in FIGURES
            }
            row["difference"] = baseline and {
                name: mean_over_runs(
                    figures[name][:, place] - baseline[name][:, place], (-1.0, 1.0)
                )
                for name in ("balanced_accuracy", "f1")
            }
            rows.append(row)
    return rows


def compare(curves: Curves) -> list[dict[str, Any]]:
    """Return one row per strategy that summarizes its curve of balanced accuracy.

    Returns
    -------
    list of dict
        ``area_under_curve`` with its interval; ``labels_to``: the number of labels at which the
        mean curve reaches each of ``TARGETS``, None if it does not; ``label_efficiency`` (see
        ``metrics.label_efficiency``).
    """
    rows = []
    for kind in kinds(curves):
        n_labels, figures = _by_run(curves, kind)
        runs = figures["balanced_accuracy"]  # (n_runs, n_rounds)
        mean = runs.mean(axis=0).tolist()
        baseline = _baseline(curves, kind)
        rows.append(
            {
                "strategy": kind[0],
                "initial_strategy": kind[1],
                "area_under_curve": mean_over_runs([area_under_curve(n_labels, r) for r in runs]),
                "labels_to": {
                    f"{target:g}": labels_to_target(n_labels, mean, target) for target in TARGETS
                },
                "label_efficiency": baseline
                and label_efficiency(
                    n_labels, mean, baseline["balanced_accuracy"].mean(axis=0).tolist()
                ),
            }
        )
    return rows


def kinds(curves: Curves) -> list[Kind]:
    """List the pairs of strategy and initial strategy, in the order of simulation."""
    return list(dict.fromkeys((row["strategy"], row["initial_strategy"]) for row in curves))


def _by_run(curves: Curves, kind: Kind) -> tuple[list[int], dict[str, NDArray[np.float64]]]:
    """Return the numbers of labels, and each figure as (n_runs, n_rounds)."""
    mine = [row for row in curves if (row["strategy"], row["initial_strategy"]) == kind]
    n_labels = sorted({row["n_labels"] for row in mine})
    runs = sorted({row["run"] for row in mine})
    figures: dict[str, NDArray[np.float64]] = {
        name: np.full((len(runs), len(n_labels)), np.nan) for name in FIGURES
    }
    for row in mine:
        place = runs.index(row["run"]), n_labels.index(row["n_labels"])
        for name in FIGURES:
            figures[name][place] = row[name]
    return n_labels, figures


def _baseline(curves: Curves, kind: Kind) -> dict[str, NDArray[np.float64]] | None:
    played = kinds(curves)
    for baseline in ((BASELINE, BASELINE), (BASELINE, kind[1])):
        if baseline in played:
            return None if baseline == kind else _by_run(curves, baseline)[1]
    return None
