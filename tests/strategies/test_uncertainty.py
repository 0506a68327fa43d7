import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import entropy as entropy_nats

from ml_backend.strategies.uncertainty import (
    binary_entropy,
    binary_margin,
    margin,
    normalized_entropy,
)


@pytest.mark.parametrize("n_classes", [2, 3, 50])
def test_a_uniform_row_scores_one_whatever_the_number_of_classes(n_classes):
    uniform = np.full((1, n_classes), 1 / n_classes)
    assert normalized_entropy(uniform) == pytest.approx(1.0)
    assert margin(uniform) == pytest.approx(0.0)


@pytest.mark.parametrize("n_classes", [2, 3, 50])
def test_a_certain_row_has_no_entropy_and_the_largest_margin(n_classes):
    certain = np.eye(n_classes)
    assert normalized_entropy(certain).tolist() == [0.0] * n_classes
    assert margin(certain).tolist() == [1.0] * n_classes


def test_entropy_of_many_classes_agrees_with_another_implementation():
    rows = np.random.default_rng(0).dirichlet(np.full(7, 0.4), size=200)
    expected = entropy_nats(rows, axis=1) / np.log(7)
    np.testing.assert_allclose(normalized_entropy(rows), expected, atol=1e-12)


def test_half_the_classes_ruled_out_leaves_half_the_doublings():
    assert normalized_entropy(np.array([[0.5, 0.5, 0.0, 0.0]])) == pytest.approx(0.5)


def test_the_margin_is_the_lead_over_the_second_not_over_the_last():
    assert margin(np.array([[0.1, 0.6, 0.3]])) == pytest.approx(0.3)


def test_a_yes_or_no_head_is_as_uncertain_as_two_classes():
    yes = np.linspace(0, 1, 21)[:, None]
    two_classes = np.hstack([yes, 1 - yes])
    np.testing.assert_allclose(binary_entropy(yes), normalized_entropy(two_classes), atol=1e-12)
    np.testing.assert_allclose(binary_margin(yes), margin(two_classes), atol=1e-12)


def test_several_heads_give_their_mean_entropy_and_their_smallest_margin():
    heads = np.array([[0.5, 1.0, 0.2]])
    of_last = -(0.2 * np.log2(0.2) + 0.8 * np.log2(0.8))
    assert binary_entropy(heads) == pytest.approx((1 + 0 + of_last) / 3)
    assert binary_margin(heads) == pytest.approx(0.0)


@given(
    arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(2, 6)), elements=st.floats(0.0, 1))
)
def test_entropy_stays_between_nothing_and_one_and_ignores_the_order_of_classes(weights):
    rows = (weights + 1e-9) / (weights + 1e-9).sum(axis=1, keepdims=True)
    scores = normalized_entropy(rows)
    assert ((scores >= 0) & (scores <= 1)).all()
    np.testing.assert_allclose(scores, normalized_entropy(rows[:, ::-1]), atol=1e-9)


def test_single_precision_probabilities_are_taken():
    rows = np.full((3, 10), 0.1, dtype=np.float32)
    np.testing.assert_allclose(normalized_entropy(rows), 1.0, atol=1e-6)


def test_no_clips_give_no_scores():
    assert normalized_entropy(np.empty((0, 2))).shape == (0,)
    assert margin(np.empty((0, 3))).shape == (0,)
    assert binary_entropy(np.empty((0, 1))).shape == (0,)


def test_an_invalid_row_is_named():
    with pytest.raises(ValueError, match=r"row 1 .* sums to 0\.7000"):
        normalized_entropy(np.array([[0.5, 0.5], [0.5, 0.2]]))
    with pytest.raises(ValueError, match=r"row 1 .* sums to 1\.4000"):
        margin(np.array([[0.5, 0.5], [0.7, 0.7]]))


@pytest.mark.parametrize("bad", [np.nan, -0.1, 1.1, np.inf])
def test_what_is_no_probability_is_refused(bad):
    with pytest.raises(ValueError, match="row 0"):
        binary_entropy(np.array([[bad, 0.5]]))


@pytest.mark.parametrize("shape", [(3,), (3, 1), (2, 2, 2)])
def test_an_array_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="shape"):
        normalized_entropy(np.ones(shape))


def test_a_row_may_miss_a_sum_of_1_by_a_thousandth():
    normalized_entropy(np.array([[0.5, 0.4991]]))
    with pytest.raises(ValueError, match=r"row 0 .* sums to 0\.9985"):
        normalized_entropy(np.array([[0.5, 0.4985]]))
