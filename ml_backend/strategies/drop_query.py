"""DropQuery: ask about what changes its class when features are dropped."""

import numpy as np
from numpy.typing import NDArray

from ml_backend.strategies.clusters import cluster
from ml_backend.strategies.greedy import Ranking, pick_greedily
from ml_backend.strategies.herding import herd
from ml_backend.strategies.pool import Pool

_N_MASKS = 3
_DROPPED = 0.75


class DropQuery:
    """Cluster the clips whose answer hangs on a few features; ask nearest to the centers.

    Three times every feature of a clip is dropped with probability 0.75, as in the authors' own
    experiments. Candidates are the clips
    whose likeliest class changes in more than half of the three. They are grouped into as many
    clusters as clips are asked for, and in each the clip nearest to the center is asked for; then,
    in rounds, the next nearest. Clips that never change follow by how little their answer is
    decided.

    - 0 labels, 1 class: MaxHerding, since no classifier exists.
    - 2 classes, many classes: by the likeliest class.
    - several labels per clip: an answer changes where any yes-or-no head does.
    - cost: O(n * n_head) time, O(n) memory beside one copy of the embeddings.

    References
    ----------
    S. Gupte, J. Aklilu, J. J. Nirschl, S. Yeung-Levy, "Revisiting Active Learning in the Era of
    Vision Foundation Models", TMLR 2024.
    """

    name = "dropquery"

    def rank(self, pool: Pool, n_head: int, rng: np.random.Generator) -> Ranking:
        """Order the candidates by clusters, the others by indecision."""
        indecision = pool.indecision()
        if pool.predict is None or pool.probabilities is None or indecision is None:
            return herd(pool, n_head, rng)
        plain = _answers(pool.probabilities, multi_label=pool.multi_label)
        n_changes = np.zeros(len(pool), dtype=np.int64)
        for _ in range(_N_MASKS):
            is_kept = rng.random(pool.embeddings.shape, dtype=np.float32) >= _DROPPED
            answers = _answers(
                pool.predict(pool.embeddings * is_kept), multi_label=pool.multi_label
            )
            n_changes += (answers != plain).any(axis=1)
        candidates = np.flatnonzero(n_changes > _N_MASKS / 2)
        score = indecision - 1.0  # range [-1, 0], below every candidate's once these are placed
        if len(candidates):
            groups, centers = cluster(pool.embeddings[candidates], n_head, rng)
            nearness = np.einsum("ij,ij->i", pool.embeddings[candidates], centers[groups])
            places = _places(groups, nearness)
            score[candidates] = places.max() + 1.0 - places - groups / (len(centers) + 1.0)
        return pick_greedily(score, lambda rows, _: score[rows], n_head, pool.recordings)


def _answers(probabilities: NDArray[np.float64], *, multi_label: bool) -> NDArray[np.int64]:
    """Return what is answered, one row per clip."""
    if multi_label:
        return np.asarray(probabilities >= 0.5, dtype=np.int64)
    return np.asarray(probabilities.argmax(axis=1)[:, None])


def _places(groups: NDArray[np.int64], nearness: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the rank of every member in its group by falling nearness, from 0."""
    order = np.lexsort((-nearness, groups))
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(order)))
    places = np.empty(len(groups), dtype=np.int64)
    places[order] = np.arange(len(order)) - np.repeat(starts, sizes)
    return places
