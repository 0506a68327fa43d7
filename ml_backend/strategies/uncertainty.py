"""How unsure a classifier is of each clip: pure functions of class probabilities.

Rows are clips, columns are classes. Where a clip has one label a row sums to 1; where it may have
several, each column is a head of its own and the functions named ``binary_`` apply.
"""

import numpy as np
from numpy.typing import NDArray

_SUM_TOLERANCE = 1e-3


def normalized_entropy(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Measure uncertainty as entropy, scaled so a uniform row scores 1.

    Parameters
    ----------
    probabilities : ndarray, shape=(n_clips, n_classes), range [0, 1]
        Class probabilities, one clip per row; ``n_classes >= 2``.

    Returns
    -------
    ndarray, shape=(n_clips,), range [0, 1]
        Shannon entropy in nats divided by ``log(n_classes)``.

    Raises
    ------
    ValueError
        If the array is not 2-D, has fewer than two classes, or a row is no distribution.

    References
    ----------
    C. E. Shannon, "A Mathematical Theory of Communication", 1948, section 6.

    Examples
    --------
    >>> normalized_entropy(np.array([[0.5, 0.5], [1.0, 0.0]])).tolist()
    [1.0, 0.0]
    """
    rows = _distributions(probabilities)
    entropy_nats = _entropy_terms(rows).sum(axis=1)  # (n_clips,)
    return np.asarray(np.clip(entropy_nats / np.log(rows.shape[1]), 0.0, 1.0))


def margin(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Measure certainty as the lead of the likeliest class over the runner-up.

    Parameters
    ----------
    probabilities : ndarray, shape=(n_clips, n_classes), range [0, 1]
        Class probabilities, one clip per row; ``n_classes >= 2``.

    Returns
    -------
    ndarray, shape=(n_clips,), range [0, 1]
        Largest minus second largest probability; 0 is a tie.

    Raises
    ------
    ValueError
        If the array is not 2-D, has fewer than two classes, or a row is no distribution.

    References
    ----------
    T. Scheffer, C. Decomain, S. Wrobel, "Active Hidden Markov Models for Information
    Extraction", IDA 2001.

    Examples
    --------
    >>> margin(np.array([[0.5, 0.25, 0.25], [0.5, 0.0, 0.5]])).tolist()
    [0.25, 0.0]
    """
    rows = _distributions(probabilities)
    two_largest = np.partition(rows, -2, axis=1)[:, -2:]  # (n_clips, 2), ascending
    return np.asarray(two_largest[:, 1] - two_largest[:, 0])


def binary_entropy(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Measure uncertainty of yes-or-no heads: the mean of their entropies in bits.

    Parameters
    ----------
    probabilities : ndarray, shape=(n_clips, n_classes), range [0, 1]
        Probability that the class is present, one head per column.

    Returns
    -------
    ndarray, shape=(n_clips,), range [0, 1]
        1 where every head says 0.5.

    Raises
    ------
    ValueError
        If the array is not 2-D, has no class, or holds anything but probabilities.

    Examples
    --------
    >>> binary_entropy(np.array([[0.5, 0.5], [0.5, 1.0], [0.0, 1.0]])).tolist()
    [1.0, 0.5, 0.0]
    """
    heads = _checked(probabilities, min_classes=1)
    entropy_nats = _entropy_terms(heads) + _entropy_terms(1.0 - heads)  # (n_clips, n_classes)
    return np.asarray(np.clip(entropy_nats.mean(axis=1) / np.log(2), 0.0, 1.0))


def binary_margin(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Measure certainty of yes-or-no heads: the lead of yes or no in the least certain head.

    Parameters
    ----------
    probabilities : ndarray, shape=(n_clips, n_classes), range [0, 1]
        Probability that the class is present, one head per column.

    Returns
    -------
    ndarray, shape=(n_clips,), range [0, 1]
        Smallest ``|p - (1 - p)|`` of a row.

    Raises
    ------
    ValueError
        If the array is not 2-D, has no class, or holds anything but probabilities.

    Examples
    --------
    >>> binary_margin(np.array([[0.25, 1.0], [0.5, 0.0]])).tolist()
    [0.5, 0.0]
    """
    heads = _checked(probabilities, min_classes=1)
    return np.asarray(np.abs(2.0 * heads - 1.0).min(axis=1))


def _entropy_terms(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    # 0 * log(0) counts as 0
    logs = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    return np.asarray(-probabilities * logs)


def _checked(probabilities: NDArray[np.floating], *, min_classes: int) -> NDArray[np.float64]:
    array = np.asarray(probabilities, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] < min_classes:
        raise ValueError(
            f"probabilities have shape {array.shape}; "
            f"wanted (n_clips, n_classes) with n_classes >= {min_classes}"
        )
    is_bad = ~((array >= -_SUM_TOLERANCE) & (array <= 1 + _SUM_TOLERANCE)).all(axis=1)
    if is_bad.any():
        row = int(np.argmax(is_bad))
        raise ValueError(f"row {row} of the probabilities holds {array[row]}; wanted [0, 1]")
    return np.clip(array, 0.0, 1.0)


def _distributions(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    array = _checked(probabilities, min_classes=2)
    sums = array.sum(axis=1)
    is_off = np.abs(sums - 1.0) > _SUM_TOLERANCE
    if is_off.any():
        row = int(np.argmax(is_off))
        raise ValueError(f"row {row} of the probabilities sums to {sums[row]:.4f}; wanted 1")
    return array
