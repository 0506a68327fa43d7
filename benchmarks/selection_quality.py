"""How much better is a chosen label than a random one? The loop's code with an oracle to answer.

Run: ``python benchmarks/selection_quality.py [--seeds 10] [--strategies entropy-coverage random]``

Real clips of ``../shared/data/us8k_dev`` are embedded with mn04. For each target class against the
rest, one official fold is the pool and the other the test set, and the other way round. Each seed
leaves a random fifth of the pool out and is used for every strategy. Printed: balanced accuracy on
the test fold after 10, 20, 40 and 60 labels, and how many labels it took to hear the target once.
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml_backend.audio import read_recording, waveform
from ml_backend.classifier import fit_classifier
from ml_backend.coverage import normalize_rows
from ml_backend.embedders import load_embedder
from ml_backend.query_strategy import Pool, QueryStrategy, get_strategy

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
TARGETS = ("siren", "jackhammer", "dog_bark", "drilling", "street_music", "children_playing")
CHECKPOINTS = (10, 20, 40, 60)
N_PER_ROUND = 5
POOL_SHARE = 0.8


def embed_clips(rows: Sequence[dict[str, str]]) -> NDArray[np.float32]:
    embedder = load_embedder("mn04", SHARED / "weights", Path(".earmark"))
    blocks = []
    for start in range(0, len(rows), 64):
        waveforms = [
            waveform(
                read_recording(SHARED / "data" / "us8k_dev" / row["file"]), embedder.sample_rate_hz
            )
            for row in rows[start : start + 64]
        ]
        blocks.append(embedder.embed(waveforms))
    return np.concatenate(blocks)  # (n_clips, embedding_dim)


def simulate(
    strategy: QueryStrategy,
    embeddings: NDArray[np.float32],
    is_target: NDArray[np.bool_],
    recordings: NDArray[np.int64],
    pool: NDArray[np.int64],
    test: NDArray[np.int64],
    seed: int,
) -> list[float]:
    """Label ``max(CHECKPOINTS)`` clips in rounds; give the figures of one learning curve."""
    rng = np.random.default_rng(seed)
    unit = normalize_rows(embeddings)
    labels = np.stack([is_target, ~is_target], axis=1).astype(np.int8)
    labeled = np.array([], dtype=np.int64)
    classifier = None
    accuracies = []
    while len(labeled) < max(CHECKPOINTS):
        left = np.setdiff1d(pool, labeled)
        ranking = strategy.rank(
            Pool(
                embeddings=unit[left],
                labeled=unit[labeled],
                probabilities=classifier and classifier.probabilities(embeddings[left]),
                recordings=recordings[left],
            ),
            N_PER_ROUND,
            rng,
        )
        labeled = np.concatenate([labeled, left[ranking.order[:N_PER_ROUND]]])
        classifier = fit_classifier(
            embeddings[labeled],
            labels[labeled],
            ["target", "other"],
            multi_label=False,
            groups=recordings[labeled],
            pool_mean=embeddings[pool].mean(axis=0),
            pool_std=embeddings[pool].std(axis=0),
            seed=seed,
        )
        if len(labeled) in CHECKPOINTS:
            says_target = np.zeros(len(test), dtype=bool)
            if classifier is not None:
                says_target = classifier.probabilities(embeddings[test])[:, 0] > 0.5
            hits = says_target == is_target[test]
            recalls = [hits[is_target[test] == side].mean() for side in (True, False)]
            accuracies.append(float(np.mean(recalls)))
    heard = np.flatnonzero(is_target[labeled])
    return [*accuracies, float(heard[0] + 1 if len(heard) else len(labeled) + 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Chosen labels against random ones.")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument(
        "--strategies", nargs="+", default=["entropy-coverage", "uncertainty", "random"]
    )
    parser.add_argument("--targets", nargs="+", default=list(TARGETS))
    arguments = parser.parse_args()
    with (SHARED / "data" / "us8k_dev" / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    embeddings = embed_clips(rows)
    names = np.array([row["label"] for row in rows])
    folds = np.array([int(row["fold"]) for row in rows])
    recordings = np.array([int(row["recording_id"]) for row in rows])

    print("| target | strategy |", *(f"{n} labels |" for n in CHECKPOINTS), "first heard after |")
    print("|---|---|", *("---|" for _ in CHECKPOINTS), "---|")
    curves: dict[str, list[NDArray[np.float64]]] = {name: [] for name in arguments.strategies}
    for target in arguments.targets:
        for name in arguments.strategies:
            runs = []
            for fold in np.unique(folds):
                inside, test = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
                for seed in range(arguments.seeds):
                    shuffled = np.random.default_rng(seed).permutation(inside)
                    pool = np.sort(shuffled[: round(POOL_SHARE * len(inside))])
                    strategy = get_strategy(name)
                    is_target = names == target
                    runs.append(
                        simulate(strategy, embeddings, is_target, recordings, pool, test, seed)
                    )
            curves[name].append(np.array(runs))
            print_row(target, name, np.array(runs))
    for name, per_target in curves.items():
        print_row("**all**", name, np.concatenate(per_target))


def print_row(target: str, strategy: str, runs: NDArray[np.float64]) -> None:
    cells = [
        f"{mean:.3f} ± {sd:.3f}"
        for mean, sd in zip(runs[:, :-1].mean(0), runs[:, :-1].std(0), strict=True)
    ]
    print("|", target, "|", strategy, "|", " | ".join(cells), f"| {runs[:, -1].mean():.1f} |")


if __name__ == "__main__":
    main()
