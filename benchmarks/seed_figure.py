"""Show the results of ``seed_comparison.py``: tables in Markdown, and a figure."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml_backend.evaluation.intervals import mean_over_runs

Results = Sequence[dict[str, Any]]
Figures = dict[Any, list[tuple[float, float]]]

# The seed's balanced accuracy, by strategy and labels, for UrbanSound8K's siren. Its first 40
# labels were selected on the similarity map.
SEED = {"at random": {60: 0.80}, "by the seed's rule": {40: 0.83, 60: 0.88}}
COLORS = {
    "Earmark": "#c0392b",
    "logistic regression": "#2471a3",
    "MLP on the embedding": "#1e8449",
    "MLP from scratch": "#b9770e",
    "CNN from scratch": "#7f8c8d",
}


def curves_of(results: Results) -> dict[tuple[str, str], Figures]:
    """Return the runs' (balanced accuracy, F1) by number of labels, by strategy and model."""
    curves: dict[tuple[str, str], Figures] = {}
    for row in results:
        points = curves.setdefault((row["choice"], row["model"]), {})
        points.setdefault(row["n_labels"], []).append((row["balanced_accuracy"], row["f1"]))
    return curves


def print_tables(results: Results) -> None:
    """Print balanced accuracy and the target's F1, one table per protocol."""
    for protocol in dict.fromkeys(row["protocol"] for row in results):
        mine = [row for row in results if row["protocol"] == protocol]
        sizes = list(dict.fromkeys(row["n_labels"] for row in mine))
        n_all = np.mean([row["n_trained_on"] for row in mine if row["n_labels"] == "all"])
        print(
            f"\n{protocol}: balanced accuracy, mean ± standard deviation over runs (F1 of siren);"
        )
        print(f"'all' is {n_all:.0f} labels on the mean\n")
        print("| labels chosen | model | runs |", *(f"{size} |" for size in sizes))
        print("|---|---|---|", *("---|" for _ in sizes))
        for (choice, model), points in curves_of(mine).items():
            cells = []
            for runs in points.values():
                accuracy, f1 = zip(*runs, strict=True)
                spread = mean_over_runs(accuracy)
                cells.append(f"{spread['mean']:.3f} ± {spread['sd'] or 0:.3f} ({np.mean(f1):.2f})")
            n_runs = max(len(runs) for runs in points.values())
            print("|", choice, "|", model, "|", n_runs, "|", " | ".join(cells), "|")
        n_target: dict[tuple[str, Any], list[int]] = {}
        for row in mine:
            n_target.setdefault((row["choice"], row["n_labels"]), []).append(row["n_target"])
        for choice in dict.fromkeys(row["choice"] for row in mine):
            counts = [f"{np.mean(n_target[choice, size]):.0f}" for size in sizes]
            print("|", choice, "| sirens among the labels | |", " | ".join(counts), "|")


def draw(results: Results, path: Path) -> None:
    """Draw balanced accuracy against labels, with the 95 % intervals of the means."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    n_all = round(np.mean([row["n_trained_on"] for row in results if row["n_labels"] == "all"]))
    curves = curves_of(results)
    choices = list(dict.fromkeys(choice for choice, _ in curves))
    figure, axes = pyplot.subplots(
        1, len(choices), figsize=(11, 4.4), sharex=True, sharey=True, layout="constrained"
    )
    for axis, choice in zip(axes, choices, strict=True):
        for (of_choice, model), points in curves.items():
            if of_choice == choice:
                n_labels = [n_all if n == "all" else n for n in points]
                spreads = [mean_over_runs([one for one, _ in runs]) for runs in points.values()]
                color = COLORS[model]
                means = [spread["mean"] for spread in spreads]
                axis.plot(n_labels, means, "o-", color=color, markersize=4, label=model)
                if spreads[0]["low"] is not None:
                    low, high = ([spread[end] for spread in spreads] for end in ("low", "high"))
                    axis.fill_between(n_labels, low, high, color=color, alpha=0.15, linewidth=0)
        told = SEED.get(choice, {})
        if told:
            axis.plot(*zip(*told.items(), strict=True), "k*", markersize=11, label="the seed's own")
        axis.set_title(f"labels chosen {choice}", fontsize=11)
        axis.set_xscale("log")
        ticks = [n for n in curves[choice, "Earmark"] if n != "all"]
        axis.set_xticks([*ticks, n_all], [*map(str, ticks), f"all\n({n_all})"])
        axis.minorticks_off()
        axis.set_xlabel("labels")
        axis.grid(alpha=0.3)
    axes[0].set_ylim(0.45, 1.0)
    axes[0].set_ylabel("balanced accuracy, siren against the rest")
    handles, labels = axes[min(1, len(axes) - 1)].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.savefig(path, dpi=110)
