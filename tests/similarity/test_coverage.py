import numpy as np
import pytest
from scipy.spatial.distance import cdist

from ml_backend.similarity.coverage import coverage_distance
from ml_backend.similarity.vectors import normalize_rows


@pytest.fixture
def clips():
    return np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)


def test_the_distance_is_the_smallest_of_all_cosine_distances(clips):
    pool, labeled = clips[:50], clips[50:]
    expected = cdist(pool, labeled, metric="cosine").min(axis=1)
    found = coverage_distance(normalize_rows(pool), normalize_rows(labeled))
    np.testing.assert_allclose(found, expected, atol=1e-6)


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
