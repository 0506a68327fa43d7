import numpy as np
import pytest

from ml_backend.similarity import knn
from ml_backend.similarity.knn import (
    EXACT_UP_TO,
    _search_cells,
    nearest_neighbors,
    nearest_row,
)
from ml_backend.similarity.vectors import normalize_rows


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


@pytest.mark.parametrize("block_bytes", [4, 4 * 9 * 7, 2**25])
def test_the_nearest_row_is_that_of_a_slow_search_whatever_the_blocks(block_bytes, monkeypatch):
    monkeypatch.setattr(knn, "_BLOCK_BYTES", block_bytes)
    unit = clouds(60)
    rows, similarity = nearest_row(unit, unit[40:49])
    slow = unit.astype(np.float64) @ unit[40:49].T
    assert rows.tolist() == slow.argmax(axis=1).tolist()
    assert similarity == pytest.approx(slow.max(axis=1), abs=1e-6)


def test_of_equally_near_rows_the_lowest_is_found():
    rows, similarity = nearest_row(np.eye(2, dtype=np.float32), np.ones((3, 2), dtype=np.float32))
    assert (rows.tolist(), similarity.tolist()) == ([0, 0], [1.0, 1.0])


def test_there_is_no_nearest_of_no_rows():
    with pytest.raises(ValueError, match="empty"):
        nearest_row(clouds(3), clouds(3)[:0])
