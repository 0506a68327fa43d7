"""The audit slice: clips drawn at random, labeled to measure and never to train.

Labels that a strategy chose are no sample of what there is: the hard clips are among them. So
every clip draws a lot, a number that follows from its key alone: the same in every process and
after every restart, and independent of what is heard in it. The clips with the lowest lots are
the slice. They are no candidates of the strategy, and are asked about in the order of their lots,
so that those answered are at any time a random sample of all clips. A person may label a clip of
the slice out of turn; it then counts when its turn has come.

At the start labels are worth too much: the first ``N_BEFORE`` are all trained on, and no turn
comes before. From ``N_ENOUGH`` counted labels on (an interval of about ± 0.06) with ``N_PER_CLASS``
of each class, or from ``N_AT_MOST``, more of them would sharpen the figure less than they would
teach: the slice is closed, and clips behind its last one are asked about and trained on like any
other.
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
    """Give every clip its lot, a number from [0, 1) that follows from its key.

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
    """Give the rows of the slice in the order of their lots; ties by row number.

    Examples
    --------
    >>> draw_slice(np.array([0.05, 0.5, 0.01]), 0.07).tolist()
    [2, 0]
    """
    rows = np.flatnonzero(lots < share)
    return rows[np.argsort(lots[rows], kind="stable")]


def n_in_turn(is_answered: NDArray[np.bool_]) -> int:
    """Count the answered clips that no unanswered one comes before, in the order of the slice.

    Examples
    --------
    >>> n_in_turn(np.array([True, True, False, True]))
    2
    """
    return len(is_answered) if is_answered.all() else int(np.argmin(is_answered))


def n_closed(answers: Sequence[frozenset[str] | None]) -> int | None:
    """Tell after how many clips the slice is closed; None while it is open.

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
    """Put the audit clips into a strategy's order, so that they are ``share`` of what is served.

    Parameters
    ----------
    chosen : ndarray of int64
        The strategy's order.
    audit : ndarray of int64
        Clips of the slice that wait, in their order.
    share : float
        From the answer after the first ``N_BEFORE`` on.
    n_answered, n_audited : int
        Answers so far, and how many of them are of the slice.

    Returns
    -------
    ndarray of int64
        Every clip once; what is left of one side follows at the end.

    Examples
    --------
    >>> interleave(np.arange(6), np.array([7, 8]), 0.5, n_answered=10, n_audited=0).tolist()
    [0, 7, 1, 8, 2, 3, 4, 5]
    """
    if not len(audit):
        return chosen
    places = np.arange(1, len(audit) + 1) + n_audited
    # The k-th audit clip is served when k clips of the share are due.
    due = np.ceil(places / share - 1e-9).astype(np.int64) + N_BEFORE - n_answered - 1
    due = np.maximum(due, np.arange(len(audit)))
    due = np.minimum(due, len(chosen) + np.arange(len(audit)))
    order = np.empty(len(chosen) + len(audit), dtype=np.int64)
    is_audit = np.zeros(len(order), dtype=bool)
    is_audit[due] = True
    order[is_audit] = audit
    order[~is_audit] = chosen
    return order
