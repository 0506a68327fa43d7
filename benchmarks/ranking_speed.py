"""Measure the time to rank a pool and to train, with synthetic embeddings of 384 numbers.

Run: ``python benchmarks/ranking_speed.py [--sizes 8732 100000] [--strategies default badge]``
Plot: ``python benchmarks/ranking_speed.py --sizes 1000 3000 8732 30000 100000 300000 1000000
--labeled 0 60 --plot docs/ranking_cost.png``

Seconds are processor time of one core, independent of other load; memory is without the pool's own
matrix.
"""

import argparse
import multiprocessing
import resource
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ml_backend.learning.classifier import fit_classifier
from ml_backend.learning.features import lay_out
from ml_backend.settings import STRATEGIES
from ml_backend.similarity.vectors import normalize_rows
from ml_backend.strategies.registry import Pool, get_strategy

EMBEDDING_DIM = 384
N_HEAD = 200
AIMS = {8_732: 0.5, 100_000: 3.0, 1_000_000: 20.0}
"""Wanted time to rank a pool, in s, by number of clips."""
# A child inherits its parent's pool, and its peak memory is what it adds.
FORK = multiprocessing.get_context("fork")


def make_embeddings(n_clips: int, rng: np.random.Generator) -> np.ndarray:
    centers = rng.normal(size=(30, EMBEDDING_DIM)).astype(np.float32)
    rows = centers[rng.integers(0, 30, n_clips)]
    for start in range(0, n_clips, 10_000):
        block = rows[start : start + 10_000]
        block += 0.7 * rng.standard_normal(block.shape, dtype=np.float32)
    return rows


def make_pool(n_pool: int, n_labeled: int) -> Pool:
    rng = np.random.default_rng(0)
    unit = make_embeddings(n_pool, rng)
    for start in range(0, n_pool, 10_000):
        unit[start : start + 10_000] = normalize_rows(unit[start : start + 10_000])
    weights = rng.normal(size=EMBEDDING_DIM).astype(np.float32)

    def predict(rows: np.ndarray) -> np.ndarray:
        target = 1 / (1 + np.exp(-5 * (rows @ weights).astype(np.float64)))
        return np.stack([target, 1 - target], axis=1)

    logits = np.full((n_pool, 2), np.nan, dtype=np.float32)
    logits[:, 0] = rng.normal(size=n_pool)
    return Pool(
        unit,
        unit[:n_labeled].copy(),
        predict(unit) if n_labeled else None,
        rng.integers(0, n_pool // 7, n_pool),
        labels=np.eye(2, dtype=np.int8)[np.arange(n_labeled) % 2],
        prior=logits,
        predict=predict if n_labeled else None,
    )


def time_ranking(pool: Pool, name: str) -> tuple[float, float]:
    """Return seconds and megabytes; each row has its own process, to measure its peak memory."""
    receiving, sending = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_rank, args=(pool, name, sending))
    process.start()
    answer = receiving.recv()
    process.join()
    return answer


def _rank(pool: Pool, name: str, sending: Connection) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    with threadpool_limits(1):
        get_strategy(name).rank(pool, N_HEAD, np.random.default_rng(0))
    duration_s = time.process_time() - started
    more_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    sending.send((duration_s, more_mb))


def time_training(n_labeled: int, n_classes: int, *, multi_label: bool) -> None:
    rng = np.random.default_rng(0)
    embeddings = make_embeddings(n_labeled, rng)
    scores = embeddings @ rng.normal(size=(EMBEDDING_DIM, n_classes))
    scores += rng.normal(size=scores.shape) * scores.std()
    chosen = np.eye(n_classes)[scores.argmax(axis=1)]
    labels = (scores > scores.std() if multi_label else chosen).astype(np.int8)
    unit = normalize_rows(embeddings)
    center = unit.mean(axis=0)
    prior = rng.normal(size=(n_labeled, n_classes)).astype(np.float32)
    started = time.process_time()
    fit_classifier(
        embeddings,
        labels,
        [f"class {k}" for k in range(n_classes)],
        multi_label=multi_label,
        groups=rng.integers(0, max(2, n_labeled // 4), n_labeled),
        layout=lay_out(center, float(np.sqrt(((unit - center) ** 2).sum(axis=1).mean())), prior),
        prior=prior,
        seed=0,
    )
    duration_s = time.process_time() - started
    kind = "several labels a clip" if multi_label else "one label a clip"
    print(f"| {n_classes} classes, {kind} | {n_labeled:,} | {duration_s:.2f} s |")


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw seconds against clips, one panel per number of labels."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    states = list(dict.fromkeys(row["labeled"] for row in rows))
    names = list(dict.fromkeys(row["strategy"] for row in rows))
    figure, axes = pyplot.subplots(
        1, len(states), figsize=(4.5 * len(states), 4.2), sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for axis, n_labeled in zip(axes[0], states, strict=True):
        for number, name in enumerate(names):
            mine = [r for r in rows if r["strategy"] == name and r["labeled"] == n_labeled]
            sizes = np.array([row["pool"] for row in mine])
            is_default = name == STRATEGIES[0]
            axis.plot(
                sizes, [row["seconds"] for row in mine], "o-", label=name, markersize=3,
                color=pyplot.cm.tab20(number * 2 % 19), linewidth=3 if is_default else 1.2,
                zorder=3 if is_default else 2,
            )  # fmt: skip
        axis.plot(*zip(*AIMS.items(), strict=True), "kv", label="aim")
        axis.plot(sizes, sizes / sizes[-1], ":", color="gray", label="in proportion to n")
        axis.set(xscale="log", yscale="log", xlabel="clips in the pool")
        axis.set_title(f"{n_labeled:,} labels")
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel(f"seconds for the next {N_HEAD} of the order")
    axes[0, -1].legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description="Seconds to order a pool and to learn.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[8_732, 100_000])
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES))
    parser.add_argument("--labeled", type=int, nargs="+", default=[0, 60, 2_000])
    parser.add_argument("--plot", type=Path, help="cost against n, e.g. docs/ranking_cost.png")
    arguments = parser.parse_args()
    print(
        f"| strategy | pool | labeled | next {N_HEAD} | beyond the matrix |\n|---|---|---|---|---|"
    )
    rows: list[dict[str, Any]] = []
    for n_pool in arguments.sizes:
        for n_labeled in arguments.labeled:
            pool = make_pool(n_pool, n_labeled)
            for name in arguments.strategies:
                seconds, more_mb = time_ranking(pool, name)
                rows.append(
                    {"strategy": name, "pool": n_pool, "labeled": n_labeled, "seconds": seconds}
                )
                print(
                    f"| {name} | {n_pool:,} | {n_labeled:,} | {seconds:.2f} s | {more_mb:.0f} MB |",
                    flush=True,
                )
    if arguments.plot:
        draw(rows, arguments.plot)
    print("\n| learn | labels | time |\n|---|---|---|")
    time_training(60, 2, multi_label=False)  # the first call also imports scikit-learn
    for n_labeled in (60, 2_000):
        time_training(n_labeled, 2, multi_label=False)
        time_training(n_labeled, 10, multi_label=False)
        time_training(n_labeled, 10, multi_label=True)


if __name__ == "__main__":
    main()
