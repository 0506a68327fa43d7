"""The audit slice: a random sample of the clips, labeled to measure and never to train.

Clips that a strategy selects are not a random sample: hard clips are overrepresented. Therefore
each clip has a lot, a pseudo-random number computed from its key alone: it is the same in every
process and after every restart, and independent of the clip's content. The clips with the lowest
lots are the slice. The strategy does not rank them; they are queued in the order of their lots, so
that those answered are at any time a random sample of all clips. A person may label a clip of the
slice out of turn; it counts once all clips before it are answered.

The first ``N_BEFORE`` labels all train, because labels are most valuable at the start; no clip of
the slice is queued before. The slice closes at ``N_ENOUGH`` counted labels (an interval of about
± 0.06) with ``N_PER_CLASS`` of each class, or at ``N_AT_MOST``: more of them would improve the
estimate less than they would improve the classifier. Clips after its last one are then ranked and
trained on like any other.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

N_BEFORE = 10
N_ENOUGH = 100
N_PER_CLASS = 10
N_AT_MOST = 200
_SALT = b"earmark audit 1:"
_N_BYTES = 8


def draw_lots(clip_keys: Sequence[str]) -> NDArray[np.float64]:
    """Return the lot of each clip, computed from its key; shape=(n_clips,), range [0, 1).

    Examples
    --------
    >>> draw_lots(["a", "b"]).round(3).tolist() == draw_lots(["a", "b"]).round(3).tolist()
    True
    """
    digests = b"".join(
        hashlib.sha256(_SALT + key.encode()).digest()[:_N_BYTES] for key in clip_keys
    )
    return np.asarray(np.frombuffer(digests, dtype=">u8") / 2.0 ** (8 * _N_BYTES))


def draw_slice(lots: NDArray[np.float64], share: float) -> NDArray[np.int64]:
    """Return the rows with lots below ``share`` in the order of their lots; ties by row number.

    Parameters
    ----------
    lots : ndarray of float64, shape=(n_clips,), range [0, 1)
    share : float
        Share of the clips in the slice.

    Examples
    --------
    >>> draw_slice(np.array([0.05, 0.5, 0.01]), 0.07).tolist()
    [2, 0]
    """
    rows = np.flatnonzero(lots < share)
    return rows[np.argsort(lots[rows], kind="stable")]


def n_in_turn(is_answered: NDArray[np.bool_]) -> int:
    """Count the answered clips before the first unanswered one, in the order of the slice.

    Examples
    --------
    >>> n_in_turn(np.array([True, True, False, True]))
    2
    """
    return len(is_answered) if is_answered.all() else int(np.argmin(is_answered))


def n_closed(answers: Sequence[frozenset[str] | None]) -> int | None:
    """Return the number of clips after which the slice is closed; None while it is open.

    Parameters
    ----------
    answers : sequence of (frozenset of str or None)
        Of the clips in turn, in the order of the slice; None where an answer cannot be used.

    Examples
    --------
    >>> n_closed([frozenset({"siren"})] * 10 + [frozenset({"other"})] * 95)
    100
    """
    n_per_class: dict[str, int] = {}
    n_usable = 0
    for place, labels in enumerate(answers, start=1):
        n_usable += labels is not None
        for name in labels or ():
            n_per_class[name] = n_per_class.get(name, 0) + 1
        has_enough = n_usable >= N_ENOUGH and min(n_per_class.values(), default=0) >= N_PER_CLASS
        if has_enough or n_usable >= N_AT_MOST:
            return place
    return None


def interleave(
    chosen: NDArray[np.int64],
    audit: NDArray[np.int64],
    share: float,
    *,
    n_answered: int,
    n_audited: int,
) -> NDArray[np.int64]:
    """Insert the audit clips into a strategy's ranking at a rate of ``share``.

    Parameters
    ----------
    chosen : ndarray of int64
        Clips in the strategy's order.
    audit : ndarray of int64
        Unanswered clips of the slice, in its order.
    share : float
        Share of audit clips after the first ``N_BEFORE`` answers.
    n_answered, n_audited : int
        Number of answers so far, and of those in the slice.

    Returns
    -------
    ndarray of int64
        Every clip once; the rest of the longer input follows at the end.

    Examples
    --------
    >>> interleave(np.arange(6), np.array([7, 8]), 0.5, n_answered=10, n_audited=0).tolist()
    [0, 7, 1, 8, 2, 3, 4, 5]
    """
    if not len(audit):
        return chosen
    places = np.arange(1, len(audit) + 1) + n_audited
    # The k-th audit clip comes where ``share`` times the number of clips reaches k.
    due = np.ceil(places / share - 1e-9).astype(np.int64) + N_BEFORE - n_answered - 1
    due = np.maximum(due, np.arange(len(audit)))
    due = np.minimum(due, len(chosen) + np.arange(len(audit)))
    order = np.empty(len(chosen) + len(audit), dtype=np.int64)
    is_audit = np.zeros(len(order), dtype=bool)
    is_audit[due] = True
    order[is_audit] = audit
    order[~is_audit] = chosen
    return order
