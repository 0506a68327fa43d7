"""Show what simulated runs say: a table in the terminal, learning curves as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ml_backend.evaluation.intervals import N_RUNS_LEAST

_COLUMNS = {
    "balanced_accuracy": "balanced accuracy",
    "f1": "F1",
    "average_precision": "avg. precision",
    "log_loss": "log-loss",
    "ece": "ECE",
}
_WIDTH = 140
_COLORS = ("#c0392b", "#7f8c8d", "#2471a3", "#1e8449", "#b9770e", "#6c3483", "#117a65", "#34495e")


def show(title: str, report: dict[str, Any]) -> None:
    """Print the figures after every round, and what each whole curve says."""
    wide = Console(width=max(Console().width, _WIDTH))
    wide.print(f"\n[bold]{title}[/]", highlight=False)
    wide.print(f"mean ± standard deviation over runs {_meaning(report)}", highlight=False)
    for name in dict.fromkeys(_name(row) for row in report["summary"]):
        table = Table(title=name, title_justify="left", title_style="bold")
        table.add_column("labels", justify="right")
        for heading in _COLUMNS.values():
            table.add_column(heading, justify="right")
        table.add_column("gain on random", justify="right")
        for row in report["summary"]:
            if _name(row) == name:
                cells = [_cell(row[figure]) for figure in _COLUMNS]
                cells[0] += _interval(row["balanced_accuracy"], ".3f")
                table.add_row(str(row["n_labels"]), *cells, _gain(row["difference"]))
        wide.print(table)
    whole = Table(title="balanced accuracy, whole curves", title_justify="left")
    whole.add_column("strategy")
    whole.add_column("mean height", justify="right")
    for target in report["strategies"][0]["labels_to"]:
        whole.add_column(f"to {target}", justify="right")
    whole.add_column("random needs", justify="right")
    for row in report["strategies"]:
        area, factor = row["area_under_curve"], row["label_efficiency"]
        whole.add_row(
            _name(row),
            _cell(area) + _interval(area, ".3f"),
            *(_labels_to(n, report["plan"]["n_initial"]) for n in row["labels_to"].values()),
            "-" if factor is None else f"{factor:.2f} x as many",
        )
    wide.print(whole)


def draw(path: Path, title: str, report: dict[str, Any]) -> None:
    """Draw balanced accuracy and F1 against labels, with the 95 % intervals of the means."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4.2), sharex=True, layout="constrained")
    names = list(dict.fromkeys(_name(row) for row in report["summary"]))
    for axis, figure_name in zip(axes, ("balanced_accuracy", "f1"), strict=True):
        for name, color in zip(names, _cycle(len(names)), strict=True):
            rows = [row for row in report["summary"] if _name(row) == name]
            n_labels = [row["n_labels"] for row in rows]
            points = [row[figure_name] for row in rows]
            axis.plot(n_labels, [p["mean"] for p in points], "o-", color=color, label=name)
            if all(point["low"] is not None for point in points):
                low, high = ([p[end] for p in points] for end in ("low", "high"))
                axis.fill_between(n_labels, low, high, color=color, alpha=0.18, linewidth=0)
        axis.set_xlabel("labels")
        axis.set_ylabel(_COLUMNS[figure_name])
        axis.grid(alpha=0.3)
    axes[0].legend(frameon=False)
    figure.suptitle(f"{title} {_meaning(report)}")
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _cycle(n_colors: int) -> Sequence[str]:
    return [_COLORS[number % len(_COLORS)] for number in range(n_colors)]


def _name(row: dict[str, Any]) -> str:
    return f"{row['strategy']}, first labels {row['initial_strategy']}"


def _cell(point: dict[str, float | None]) -> str:
    text = f"{point['mean']:.3f}"
    return text if point["sd"] is None else f"{text} ± {point['sd']:.3f}"


def _meaning(report: dict[str, Any]) -> str:
    """Return what the brackets and bands are, or that there are none."""
    n_runs = report["plan"]["n_runs"]
    if n_runs < N_RUNS_LEAST:
        runs = "1 run" if n_runs == 1 else f"{n_runs} runs"
        return f"({runs}: too few for an interval, which takes {N_RUNS_LEAST})"
    return "(95 % intervals of the mean)"


def _interval(point: dict[str, float | None], style: str) -> str:
    if point["low"] is None or point["high"] is None:
        return ""
    return f" \\[{point['low']:{style}}, {point['high']:{style}}]"


def _labels_to(n_labels: float | None, n_first: int) -> str:
    """Write a number of labels; where the curve begins above the target, it is at most that."""
    if n_labels is None:
        return "-"
    return f"{'≤ ' if n_labels <= n_first else ''}{n_labels:.0f} labels"


def _gain(difference: dict[str, dict[str, float | None]] | None) -> str:
    if difference is None:
        return ""
    point = difference["balanced_accuracy"]
    return f"{point['mean']:+.3f}{_interval(point, '+.3f')}"
