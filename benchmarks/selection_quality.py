"""Compare query strategies with random labels, for every class in turn, through ``learn()``.

Run: ``python benchmarks/selection_quality.py [--runs 10] [--prior none] [--strategies default]``

Real clips of ``../shared/data/us8k_dev`` are embedded with mn04. For each class against the rest,
one official fold is the pool and the other the test set, and vice versa. Each strategy ranks from
the first label on, in rounds of 20. Printed: balanced accuracy on the test fold, ECE at 60 labels,
and the spread over runs at 60, averaged over the classes.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml_backend.audio.reading import read_recording, waveform
from ml_backend.clip import content_hash
from ml_backend.embedders import load_embedder
from ml_backend.evaluation.labeled_benchmark import make_trial
from ml_backend.evaluation.simulation import Plan, simulate
from ml_backend.learning.prior import find_tagger
from ml_backend.settings import STRATEGIES
from ml_backend.strategies.registry import get_strategy

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
CLIPS = SHARED / "data" / "us8k_dev"
CACHE = Path(".earmark")
CHECKPOINTS = (20, 40, 60, 100)


def main() -> None:
    parser = argparse.ArgumentParser(description="Chosen labels against random ones.")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES))
    parser.add_argument("--targets", nargs="+")
    parser.add_argument("--prior", choices=["names", "none"], default="names")
    arguments = parser.parse_args()
    with (CLIPS / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    embedder = load_embedder("mn04", SHARED / "weights", CACHE)
    embeddings = np.concatenate(
        [
            embedder.embed(
                [
                    waveform(read_recording(CLIPS / row["file"]), embedder.sample_rate_hz)
                    for row in rows[start : start + 64]
                ]
            )
            for start in range(0, len(rows), 64)
        ]
    )
    tagger = find_tagger(embedder, SHARED / "weights", CACHE)[0]

    def prior_of(class_names: tuple[str, ...]) -> NDArray[np.float32] | None:
        prior = tagger.prior(class_names) if tagger and arguments.prior == "names" else None
        return prior.logits(embeddings) if prior else None

    folds = np.array([row["fold"] for row in rows])
    recordings = np.unique([row["recording_id"] for row in rows], return_inverse=True)[1]
    labels = [row["label"] for row in rows]
    print("| strategy |", *(f"{n} labels |" for n in CHECKPOINTS), "ECE at 60 | spread at 60 |")
    print("|---|", *("---|" for _ in CHECKPOINTS), "---|---|")
    for name in arguments.strategies:
        strategy = get_strategy(name)
        curves = []
        spreads = []
        for target in arguments.targets or sorted(set(labels)):
            for fold in np.unique(folds):
                trial = make_trial(
                    embeddings,
                    labels,
                    recordings.astype(np.int64),
                    [content_hash(row["file"].encode()) for row in rows],
                    target=target,
                    is_pool=folds == fold,
                    is_test=folds != fold,
                    test_share=None,
                    embedder_id=embedder.embedder_id,
                    prior_of=prior_of,
                )
                plan = Plan(20, 20, max(CHECKPOINTS), arguments.runs, 0)
                runs = simulate(trial, plan, [strategy])
                curves += runs
                at_60 = [row["balanced_accuracy"] for row in runs if row["n_labels"] == 60]
                spreads.append(np.std(at_60))
        cells = [mean_of(curves, "balanced_accuracy", n) for n in CHECKPOINTS]
        figures = [*cells, mean_of(curves, "ece", 60), float(np.mean(spreads))]
        print("|", name, "|", *(f"{figure:.3f} |" for figure in figures), flush=True)


def mean_of(curves: list[dict], figure: str, n_labels: int) -> float:
    return float(np.mean([row[figure] for row in curves if row["n_labels"] == n_labels]))


if __name__ == "__main__":
    main()
