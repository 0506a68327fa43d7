import numpy as np
import pytest
from scipy.spatial.distance import cdist

from ml_backend.similarity import coverage
from ml_backend.similarity.coverage import coverage_distance, normalize_rows


@pytest.fixture
def clips():
    return np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)


def test_rows_get_length_one_and_keep_their_direction(clips):
    unit = normalize_rows(clips)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(unit * np.linalg.norm(clips, axis=1)[:, None], clips, atol=1e-5)
    assert unit.dtype == np.float32


def test_a_row_of_zeros_stays():
    assert normalize_rows(np.zeros((1, 3), dtype=np.float32)).tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_very_small_and_very_large_rows_are_no_exception(clips, scale):
    np.testing.assert_allclose(
        normalize_rows(clips * np.float32(scale)), normalize_rows(clips), atol=1e-5
    )


def test_the_rows_passed_in_are_left_alone(clips):
    before = clips.copy()
    normalize_rows(clips)
    np.testing.assert_array_equal(clips, before)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_is_named(clips, bad):
    clips[41, 3] = bad
    with pytest.raises(ValueError, match="row 41"):
        normalize_rows(clips)


def test_the_distance_is_the_smallest_of_all_cosine_distances(clips):
    pool, labeled = clips[:50], clips[50:]
    expected = cdist(pool, labeled, metric="cosine").min(axis=1)
    found = coverage_distance(normalize_rows(pool), normalize_rows(labeled))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_blocks_make_no_difference(clips, monkeypatch):
    unit = normalize_rows(clips)
    at_once = coverage_distance(unit, unit[:7])
    monkeypatch.setattr(coverage, "_BLOCK_BYTES", 4 * 7 * 3)
    np.testing.assert_allclose(coverage_distance(unit, unit[:7]), at_once, atol=1e-6)


def test_nothing_labeled_leaves_everything_at_distance_one(clips):
    assert (coverage_distance(clips, clips[:0]) == 1.0).all()


def test_a_copy_of_a_labeled_clip_is_at_distance_exactly_zero(clips):
    unit = normalize_rows(clips)
    assert (coverage_distance(unit, unit) == 0.0).all()


def test_the_opposite_direction_is_at_distance_two(clips):
    unit = normalize_rows(clips[:1])
    assert coverage_distance(-unit, unit) == pytest.approx(2.0)


def test_embeddings_of_two_embedders_are_not_compared(clips):
    with pytest.raises(ValueError, match="embedding_dim"):
        coverage_distance(clips, clips[:, :4])
