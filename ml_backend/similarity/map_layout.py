"""The similarity map: embeddings as points of a picture, for eyes only.

Clips that sound alike lie near each other. A first sketch is a principal component analysis (PCA),
had at once; the map itself is UMAP [1]_ of cosine distances, at four *localities* from one that
keeps close neighbors together to one that keeps the large shapes. A map is fitted once; clips that
come later are placed among their neighbors, so nothing jumps.

Positions are ``(n_clips, 2)``, float32, in the unit square; NaN for an embedding that is not
finite. The same embeddings and seed give the same map: UMAP runs on one thread for that. It is
turned and mirrored to lie like the sketch, and the sketch by its own skewness, so that a map fitted
anew looks like the one before.

References
----------
.. [1] L. McInnes, J. Healy, J. Melville, "UMAP: Uniform Manifold Approximation and Projection for
   Dimension Reduction", arXiv:1802.03426, 2018.
"""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_backend.similarity.alignment import Positions, align, in_square
from ml_backend.similarity.knn import nearest_neighbors
from ml_backend.similarity.vectors import SAME_DISTANCE, normalize_rows

PCA = -1
"""Stands where a locality would: the sketch."""
FEWEST = 10
"""With fewer different clips the map is the sketch: there is no neighborhood to keep."""
_FEW_CLIPS = 10_000
_N_EPOCHS = (300, 200)  # for a few clips and for many
_PCA_SAMPLE = 20_000
_EVEN = 1e-6
_N_PLACED_BY = 15
_N_STEPS = 30
_NEAR_ENOUGH = 1e-3


@dataclass(frozen=True)
class Locality:
    """How near a map looks: UMAP's ``n_neighbors`` and ``min_dist``."""

    n_neighbors: int
    min_dist: float


# Clips of one recording are all but copies: with UMAP's usual min_dist of 0.1 they lie on top of
# each other. With 0.7, 1,260 street clips take 690 spots of a map instead of 230, 8,820 short ones
# 2,050 instead of 560, for 0.01 less trustworthiness (benchmarks/map_speed.py).
LOCALITIES = (Locality(8, 0.3), Locality(20, 0.7), Locality(50, 0.8), Locality(100, 0.9))
DEFAULT = 1


def sketch_map(embeddings: NDArray[np.float32]) -> Positions:
    """Draw clips by the two directions in which their unit rows vary most.

    Parameters
    ----------
    embeddings : ndarray, shape=(n_clips, embedding_dim)

    Returns
    -------
    ndarray of float32, shape=(n_clips, 2), range [0, 1]
        NaN where an embedding is not finite; the middle where all are equal.

    Examples
    --------
    >>> sketch_map(np.eye(2, dtype=np.float32)).round(2)
    array([[0.98, 0.5 ],
           [0.02, 0.5 ]], dtype=float32)
    """
    is_finite, unit = _clean(embeddings)
    xy = np.full((len(embeddings), 2), np.nan, dtype=np.float32)
    if len(unit):
        xy[is_finite] = in_square(_principal_components(unit))
    return xy


def fit_map(
    embeddings: NDArray[np.float32],
    locality: Locality,
    on_progress: Callable[[float], None] = lambda _: None,
    *,
    seed: int = 0,
    lies_like: Positions | None = None,
) -> Positions:
    """Fit a map by UMAP.

    Parameters
    ----------
    embeddings : ndarray, shape=(n_clips, embedding_dim)
    locality : Locality
    on_progress : callable
        Told how much of the work is done, from 0 to 1.
    seed : int
    lies_like : ndarray, shape=(n_clips, 2), optional
        A map that this one is turned to, NaN for clips that it does not have; else the sketch.

    Returns
    -------
    ndarray of float32, shape=(n_clips, 2), range [0, 1]
        Equal embeddings lie on one point; NaN where one is not finite.
    """
    is_finite, unit = _clean(embeddings)
    distinct, place_of = _distinct(unit)
    sketch = sketch_map(embeddings)
    if len(distinct) < FEWEST:
        return sketch if lies_like is None else in_square(align(sketch, lies_like))
    fitted = _lay_out(
        unit[distinct], _principal_components(unit[distinct]), locality, on_progress, seed
    )
    xy = np.full((len(embeddings), 2), np.nan, dtype=np.float32)
    xy[is_finite] = fitted[place_of]
    return in_square(align(xy, sketch if lies_like is None else lies_like))


def place_clips(new: NDArray[np.float32], held: NDArray[np.float32], xy: Positions) -> Positions:
    """Place clips on a map among their nearest neighbors on it.

    A position is the geometric median of the neighbors', the nearer ones counting for more. Their
    mean would lie between two clouds where a few neighbors are of another one. Of real clips left
    out of a map, 84 % of the true neighbors are among the 30 nearest on it, as with UMAP's own
    ``transform`` (``benchmarks/map_speed.py``), which needs the fitted object at hand.

    Parameters
    ----------
    new : ndarray, shape=(n_new, embedding_dim)
    held : ndarray, shape=(n_held, embedding_dim)
        Embeddings of the clips on the map.
    xy : ndarray, shape=(n_held, 2)

    Returns
    -------
    ndarray of float32, shape=(n_new, 2)
        NaN where an embedding is not finite, or nothing is on the map. A copy of a clip lies
        where that does.
    """
    placed = np.full((len(new), 2), np.nan, dtype=np.float32)
    is_finite, unit = _clean(new)
    is_drawn = _is_finite(held) & ~np.isnan(xy).any(axis=1)
    drawn = normalize_rows(held[is_drawn])
    if not len(unit) or not len(drawn):
        return placed
    k = min(_N_PLACED_BY, len(drawn))
    rows, distance = nearest_neighbors(unit, k, among=drawn)
    beyond_first = distance - distance[:, :1]
    scale = beyond_first.mean(axis=1, keepdims=True)
    weights = np.exp(-beyond_first / np.where(scale > 0, scale, 1.0))
    weights /= weights.sum(axis=1, keepdims=True)
    is_copy = distance[:, 0] <= SAME_DISTANCE
    weights[is_copy] = 0.0
    weights[is_copy, 0] = 1.0
    placed[is_finite] = _geometric_median(xy[is_drawn][rows], weights)
    return placed


def _geometric_median(points: NDArray[np.float32], weights: NDArray[np.float32]) -> Positions:
    """Find where the weighted distances to points are the least in sum, one row each.

    ``points`` is (n, k, 2) in the unit square, ``weights`` (n, k).

    References
    ----------
    E. Weiszfeld, "Sur le point pour lequel la somme des distances de n points donnés est minimum",
    Tohoku Mathematical Journal 43, 1937.
    """
    median = np.einsum("ij,ijk->ik", weights, points)
    for _ in range(_N_STEPS):
        apart = np.linalg.norm(points - median[:, None], axis=2)
        pull = weights / np.maximum(apart, _NEAR_ENOUGH)
        median = np.einsum("ij,ijk->ik", pull, points) / pull.sum(axis=1, keepdims=True)
    return np.asarray(median, dtype=np.float32)


def _is_finite(embeddings: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which rows hold no NaN and no infinity."""
    return np.asarray(np.isfinite(embeddings.sum(axis=1, dtype=np.float64)))


def _clean(embeddings: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return which embeddings are finite, and those as unit rows."""
    is_finite = _is_finite(embeddings)
    return is_finite, normalize_rows(embeddings[is_finite])


def _distinct(unit: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first row of each set of equal rows, and of every row its place among those."""
    place_by_row: dict[bytes, int] = {}
    first: list[int] = []
    places = np.empty(len(unit), dtype=np.int64)
    for row, numbers in enumerate(unit):
        place = place_by_row.setdefault(numbers.tobytes(), len(first))
        if place == len(first):
            first.append(row)
        places[row] = place
    return np.array(first, dtype=np.int64), places


def _principal_components(unit: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the coordinates along the first two principal components, ``(n_clips, 2)``.

    The components are those of at most ``_PCA_SAMPLE`` clips, evenly picked; each points to where
    clips lie the farthest from the mean, or, where they are even, to its largest number.
    """
    sample = unit[:: -(-len(unit) // _PCA_SAMPLE)]
    center = sample.mean(axis=0)
    centered = sample - center
    _, directions = np.linalg.eigh((centered.T @ centered).astype(np.float64))
    directions = directions[:, ::-1][:, :2]  # (embedding_dim, up to 2)
    xy = np.zeros((len(unit), 2), dtype=np.float32)
    xy[:, : directions.shape[1]] = (unit - center) @ directions
    cubes = xy.astype(np.float64) ** 3
    skewness = cubes.sum(axis=0)
    is_even = np.abs(skewness) <= _EVEN * np.abs(cubes).sum(axis=0)
    leading = np.zeros(2)
    largest = np.abs(directions).argmax(axis=0)
    leading[: directions.shape[1]] = directions[largest, np.arange(directions.shape[1])]
    is_reversed = np.where(is_even, leading, skewness) < 0
    return np.where(is_reversed, -xy, xy)


def _lay_out(
    unit: NDArray[np.float32],
    init: NDArray[np.float32],
    locality: Locality,
    on_progress: Callable[[float], None],
    seed: int,
) -> Positions:
    """Run UMAP on distinct unit rows, from the sketch on."""
    n_neighbors = min(locality.n_neighbors, len(unit) - 1)
    # In UMAP's own count a clip is its own first neighbor.
    rows, distance = nearest_neighbors(unit, n_neighbors)
    on_progress(0.2)
    from umap import UMAP

    on_progress(0.4)
    random_state = np.random.RandomState(seed)
    noise = random_state.normal(scale=1e-4, size=init.shape)
    start = 10.0 * init / np.abs(init).max() + noise
    fit = UMAP(
        n_neighbors=n_neighbors,
        min_dist=locality.min_dist,
        metric="cosine",
        n_epochs=_N_EPOCHS[len(unit) > _FEW_CLIPS],
        init=start.astype(np.float32),
        precomputed_knn=(rows, distance),
        random_state=random_state,
        n_jobs=1,
        tqdm_kwds={
            "disable": False,
            "file": _Meter(lambda share: on_progress(0.4 + 0.6 * share)),
            "bar_format": "{percentage:.0f}%",
        },
    )
    with warnings.catch_warnings():
        # No index to search, so no transform: place_clips does that.
        warnings.filterwarnings("ignore", message=r"precomputed_knn\[2\]")
        xy = fit.fit_transform(unit)
    return np.asarray(xy, dtype=np.float32)


class _Meter:
    """Reads UMAP's progress bar, which is the only thing that tells of it."""

    def __init__(self, on_share: Callable[[float], None]) -> None:
        self._on_share = on_share

    def write(self, text: str) -> None:
        found = re.search(r"(\d+)%", text)
        if found:
            self._on_share(int(found[1]) / 100)

    def flush(self) -> None:
        """Do nothing: what was written was read."""
