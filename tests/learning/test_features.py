import numpy as np
import pytest

from ml_backend.learning.classifier import fit_classifier
from ml_backend.learning.features import lay_out

CENTER = np.zeros(2, np.float32)


def prior_of(logits):
    """Logits of the first class; the second has no name."""
    return np.stack([logits, np.full(len(logits), np.nan)], axis=1).astype(np.float32)


def test_what_sounds_more_like_a_class_lies_higher():
    logits = np.array([-8.0, -5.0, 1.0, 4.0])
    layout = lay_out(CENTER, 1.0, prior_of(logits))
    columns = layout.rows(np.zeros((4, 2), np.float32), prior_of(logits))[:, 2:]
    assert (np.diff(columns[:, 0]) > 0).all()
    np.testing.assert_allclose(columns[:, 0], 0.6 * (logits - logits.mean()) / logits.std())
    np.testing.assert_array_equal(columns[:, 1], 0.0)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_classifier_trusts_a_prior_that_is_right_and_turns_one_that_is_wrong(sign):
    answers = np.arange(40) % 2
    prior = prior_of(sign * (2.0 - 4.0 * answers))
    classifier = fit_classifier(
        np.ones((40, 2), np.float32),
        np.eye(2, dtype=np.int8)[answers],
        ["siren", "other"],
        multi_label=False,
        groups=None,
        layout=lay_out(CENTER, 1.0, prior),
        prior=prior,
        seed=0,
    )
    of_siren, of_other = classifier.prior_weights[:, 0]
    assert sign * of_siren > 0 > sign * of_other


def test_embeddings_are_centered_and_divided_by_one_number():
    layout = lay_out(np.array([1.0, 2.0], np.float32), 4.0)
    rows = layout.rows(np.array([[1.0, 2.0], [5.0, 0.0]], np.float32), None)
    np.testing.assert_array_equal(rows, [[0.0, 0.0], [1.0, -0.5]])


def test_clips_all_alike_and_a_prior_that_says_nothing_divide_by_nothing():
    layout = lay_out(CENTER, 0.0, prior_of(np.full(3, -5.0)))
    rows = layout.rows(np.zeros((3, 2), np.float32), prior_of(np.array([-5.0, 0.0, 9.0])))
    np.testing.assert_array_equal(rows, 0.0)
