"""Measure the loss of ranking quality when a sample represents a large pool.

Run: ``python benchmarks/ranking_exactness.py [--size 20000]``

Herding (the default's cold start, UHerding) weighs 4,000 candidates by their coverage of 1,024
clips; the exact version weighs every pair. Reported: the head's coverage of the pool by its own
measure, from 0 for a random head to 1 for the exact one. BADGE draws from 20,000 clips; reported:
the increase of the distance from gradients to the nearest of the head. TypiClust and DropQuery fit
k-means on 10,000 clips; reported: the increase of the distance from clips to their centers.
Embeddings are synthetic, as in ``ranking_speed.py``.
"""

import argparse
from dataclasses import replace
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from ranking_speed import N_HEAD, make_pool

from ml_backend.strategies import badge, clusters, herding
from ml_backend.strategies.registry import Pool, get_strategy

N_SEEDS = 3
HEADS = (20, N_HEAD)


def head(pool: Pool, name: str, seed: int) -> NDArray[np.int64]:
    return get_strategy(name).rank(pool, N_HEAD, np.random.default_rng(seed)).order[:N_HEAD]


def covered(pool: Pool, rows: NDArray[np.int64]) -> float:
    """Compute the weighted mean, over the pool, of the kernel to the nearest labeled or picked."""
    indecision = pool.indecision()
    is_known = indecision is not None
    width = herding._width(pool.labeled) if is_known else herding._KERNEL_WIDTH
    near = np.concatenate([pool.embeddings[rows], pool.labeled])
    similarity = np.concatenate(
        [(block @ near.T).max(axis=1) for block in np.array_split(pool.embeddings, 20)]
    )
    weight = indecision if is_known else np.ones(len(pool))
    return float((weight * np.exp((similarity - 1) * 2 / width**2)).mean())


def tell_herding(pool: Pool) -> None:
    with patch.multiple(herding, _MAX_REFERENCES=len(pool), _MAX_CANDIDATES=len(pool)):
        exact = head(pool, "uherding", 0)
    name = "UHerding, 60 labels" if len(pool.labeled) else "MaxHerding, 0 labels"
    for n_picks in HEADS:
        seeds = range(N_SEEDS)
        by_chance = np.mean([covered(pool, head(pool, "random", s)[:n_picks]) for s in seeds])
        by_part = np.mean([covered(pool, head(pool, "uherding", s)[:n_picks]) for s in seeds])
        by_all = covered(pool, exact[:n_picks])
        share = (by_part - by_chance) / (by_all - by_chance)
        same = np.mean(
            [
                len(np.intersect1d(head(pool, "uherding", s)[:n_picks], exact[:n_picks])) / n_picks
                for s in seeds
            ]
        )
        print(
            f"| {name}, first {n_picks} | cover {by_part:.4f}; every pair {by_all:.4f}, at random "
            f"{by_chance:.4f}: {share:.2f} of the way; {same:.0%} are the same clips |",
            flush=True,
        )


def tell_badge(pool: Pool) -> None:
    residuals = badge.residuals_of(pool.probabilities, multi_label=False)
    length = np.einsum("ij,ij->i", residuals, residuals)

    def left_over(rows: NDArray[np.int64]) -> float:
        """Compute the mean squared distance of gradients to the nearest of some."""
        nearest = length.copy()
        for row in rows:
            products = (residuals @ residuals[row]) * (pool.embeddings @ pool.embeddings[row])
            np.minimum(nearest, np.maximum(length + length[row] - 2 * products, 0), out=nearest)
        return float(nearest.mean())

    by_part = np.mean([left_over(head(pool, "badge", seed)) for seed in range(N_SEEDS)])
    with patch.object(badge, "_MAX_DRAWN", len(pool)):
        by_all = np.mean([left_over(head(pool, "badge", seed)) for seed in range(N_SEEDS)])
    print(
        f"| BADGE, {len(pool):,} clips | squared distance to the head {by_part / by_all - 1:+.1%} |"
    )


def tell_clusters(pool: Pool) -> None:
    n_clusters = N_HEAD + len(pool.labeled)

    def inertia() -> float:
        groups, centers = clusters.cluster(pool.embeddings, n_clusters, np.random.default_rng(0))
        return float(((pool.embeddings - centers[groups]) ** 2).sum())

    by_part = inertia()
    with patch.object(clusters, "_MAX_FITTED", len(pool)):
        by_all = inertia()
    print(f"| k-means | squared distance to centers {by_part / by_all - 1:+.1%} |")


def main() -> None:
    parser = argparse.ArgumentParser(description="Orders by a part of the pool against the whole.")
    parser.add_argument("--size", type=int, default=20_000)
    size = parser.parse_args().size
    print(f"| what | {size:,} clips |\n|---|---|")
    known = make_pool(size, 60)
    tell_herding(replace(known, labeled=known.labeled[:0], labels=None, probabilities=None))
    tell_herding(known)
    tell_clusters(known)
    tell_badge(make_pool(3 * size, 60))


if __name__ == "__main__":
    main()
