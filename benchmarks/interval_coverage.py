"""Measure the coverage of 95 % intervals, and the effect of learned thresholds, on several tasks.

Run: ``python benchmarks/interval_coverage.py [--runs 10] [--worlds us8k_dev:siren ...]``

A world is a class of a table of ``../shared/data`` against the rest (``all``: all classes), or
``streets``: sirens in the synthesized set of the demo. Clips are queued as in the live loop,
without 30 % of the recordings, and after each of ``SIZES`` labels the estimates for the pool
(``pool_performance.py``) are compared with the true values. Then the decision rule learned for F1
is compared with the balanced one, on the pool and on the recordings left out. Runs are stored in
``interval_coverage.jsonl`` in the folder ``--data``, so that the tables can be printed again.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stopping import ALL, AUDIT_SHARE, SHARED, STEP, open_trials, read

from importer.demo.streets.street_set import make_street_set, plan
from ml_backend.evaluation.labeled_benchmark import Trial, split
from ml_backend.evaluation.metrics import average_precision
from ml_backend.evaluation.pool_performance import FIGURES, estimate_pool
from ml_backend.evaluation.simulation import Annotator
from ml_backend.learning.decision import Rule
from ml_backend.strategies.registry import get_strategy

SIZES = (20, 40, 60, 100)
WORLDS = (
    "us8k_dev:siren", "us8k_dev:car_horn", "us8k_dev:gun_shot", "us8k_dev:children_playing",
    "us8k_dev:street_music", "us8k_dev:all", "esc50_dev:siren", "esc50_dev:dog", "esc50_dev:rain",
    "esc50_dev:crickets", "esc10_fold1:dog_bark", "streets:siren",
)  # fmt: skip
N_STREETS = 600
RULES = ("balanced", "f1")


def main() -> None:
    parser = argparse.ArgumentParser(description="Do intervals hold the truth?")
    parser.add_argument("--worlds", nargs="+", default=WORLDS)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--data", type=Path, default=Path(".earmark"))
    arguments = parser.parse_args()
    kept = arguments.data / "interval_coverage.jsonl"
    known = {(one["world"], one["run"]) for one in read(kept)}
    for world in arguments.worlds:
        missing = [run for run in range(arguments.runs) if (world, run) not in known]
        trial = open_world(world, arguments.data) if missing else None
        for run in missing:
            row = {"world": world, "run": run, "looks": play(trial, run)}
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(world, run, flush=True)
    chosen = [
        one
        for one in read(kept)
        if one["world"] in arguments.worlds and one["run"] < arguments.runs
    ]
    print_coverage(chosen)
    print_rules(chosen)


def open_world(world: str, data_dir: Path) -> Trial:
    """Embed the clips of a world that are not embedded yet."""
    table, _, target = world.partition(":")
    path = SHARED / "data" / table / "metadata.csv"
    if table == "streets":
        folder = data_dir / "streets"
        make_street_set(folder, N_STREETS)
        path = folder / "labeled.csv"
        rows, number = ["file,label,recording_id"], 0
        for recording_id, recording in enumerate(plan(N_STREETS, 0)):
            for _ in range(recording.n_takes):
                number += 1
                rows.append(f"street_{number:04d}.wav,{recording.label},{recording_id}")
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return open_trials(path, [target], data_dir)[0][1]


def play(trial: Trial, seed: int) -> list[dict[str, Any]]:
    """Label the queue, and compare estimates with the true values at ``SIZES``."""
    pool, test = split(trial, seed)
    annotator = Annotator(trial, pool, seed, AUDIT_SHARE)
    strategy = get_strategy("default")
    clips, prior = annotator.clips, annotator.prior
    labels: list[Any] = []
    looks: list[dict[str, Any]] = []
    while True:
        learned = annotator.learn(labels, strategy)
        classifier = learned.classifier
        if classifier is not None and len(labels) in SIZES:
            is_open = np.ones(len(clips), dtype=bool)
            is_open[clips.rows([one.task_id for one in labels])] = False
            left = classifier.probabilities(clips.embeddings, prior)[is_open]
            new_prior = None if trial.prior is None else trial.prior[test]
            new = classifier.probabilities(trial.clips.embeddings[test], new_prior)
            names = trial.config.class_names
            rules = {
                "balanced": Rule.balanced(len(names), multi_label=False),
                "f1": classifier.rule,
            }
            looks.append(
                {
                    "n_labeled": len(labels),
                    "pool": estimate_pool(
                        classifier, clips, learned.training, learned.audit, trial.config, prior
                    ),
                    "left": {
                        name: measure(trial.answers[pool][is_open], left, rule, names)
                        for name, rule in rules.items()
                    },
                    "new": {
                        name: measure(trial.answers[test], new, rule, names)
                        for name, rule in rules.items()
                    },
                }
            )
        n_more = min(STEP, SIZES[-1] - len(labels), len(pool) - len(labels) - 1)
        if n_more < 1:
            return looks
        labels = labels + annotator.answers_to(learned.order[:n_more])


def measure(
    answers: NDArray[np.int64], probabilities: NDArray[np.float64], rule: Rule, names: Any
) -> dict[str, Any]:
    """Compute the true figures of each class; None if undefined."""
    predicted = rule.decide(probabilities)
    classes: dict[str, Any] = {}
    for k, name in enumerate(names):
        has, said = answers == k, predicted[:, k]
        n_both = int((has & said).sum())
        classes[name] = {
            "share": float(has.mean()),
            "precision": n_both / int(said.sum()) if said.any() else None,
            "recall": n_both / int(has.sum()) if has.any() else None,
            "f1": 2 * n_both / int(has.sum() + said.sum()) if has.any() or said.any() else None,
            "average_precision": (
                average_precision(has, probabilities[:, k]) if has.any() else None
            ),
        }
    recalls = [one["recall"] for one in classes.values()]
    balanced = None if None in recalls else float(np.mean(recalls))
    return {"balanced_accuracy": balanced, "classes": classes}


Pairs = list[tuple[float, dict[str, float]]]


def pairs_of(look: dict[str, Any], figure: str) -> Pairs:
    """Return the true value on the pool with each estimate of it."""
    found, truth = look["pool"], look["left"]["f1"]
    if not found:
        return []
    if figure == "balanced_accuracy":
        is_whole = not found["left_out"] and truth[figure] is not None
        return [(truth[figure], found[figure])] if is_whole else []
    pairs = [(truth["classes"][c][figure], one[figure]) for c, one in found["classes"].items()]
    return [(value, one) for value, one in pairs if value is not None and one is not None]


def print_coverage(runs: list[dict[str, Any]]) -> None:
    """Print the coverage of the intervals, and their width."""
    for by, values in (("world", None), ("n_labeled", SIZES)):
        keys = values or sorted({run["world"] for run in runs})
        print("\nUnlabeled clips: share of intervals that hold the truth (their width)")
        print("|", by, "|", " | ".join(str(key) for key in keys), "| all |")
        for figure in ("balanced_accuracy", *FIGURES):
            cells = []
            for key in (*keys, None):
                pairs = [
                    pair
                    for run in runs
                    for look in run["looks"]
                    if key is None or key == {**run, **look}[by]
                    for pair in pairs_of(look, figure)
                ]
                cells.append(tell(pairs))
            print("|", figure, "|", " | ".join(cells), "|")


def tell(pairs: Pairs) -> str:
    """Format a share, with the shares of true values below and above the interval."""
    if not pairs:
        return "-"
    slack = 5e-5  # figures are rounded to four digits
    below = float(np.mean([truth < one["low"] - slack for truth, one in pairs]))
    above = float(np.mean([truth > one["high"] + slack for truth, one in pairs]))
    width = float(np.mean([one["high"] - one["low"] for _, one in pairs]))
    return f"{1 - below - above:.2f} ({width:.2f}; below {below:.2f}, above {above:.2f})"


def print_rules(runs: list[dict[str, Any]]) -> None:
    """Print F1 of the target (or mean F1) and balanced accuracy by either rule."""
    print("\nF1 and balanced accuracy by the balanced rule -> by the one learned for F1")
    for n_labeled in SIZES[1:4]:
        print(f"| {n_labeled} labels | unlabeled clips: F1 | balanced acc. | precision |", end="")
        print(" other recordings: F1 | balanced acc. | precision |")
        for world in sorted({run["world"] for run in runs}):
            looks = [
                look
                for run in runs
                if run["world"] == world
                for look in run["looks"]
                if look["n_labeled"] == n_labeled
            ]
            if not looks:
                continue
            cells = []
            for side in ("left", "new"):
                for figure in ("f1", "balanced_accuracy", "precision"):
                    before, after = (
                        np.array([value_of(look[side][rule], figure, world) for look in looks])
                        for rule in RULES
                    )
                    cells.append(f"{np.nanmean(before):.3f} -> {np.nanmean(after):.3f}")
            print("|", world, "|", " | ".join(cells), "|")


def value_of(found: dict[str, Any], figure: str, world: str) -> float:
    """Return a figure of the target, or without a target, the mean of the classes."""
    if figure == "balanced_accuracy":
        return float("nan") if found[figure] is None else float(found[figure])
    target = world.partition(":")[2]
    classes = found["classes"]
    chosen = list(classes.values()) if target == ALL else [classes[target]]
    values = [one[figure] for one in chosen if one[figure] is not None]
    return float(np.mean(values)) if values else float("nan")


if __name__ == "__main__":
    main()
