"""Measure when the stopping criterion stops, and how often that is too early, for each class.

Run: ``python benchmarks/stopping.py [--runs 8] [--table metadata.csv] [--targets siren]``

Each class of ``../shared/data/us8k_dev`` against the rest (``--targets all``: all of them at once),
embedded with mn04; each run tests on another 30 % of the recordings. Clips are queued as in the
live loop, 7 % of them as a random sample, and measured when that is due. Measurements are stored in
``stopping.jsonl`` in the folder ``--data``, so that rules can be evaluated again. Printed for each
rule: the number of runs in which it stops, after how many labels, and how often that is too early:
balanced accuracy on the recordings left out is more than ``LOSS`` below that with ``--labels``
labels. Then how often the true value lies outside of the intervals.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from importer.commands.labeled_table import read_labeled_table
from ml_backend.embedders import load_embedder
from ml_backend.evaluation import stopping
from ml_backend.evaluation.labeled_benchmark import Trial, make_trial, split
from ml_backend.evaluation.measurements import Measurement, is_due
from ml_backend.evaluation.simulation import Annotator, measure_on
from ml_backend.learning.classifier import Classifier
from ml_backend.learning.prior import find_tagger
from ml_backend.loop.embed_clips import embed_files
from ml_backend.loop.round_metrics import take_figures
from ml_backend.store import open_store
from ml_backend.strategies.registry import get_strategy

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
AUDIT_SHARE = 0.07
STEP = 5
ALL = "all"
LOSS = 0.03
N_LAST = 5
CHOSEN = stopping.WIDTH, stopping.N_PER_CLASS
RULES = [(1.0, 2), *((width, n) for width in (0.4, 0.3, 0.2) for n in (10, 20, 30))]
"""Width of the interval and labels of each class; the first rule requires stability only."""


def main() -> None:
    parser = argparse.ArgumentParser(description="How good is the advice to stop?")
    parser.add_argument("--table", type=Path, default=SHARED / "data/us8k_dev/metadata.csv")
    parser.add_argument("--targets", nargs="+")
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--labels", type=int, default=400)
    parser.add_argument("--data", type=Path, default=Path(".earmark"))
    arguments = parser.parse_args()
    kept = arguments.data / "stopping.jsonl"
    known = {(one["table"], one["target"], one["run"]) for one in read(kept)}
    for target, trial in open_trials(arguments.table, arguments.targets, arguments.data):
        for run in range(arguments.runs):
            if (str(arguments.table), target, run) not in known:
                measurements = play(trial, run, arguments.labels)
                row = {
                    "table": str(arguments.table),
                    "target": target,
                    "run": run,
                    "measurements": measurements,
                }
                with kept.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
                print(target, run, measurements[-1]["truth"], flush=True)
    runs = [
        one
        for one in read(kept)
        if one["table"] == str(arguments.table)
        and one["run"] < arguments.runs
        and (not arguments.targets or one["target"] in arguments.targets)
    ]
    print_rules(runs)
    stopping.WIDTH, stopping.N_PER_CLASS = CHOSEN
    print_estimates(runs)
    print_coverage(runs)


def print_rules(runs: list[dict[str, Any]]) -> None:
    """Print a row per rule: stops, labels, and how many stops were too early."""
    print("| width | labels of each class | runs that stop | labels: median (range) | too early |")
    print("|---|---|---|---|---|")
    for stopping.WIDTH, stopping.N_PER_CLASS in RULES:
        stops = [
            (run["measurements"], stop) for run in runs if (stop := first_stop(run["measurements"]))
        ]
        sizes = [stop["n_labeled"] for _, stop in stops]
        losses = [np.mean([one["truth"] for one in measurements[-N_LAST:]]) - stop["truth"]
                  for measurements, stop in stops]  # fmt: skip
        n_early = sum(loss > LOSS for loss in losses)
        spread = f"{np.median(sizes):.0f} ({min(sizes)} to {max(sizes)})" if sizes else "-"
        cells = (f"{stopping.WIDTH:g}", stopping.N_PER_CLASS, f"{len(stops)} of {len(runs)}",
                 spread, f"{n_early} ({n_early / max(len(stops), 1):.0%})")  # fmt: skip
        print("|", " | ".join(map(str, cells)), "|")


def first_stop(measurements: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the first measurement at which the criterion is reached."""
    return next((one for one, stop in judged(measurements) if stop.is_reached), None)


def judged(
    measurements: list[dict[str, Any]],
) -> Iterator[tuple[dict[str, Any], stopping.Stopping]]:
    """Return every measurement with the state of the criterion."""
    line = []
    for place, one in enumerate(measurements):
        n_per_class = {str(row): n for row, n in enumerate(one["labels"])}
        figures = {**one, "labels": n_per_class}
        line.append(Measurement(place, "", 0.0, one["n_labeled"], figures, one["n_labeled"], True))
        yield one, stopping.assess_stopping(line, n_per_class, one["n_labeled"])


def print_estimates(runs: list[dict[str, Any]]) -> None:
    """Print the needed labels relative to the estimated ones."""
    for n_labeled in (60, 100, 150):
        ratios, n_late = [], 0
        for run in runs:
            last = first_stop(run["measurements"])
            one, stop = next(
                pair for pair in judged(run["measurements"]) if pair[0]["n_labeled"] >= n_labeled
            )
            if stop.about_n_labels and not stop.is_least:
                n_late += last is None
                if last:
                    ratios.append((last["n_labeled"] - one["n_labeled"]) / stop.about_n_labels)
        if not ratios:
            continue
        quartiles = ", ".join(f"{q:.1f}" for q in np.percentile(ratios, [25, 50, 75]))
        print(f"at {n_labeled} labels: taken / estimated, quartiles {quartiles} of", end=" ")
        print(f"{len(ratios)} runs; {n_late} more did not stop")


def print_coverage(runs: list[dict[str, Any]]) -> None:
    """Print how often the true value lies below and above each figure's interval."""
    for name in ("audit", "cross_validated"):
        pairs = [
            (one["truth"], one[name]["balanced_accuracy"])
            for run in runs
            for one in run["measurements"]
            if one[name] and len(one[name]["per_class"]) == len(one["labels"])
        ]
        below = np.mean([truth < figure["low"] for truth, figure in pairs])
        above = np.mean([truth > figure["high"] for truth, figure in pairs])
        print(f"{name}: of {len(pairs)} measurements, truth below {below:.0%}, above {above:.0%}")


def open_trials(table: Path, targets: list[str] | None, data_dir: Path) -> list[tuple[str, Trial]]:
    """Embed the clips once, and run one class after the other."""
    clips = read_labeled_table(table, label_column="label", group_column="recording_id")
    embedder = load_embedder("mn04", SHARED / "weights", data_dir / "weights")
    store = open_store(f"sqlite:///{(data_dir / 'simulate.db').absolute()}")
    embedded, embeddings, _ = embed_files(
        store, embedder, clips.clip_keys, clips.paths, lambda n_done, n_total: None
    )
    tagger = find_tagger(embedder, SHARED / "weights", data_dir / "weights")[0]
    labels = [clips.labels[row] for row in embedded]

    def trial(target: str) -> Trial:
        return make_trial(
            embeddings,
            labels,
            np.array(clips.recordings, dtype=np.int64)[embedded],
            [clips.clip_keys[row] for row in embedded],
            target=None if target == ALL else target,
            is_pool=np.ones(len(embedded), dtype=bool),
            is_test=None,
            test_share=0.3,
            embedder_id=embedder.embedder_id,
            prior_of=lambda names: tagger.prior(names).logits(embeddings) if tagger else None,
        )

    return [(target, trial(target)) for target in targets or sorted(set(labels))]


def play(trial: Trial, seed: int, n_labels: int) -> list[dict[str, Any]]:
    """Label the queue, and measure whenever that is due."""
    pool, test = split(trial, seed)
    annotator = Annotator(trial, pool, seed, AUDIT_SHARE)
    strategy = get_strategy("default")
    labels: list[Any] = []
    measurements: list[dict[str, Any]] = []
    before: Classifier | None = None
    n_before = 0
    while True:
        learned = annotator.learn(labels, strategy)
        if learned.classifier and is_due(len(labels), n_before):
            figures = take_figures(learned, before, annotator.clips, trial.config, annotator.prior)
            answers = trial.answers[[one.task_id for one in labels]]
            measurements.append(
                {
                    "n_labeled": len(labels),
                    "labels": np.bincount(
                        answers, minlength=len(trial.config.class_names)
                    ).tolist(),
                    **{name: figures[name] for name in ("cross_validated", "audit", "n_audit")},
                    "kappa": figures["kappa"],
                    "truth": measure_on(trial, learned, test)["balanced_accuracy"],
                }
            )
            before, n_before = learned.classifier, len(labels)
        if len(labels) >= n_labels:
            return measurements
        labels = labels + annotator.answers_to(learned.order[:STEP])


def read(path: Path) -> list[dict[str, Any]]:
    """Return the stored runs."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main()
