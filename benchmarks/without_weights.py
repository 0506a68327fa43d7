"""Measure melstats, the embedder without weights, on synthesized streets and on real clips.

Run: ``python benchmarks/without_weights.py [--streets 10] [--runs 3] [--weights PATH]``

1. For each seed a street of 400 clips is synthesized, as by ``make demo``. "Is there a siren?" is
   simulated with the loop's code: a random 30 % of the recordings is the test set, the rest is the
   pool. Printed: mean balanced accuracy (siren F1) at 20, 40 and 60 labels.
2. Ten classes of ``../shared/data/us8k_dev`` with all labels, five folds of recordings: accuracy
   and balanced accuracy of melstats, and of mn04 if its weights are available.
"""

import argparse
import csv
import tempfile
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from importer.demo.streets.street_set import make_street_set
from ml_backend.audio.reading import read_recording, waveform
from ml_backend.clip import content_hash
from ml_backend.embedders import load_embedder
from ml_backend.evaluation.labeled_benchmark import make_trial
from ml_backend.evaluation.metrics import measure
from ml_backend.evaluation.simulation import Plan, simulate
from ml_backend.learning.classifier import fit_classifier
from ml_backend.learning.features import lay_out
from ml_backend.similarity.vectors import normalize_rows
from ml_backend.strategies.registry import get_strategy

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
CHECKPOINTS = (20, 40, 60)
STRATEGIES = ("default", "random")


def main():
    parser = argparse.ArgumentParser(description="The embedder that needs no weights.")
    parser.add_argument("--streets", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--weights", type=Path, default=SHARED / "weights")
    arguments = parser.parse_args()
    played = []
    for seed in range(arguments.streets):
        with tempfile.TemporaryDirectory() as folder:
            rows, embeddings = embedded(make_street_set(Path(folder), seed=seed), "melstats", None)
            played += play(rows, embeddings, arguments.runs)
    print("| street |", *(f"{n} labels |" for n in CHECKPOINTS))
    print("|---|", *("---|" for _ in CHECKPOINTS))
    for name in STRATEGIES:
        print("|", name, "|", *(f"{at(played, name, n)} |" for n in CHECKPOINTS))
    print("\n| us8k_dev, all labels | accuracy | balanced accuracy |\n|---|---|---|")
    for name in ("melstats", "mn04"):
        table = SHARED / "data" / "us8k_dev" / "metadata.csv"
        rows, embeddings = embedded(table, name, arguments.weights)
        print("|", name, "|", *(f"{figure:.2f} |" for figure in with_all(rows, embeddings)))


def embedded(table, name, weights):
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    embedder = load_embedder(name, weights, Path(".earmark"))
    rate = embedder.sample_rate_hz
    parts = [
        embedder.embed(
            [waveform(read_recording(table.parent / row["file"]), rate) for row in rows[n : n + 64]]
        )
        for n in range(0, len(rows), 64)
    ]
    return rows, np.concatenate(parts)


def play(rows, embeddings, n_runs):
    trial = make_trial(
        embeddings,
        [row["label"] for row in rows],
        recordings(rows),
        [content_hash(row["file"].encode()) for row in rows],
        target="siren",
        is_pool=np.ones(len(rows), dtype=bool),
        is_test=None,
        test_share=0.3,
        embedder_id="melstats",
    )
    plan = Plan(20, 20, max(CHECKPOINTS), n_runs, 0, audit_share=0.07)
    return simulate(trial, plan, [get_strategy(name) for name in STRATEGIES])


def recordings(rows):
    return np.unique([row["recording_id"] for row in rows], return_inverse=True)[1].astype(np.int64)


def at(played, strategy, n_labels):
    mine = [row for row in played if (row["strategy"], row["n_labels"]) == (strategy, n_labels)]
    accuracy, f1 = (np.mean([row[name] for row in mine]) for name in ("balanced_accuracy", "f1"))
    return f"{accuracy:.2f} ({f1:.2f})"


def with_all(rows, embeddings):
    names, answers = np.unique([row["label"] for row in rows], return_inverse=True)
    groups, one_hot = recordings(rows), np.eye(len(names), dtype=np.int8)[answers]
    unit = normalize_rows(embeddings)
    center = unit.mean(axis=0)
    layout = lay_out(center, float(np.sqrt(((unit - center) ** 2).sum(axis=1).mean())))
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    figures = []
    for train, test in folds.split(embeddings, answers, groups):
        classifier = fit_classifier(
            embeddings[train],
            one_hot[train],
            names.tolist(),
            multi_label=False,
            groups=groups[train],
            layout=layout,
            seed=0,
        )
        probabilities = classifier.probabilities(embeddings[test])
        is_right = probabilities.argmax(axis=1) == answers[test]
        balanced = measure(one_hot[test], probabilities)["balanced_accuracy"]
        figures.append([is_right.mean(), balanced])
    return np.mean(figures, axis=0)


if __name__ == "__main__":
    main()
