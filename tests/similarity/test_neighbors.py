import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.similarity.coverage import normalize_rows
from ml_backend.similarity.knn import EXACT_UP_TO, _search_cells, nearest_neighbors
from ml_backend.similarity.neighbors import LABELED_SHARE, distances, find_neighbors


def clouds(n, *, dim=16, n_clouds=12, seed=0):
    """Unit rows in clouds, as sounds of a few kinds are."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(n_clouds, dim))
    rows = centers[rng.integers(n_clouds, size=n)] + 0.5 * rng.normal(size=(n, dim))
    return normalize_rows(rows.astype(np.float32))


def search_slowly(unit, k):
    far = 1 - unit.astype(np.float64) @ unit.T.astype(np.float64)
    np.fill_diagonal(far, -1)
    return np.argsort(far, axis=1, kind="stable")[:, :k]


def test_exact_neighbors_are_those_of_a_slow_search():
    unit = clouds(120)
    rows, distance = nearest_neighbors(unit, 7)
    assert np.array_equal(rows, search_slowly(unit, 7))
    far = 1 - (unit[:, None, :] * unit[rows]).sum(axis=2)
    far[:, 0] = 0.0
    assert distance == pytest.approx(far, abs=1e-5)
    assert (np.diff(distance, axis=1) >= 0).all()


def test_among_others_nothing_is_its_own_neighbor():
    unit = clouds(60)
    rows, _ = nearest_neighbors(unit[:10], 3, among=unit[10:])
    far = 1 - unit[:10].astype(np.float64) @ unit[10:].T
    assert np.array_equal(rows, np.argsort(far, axis=1)[:, :3])


def test_copies_do_not_take_a_clips_own_place():
    unit = normalize_rows(np.ones((6, 3), dtype=np.float32))
    rows, distance = nearest_neighbors(unit, 3)
    assert rows[:, 0].tolist() == list(range(6))
    assert all(len(set(row)) == 3 for row in rows.tolist())
    assert distance == pytest.approx(np.zeros((6, 3)), abs=1e-6)


def test_cells_find_nearly_all_that_an_exact_search_finds():
    unit = clouds(1_500, dim=24, n_clouds=40)
    rows, distance = _search_cells(unit, 10)
    exact = search_slowly(unit, 10)
    pairs = zip(rows.tolist(), exact.tolist(), strict=True)
    shared = np.mean([len(set(a) & set(b)) / 10 for a, b in pairs])
    assert shared > 0.95
    assert rows[:, 0].tolist() == list(range(1_500))
    assert (np.diff(distance, axis=1) >= 0).all()


def test_cells_find_enough_where_all_are_copies():
    unit = normalize_rows(np.ones((400, 4), dtype=np.float32))
    rows, distance = _search_cells(unit, 30)
    assert all(len(set(row)) == 30 for row in rows.tolist())
    assert distance.max() < 1e-6


def test_pages_are_never_told_of_neighbors_that_are_only_near_enough():
    assert EXACT_UP_TO >= 8_732


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
    unit = clouds(5)
    distance = distances(unit, unit[2])
    assert distance[2] == 0.0
    distance[2] = np.inf
    assert 2 not in find_neighbors(distance, np.array([False, False, True, False, True]), 10)


def test_distances_are_cosine_distances():
    unit = clouds(9)
    assert distances(unit, unit[3]) == pytest.approx(1 - unit @ unit[3], abs=1e-6)
    opposite = np.array([[1, 0], [-1, 0]], dtype=np.float32)
    assert distances(opposite, opposite[0]).tolist() == [0.0, 2.0]
