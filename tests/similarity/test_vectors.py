import numpy as np
import pytest

from ml_backend.similarity.vectors import normalize_rows


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
