"""TypiClust: the most typical clip of each place that nothing is labeled in."""

import numpy as np
from numpy.typing import NDArray

from ml_backend.similarity.vectors import SAME_DISTANCE
from ml_backend.strategies.clusters import cluster
from ml_backend.strategies.greedy import Ranking, pick_in_turn
from ml_backend.strategies.pool import Pool

_MAX_CLUSTERS = 500
_N_NEIGHBORS = 20
_MAX_COMPARED = 256
_ROWS_AT_ONCE = 2_048
_LEAST_DISTANCE = 1e-6


class TypiClust:
    """Visit clusters without labels by size; in each ask for the clip with the nearest neighbors.

    Labeled set and pool are grouped into ``n_labeled + n_head`` clusters, 500 at most. Typicality
    is 1 / mean distance to the 20 nearest neighbors in the cluster, of 256 of its clips where it
    has more. When every cluster is visited the round begins anew. (The paper leaves clusters of 5
    clips or fewer out; here they come last in their round.)

    - 0 labels to many, one class or several, several labels per clip: alike, since only where
      labels are is looked at, not what they say.
    - cost: O(n * n_clusters) time, O(n) memory.

    References
    ----------
    G. Hacohen, A. Dekel, D. Weinshall, "Active Learning on a Budget: Opposite Strategies Suit High
    and Low Budgets", ICML 2022.
    """

    name = "typiclust"

    def rank(self, pool: Pool, n_head: int, rng: np.random.Generator) -> Ranking:
        """Order the pool by clusters without labels, then by typicality."""
        n_pool = len(pool)
        if not n_pool:
            return Ranking(np.empty(0, dtype=np.int64), np.empty(0))
        every = np.concatenate([pool.embeddings, pool.labeled])
        n_clusters = min(len(pool.labeled) + n_head, _MAX_CLUSTERS)
        cluster_of, _ = cluster(every, n_clusters, rng)
        members = cluster_of[:n_pool]
        typicality = _typicality(pool.embeddings, members)
        size = np.bincount(cluster_of, minlength=n_clusters)
        n_asked = np.bincount(cluster_of[n_pool:], minlength=n_clusters)

        def choose(picked: list[int], is_open: NDArray[np.bool_]) -> int:
            if picked:
                n_asked[members[picked[-1]]] += 1
            n_left = np.bincount(members[is_open], minlength=n_clusters)
            # Fewest asked, then largest, then lowest number.
            visited = np.where(n_left > 0, n_asked, np.iinfo(np.int64).max)
            poorest = np.flatnonzero(visited == visited.min())
            chosen = poorest[np.argmax(size[poorest])]
            return int(np.argmax(np.where(is_open & (members == chosen), typicality, -np.inf)))

        return pick_in_turn(typicality, choose, n_head, pool.recordings)


def _typicality(unit: NDArray[np.float32], members: NDArray[np.int64]) -> NDArray[np.float64]:
    """Measure 1 / mean distance to the nearest neighbors in the cluster, shape=(n_pool,)."""
    typicality = np.zeros(len(unit))
    order = np.argsort(members, kind="stable")
    starts = np.flatnonzero(np.diff(members[order], prepend=-1))
    for rows in np.split(order, starts[1:]):
        compared = rows
        if len(rows) > _MAX_COMPARED:
            compared = rows[np.linspace(0, len(rows) - 1, _MAX_COMPARED).astype(np.int64)]
        n_neighbors = min(_N_NEIGHBORS, len(compared) - 1)
        if n_neighbors < 1:
            continue
        for block in np.array_split(rows, -(-len(rows) // _ROWS_AT_ONCE)):
            squared = 2.0 - 2.0 * (unit[block] @ unit[compared].T)
            squared[squared < 2.0 * SAME_DISTANCE] = 0.0
            # The nearest of all is the clip itself, where it is compared.
            nearest = np.partition(squared, n_neighbors, axis=1)[:, : n_neighbors + 1]
            distance = np.sqrt(nearest).sum(axis=1, dtype=np.float64) / n_neighbors
            typicality[block] = 1.0 / np.maximum(distance, _LEAST_DISTANCE)
    return typicality
