"""Embeddings as unit rows: the form in which every distance here is computed."""

import numpy as np
from numpy.typing import NDArray

SAME_DISTANCE = 1e-6
"""Equal unit rows of float32 are at most this far apart after rounding (cosine distance)."""


def normalize_rows(embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
    """Scale every row to length 1; a row of zeros stays as it is.

    Parameters
    ----------
    embeddings : ndarray, shape=(n_clips, embedding_dim)

    Returns
    -------
    ndarray of float32, shape=(n_clips, embedding_dim), range [-1, 1]

    Raises
    ------
    ValueError
        If the array is not 2-D, or a row holds NaN or infinity.

    Examples
    --------
    >>> normalize_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    rows = np.asarray(embeddings, dtype=np.float32)
    check_finite_rows(rows, "embeddings")
    # Scaled by the largest number first: squares of float32 overflow beyond 1.8e19.
    largest = np.maximum(rows.max(axis=1, initial=0.0), -rows.min(axis=1, initial=0.0))
    unit = rows / np.where(largest > 0, largest, 1.0)[:, None]
    lengths = np.sqrt(np.einsum("ij,ij->i", unit, unit))  # (n_clips,)
    unit /= np.where(lengths > 0, lengths, 1.0)[:, None]
    return np.asarray(unit, dtype=np.float32)


def check_finite_rows(rows: NDArray[np.floating], name: str) -> None:
    """Check that an array is 2-D and holds neither NaN nor infinity.

    Parameters
    ----------
    rows : ndarray, shape=(n_clips, embedding_dim)
    name : str
        What the message calls the array.

    Raises
    ------
    ValueError
        If it is not so; the message names the first such row.

    Examples
    --------
    >>> check_finite_rows(np.array([[0.0], [np.nan]]), "embeddings")
    Traceback (most recent call last):
    ValueError: row 1 of the embeddings is not finite; embed the clip again or leave it out
    """
    if rows.ndim != 2:
        raise ValueError(f"the {name} have shape {rows.shape}; wanted (n_clips, embedding_dim)")
    # A row's sum in float64 is finite exactly where all its float32 numbers are.
    is_bad = ~np.isfinite(rows.sum(axis=1, dtype=np.float64))
    if is_bad.any():
        row = int(np.argmax(is_bad))
        raise ValueError(
            f"row {row} of the {name} is not finite; embed the clip again or leave it out"
        )
