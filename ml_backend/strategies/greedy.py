"""Pick the head of an order one clip at a time, as if each pick were labeled at once.

Whatever the score is, as long as it only falls while clips are picked.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_UNKNOWN_RECORDING = -1
_LEAST_BLOCK = 16
_LARGEST_BLOCK = 16_384


@dataclass(frozen=True)
class Ranking:
    """A strategy's answer.

    Attributes
    ----------
    order : ndarray of int64, shape=(n_pool,)
        Every row of the pool once, ask-first first.
    acquisition : ndarray of float64, shape=(n_pool,)
        Acquisition score by pool row: of a clip in the head, the score at which it was picked;
        of any other, the score at the start.
    """

    order: NDArray[np.int64]
    acquisition: NDArray[np.float64]


def pick_greedily(
    start: NDArray[np.float64],
    score: Callable[[NDArray[np.int64], list[int]], NDArray[np.float64]],
    n_head: int,
    recordings: NDArray[np.int64] | None,
    candidates: NDArray[np.int64] | None = None,
) -> Ranking:
    """Pick a head one clip at a time and put the rest behind it.

    Scores may only fall as clips are picked. A score from an earlier pick is then an upper bound,
    and a clip has to be looked at again only when its bound leads (lazy greedy): the picks are
    those of looking at every clip each time.

    Parameters
    ----------
    start : ndarray, shape=(n_pool,)
        Score of each clip before anything is picked.
    score : callable
        ``score(rows, picked)`` gives the scores of ``rows`` once ``picked`` are labeled too.
    n_head : int
        How many clips to pick.
    recordings : ndarray of int64, shape=(n_pool,), or None
        No recording is asked for twice before every other one was asked for; -1 is not known
        and never held back.
    candidates : ndarray of int64, or None
        The only rows to pick from; None means all.

    Returns
    -------
    Ranking

    References
    ----------
    M. Minoux, "Accelerated greedy algorithms for maximizing submodular set functions", 1978.

    Examples
    --------
    >>> pick_greedily(
    ...     np.array([0.1, 0.9, 0.8]),
    ...     lambda rows, picked: np.array([0.1, 0.9, 0.8])[rows],
    ...     n_head=2,
    ...     recordings=np.array([1, 2, 2]),
    ... ).order.tolist()
    [1, 0, 2]
    """
    acquisition = np.array(start, dtype=np.float64)
    if candidates is None:
        candidates = np.arange(len(start))
    bounds = np.full(len(start), -np.inf)
    bounds[candidates] = acquisition[candidates]
    seen_picks = np.zeros(len(start), dtype=np.int64)
    is_held_back = np.zeros(len(start), dtype=bool)
    picked: list[int] = []
    n_looked_at = _LEAST_BLOCK
    while len(picked) < min(n_head, len(start)):
        open_bounds = np.where(is_held_back, -np.inf, bounds)
        leader = int(np.argmax(open_bounds))
        if open_bounds[leader] == -np.inf:
            if not is_held_back.any():
                break
            is_held_back[:] = False
        elif seen_picks[leader] == len(picked):
            acquisition[leader] = bounds[leader]
            bounds[leader] = -np.inf
            picked.append(leader)
            n_looked_at = _LEAST_BLOCK
            if recordings is not None and recordings[leader] != _UNKNOWN_RECORDING:
                is_held_back |= recordings == recordings[leader]
        else:
            open_bounds[seen_picks == len(picked)] = -np.inf
            block = _largest(open_bounds, leader, n_looked_at)
            bounds[block] = np.minimum(bounds[block], score(block, picked))
            seen_picks[block] = len(picked)
            n_looked_at = min(4 * n_looked_at, _LARGEST_BLOCK)
    is_rest = np.ones(len(start), dtype=bool)
    is_rest[picked] = False
    rest = descending(acquisition)
    order = np.concatenate([np.array(picked, dtype=np.int64), rest[is_rest[rest]]])
    return Ranking(order, acquisition)


def pick_in_turn(
    scores: NDArray[np.float64],
    choose: Callable[[list[int], NDArray[np.bool_]], int],
    n_head: int,
    recordings: NDArray[np.int64] | None,
) -> Ranking:
    """Pick a head by any rule and put the rest behind it by score.

    Parameters
    ----------
    scores : ndarray, shape=(n_pool,)
        Acquisition scores: the order behind the head.
    choose : callable
        ``choose(picked, is_open)`` gives the next row; ``is_open`` tells which may be chosen, and
        some may.
    n_head, recordings
        As ``pick_greedily`` takes them.

    Examples
    --------
    >>> last = lambda picked, is_open: int(np.flatnonzero(is_open)[-1])
    >>> pick_in_turn(np.array([0.1, 0.9, 0.8]), last, 1, None).order.tolist()
    [2, 1, 0]
    """
    is_left = np.ones(len(scores), dtype=bool)
    is_held_back = np.zeros(len(scores), dtype=bool)
    picked: list[int] = []
    while len(picked) < min(n_head, len(scores)):
        is_open = is_left & ~is_held_back
        if not is_open.any():
            is_held_back[:] = False
            continue
        row = choose(picked, is_open)
        picked.append(row)
        is_left[row] = False
        if recordings is not None and recordings[row] != _UNKNOWN_RECORDING:
            is_held_back |= recordings == recordings[row]
    rest = descending(scores)
    order = np.concatenate([np.array(picked, dtype=np.int64), rest[is_left[rest]]])
    return Ranking(order, scores)


def _largest(bounds: NDArray[np.float64], leader: int, n_rows: int) -> NDArray[np.int64]:
    rows = np.flatnonzero(bounds > -np.inf)
    if len(rows) > n_rows:
        rows = rows[np.argpartition(bounds[rows], -n_rows)[-n_rows:]]
        if leader not in rows:
            # Where more than a block are equal, the partition may miss the one of the lowest row.
            rows[0] = leader
    return rows


def descending(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Sort rows by falling score; ties by row number."""
    return np.argsort(-scores, kind="stable")
