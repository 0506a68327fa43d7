import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.similarity.neighbors import LABELED_SHARE, distances, find_neighbors
from ml_backend.similarity.vectors import normalize_rows


def make_rows(n, *, dim=16, seed=0):
    rows = np.random.default_rng(seed).normal(size=(n, dim))
    return normalize_rows(rows.astype(np.float32))


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=40),
    st.integers(1, 15),
    st.randoms(use_true_random=False),
)
def test_the_nearest_are_found_labeled_ones_first(steps, n, random):
    distance = np.array(steps, dtype=np.float32) / 10
    is_labeled = np.array([random.random() < 0.3 for _ in steps])
    found = find_neighbors(distance, is_labeled, n).tolist()
    wanted_labeled = -(-n // LABELED_SHARE)
    by_distance = sorted(range(len(steps)), key=lambda row: (distance[row], row))
    must = [row for row in by_distance if is_labeled[row]][:wanted_labeled]
    rest = [row for row in by_distance if row not in must][: n - len(must)]
    assert found == sorted(must + rest, key=lambda row: (not is_labeled[row], distance[row], row))


def test_a_clip_is_not_its_own_neighbor():
    unit = make_rows(5)
    distance = distances(unit, unit[2])
    assert distance[2] == 0.0
    distance[2] = np.inf
    assert 2 not in find_neighbors(distance, np.array([False, False, True, False, True]), 10)


def test_distances_are_cosine_distances():
    unit = make_rows(9)
    assert distances(unit, unit[3]) == pytest.approx(1 - unit @ unit[3], abs=1e-6)
    opposite = np.array([[1, 0], [-1, 0]], dtype=np.float32)
    assert distances(opposite, opposite[0]).tolist() == [0.0, 2.0]
