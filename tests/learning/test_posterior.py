"""How likely a clip of a score has a class, learned from labels that were chosen."""

import numpy as np
import pytest
from scipy.optimize import minimize

from ml_backend.learning.posterior import (
    SLOPE,
    draw_curves,
    draw_weights,
    fit_curve,
    log_odds,
    shares,
)


def sample(n_clips, rng, *, a=-3.0, b=1.5):
    scores = rng.normal(0, 2, n_clips)
    return scores, rng.random(n_clips) < shares(np.array([[a, b]]), scores)[0]


def test_the_curve_is_the_one_that_a_general_optimizer_finds():
    scores, has_class = sample(80, np.random.default_rng(0))
    n_yes = has_class.sum()
    center = np.log((n_yes + 0.5) / (80 - n_yes + 0.5))

    def loss(curve):
        z = curve[0] + curve[1] * scores
        misfit = np.logaddexp(0, np.where(has_class, -z, z)).sum()
        return misfit + ((curve[0] - center) / 3) ** 2 / 2 + (curve[1] - SLOPE) ** 2 / 2

    assert fit_curve(scores, has_class)[0] == pytest.approx(minimize(loss, [0, 1]).x, abs=1e-3)


def test_many_labels_give_the_curve_that_made_them_whichever_were_chosen():
    rng = np.random.default_rng(1)
    scores, has_class = sample(60_000, rng)
    is_chosen = rng.random(len(scores)) < np.exp(-(scores**2))  # the uncertain ones
    assert fit_curve(scores, has_class)[0] == pytest.approx([-3.0, 1.5], abs=0.1)
    assert fit_curve(scores[is_chosen], has_class[is_chosen])[0] == pytest.approx(
        [-3.0, 1.5], abs=0.3
    )


def test_without_labels_of_both_kinds_the_prior_keeps_the_curve_finite():
    sure = fit_curve(np.array([3.0, 4.0]), np.array([True, True]))
    assert np.isfinite(sure).all()
    assert 0.5 < shares(sure, np.array([3.0]))[0, 0] < 1


def test_without_any_label_the_curve_is_the_prior_s_mean():
    nothing = fit_curve(np.empty(0), np.empty(0, bool))
    assert nothing[0] == pytest.approx([0.0, 2.0])
    without_contrast = fit_curve(np.zeros(5), np.array([True, False, True, True, False]))
    assert without_contrast[0, 1] == pytest.approx(2.0)


def test_ten_clips_of_a_recording_tell_no_more_than_one():
    rng = np.random.default_rng(2)
    scores, has_class = (np.repeat(one, 10) for one in sample(20, rng))
    spreads = []
    for groups in (np.arange(200), np.arange(200) // 10):
        curves = draw_curves(scores, has_class, draw_weights(groups, 400, rng), rng)
        spreads.append(shares(curves, np.array([1.0])).std())
    assert spreads[1] > 1.5 * spreads[0]


def test_clips_of_a_recording_weigh_the_same_in_every_draw():
    weights = draw_weights(np.array([7, 3, 7]), 500, np.random.default_rng(3))
    assert np.array_equal(weights[:, 0], weights[:, 2])
    assert not np.array_equal(weights[:, 0], weights[:, 1])
    assert weights.mean() == pytest.approx(1, abs=0.1)


def test_the_answer_to_no_mirrors_the_answer_to_yes():
    scores, has_class = sample(50, np.random.default_rng(4))
    yes, no = fit_curve(scores, has_class), fit_curve(-scores, ~has_class)
    assert shares(yes, scores) == pytest.approx(1 - shares(no, -scores), abs=1e-6)


def test_log_odds_undo_the_curve():
    p = np.array([0.01, 0.5, 0.9])
    assert shares(np.array([[0.0, 1.0]]), log_odds(p))[0] == pytest.approx(p)
