"""How long does it take to order a pool and to learn? Synthetic embeddings of 384 numbers.

Run: ``python benchmarks/ranking_speed.py``
"""

import time

import numpy as np

from ml_backend.classifier import fit_classifier
from ml_backend.coverage import normalize_rows
from ml_backend.query_strategy import Pool, get_strategy

EMBEDDING_DIM = 384
N_HEAD = 200


def make_embeddings(n_clips: int, rng: np.random.Generator) -> np.ndarray:
    centers = rng.normal(size=(30, EMBEDDING_DIM))
    spread = 0.7 * rng.normal(size=(n_clips, EMBEDDING_DIM))
    return (centers[rng.integers(0, 30, n_clips)] + spread).astype(np.float32)


def time_ranking(n_pool: int) -> None:
    rng = np.random.default_rng(0)
    unit = normalize_rows(make_embeddings(n_pool, rng))
    recordings = rng.integers(0, n_pool // 7, n_pool)
    probabilities = rng.dirichlet([1, 1], size=n_pool)
    for state, n_labeled, known in [
        ("nothing labeled", 0, None),
        ("20 of one class", 20, None),
        ("60 labeled", 60, probabilities),
        ("2,000 labeled", 2_000, probabilities),
    ]:
        pool = Pool(unit, unit[:n_labeled], known, recordings)
        started = time.perf_counter()
        get_strategy("entropy-coverage").rank(pool, N_HEAD, rng)
        duration_s = time.perf_counter() - started
        print(f"| next {N_HEAD} of {n_pool:,}, {state} | {duration_s:.2f} s |")


def time_training(n_labeled: int, n_classes: int, *, multi_label: bool) -> None:
    rng = np.random.default_rng(0)
    embeddings = make_embeddings(n_labeled, rng)
    scores = embeddings @ rng.normal(size=(EMBEDDING_DIM, n_classes))
    scores += rng.normal(size=scores.shape) * scores.std()
    chosen = np.eye(n_classes)[scores.argmax(axis=1)]
    labels = (scores > scores.std() if multi_label else chosen).astype(np.int8)
    started = time.perf_counter()
    fit_classifier(
        embeddings,
        labels,
        [f"class {k}" for k in range(n_classes)],
        multi_label=multi_label,
        groups=rng.integers(0, max(2, n_labeled // 4), n_labeled),
        pool_mean=embeddings.mean(axis=0),
        pool_std=embeddings.std(axis=0),
        seed=0,
    )
    duration_s = time.perf_counter() - started
    kind = "several labels a clip" if multi_label else "one label a clip"
    print(f"| learn {n_classes} classes, {kind}, {n_labeled:,} labels | {duration_s:.2f} s |")


def main() -> None:
    print("| task | time |\n|---|---|")
    for n_pool in (8_732, 100_000):
        time_ranking(n_pool)
    time_training(60, 2, multi_label=False)  # the first call also imports scikit-learn
    for n_labeled in (60, 2_000):
        time_training(n_labeled, 2, multi_label=False)
        time_training(n_labeled, 10, multi_label=False)
        time_training(n_labeled, 10, multi_label=True)


if __name__ == "__main__":
    main()
