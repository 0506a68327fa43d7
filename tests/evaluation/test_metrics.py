"""Figures against closed forms, slow obvious versions and scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_backend.evaluation import metrics
from ml_backend.evaluation.metrics import (
    area_under_curve,
    average_precision,
    calibration_error,
    f1,
    kappa,
    label_efficiency,
    labels_to_target,
    log_loss,
    measure,
    recalls,
)


def some_clips(seed, n_clips=60, n_classes=3):
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(n_classes), rng.integers(n_classes, size=n_clips)])
    probabilities = rng.dirichlet(np.ones(n_classes), size=len(truth))
    return truth, np.round(probabilities, 1)  # rounded: equal scores must be dealt with


@pytest.mark.parametrize("seed", range(5))
def test_the_figures_are_those_of_scikit_learn(seed):
    from sklearn import metrics
    from sklearn.preprocessing import label_binarize

    truth, probabilities = some_clips(seed)
    decided = probabilities.argmax(axis=1)
    one_hot = label_binarize(truth, classes=range(3))
    figures = measure(one_hot, probabilities)
    wanted = metrics.balanced_accuracy_score(truth, decided)
    assert figures["balanced_accuracy"] == pytest.approx(wanted)
    assert figures["f1"] == pytest.approx(metrics.f1_score(truth, decided, average="macro"))
    wanted = metrics.average_precision_score(one_hot, probabilities, average="macro")
    assert figures["average_precision"] == pytest.approx(wanted)
    positive = np.maximum(probabilities, 1e-3)
    positive /= positive.sum(axis=1, keepdims=True)
    assert log_loss(truth, positive) == pytest.approx(metrics.log_loss(truth, positive))
    assert kappa(decided, truth) == pytest.approx(metrics.cohen_kappa_score(decided, truth))


@pytest.mark.parametrize("target", [0, 1, 2])
def test_with_a_target_f1_and_average_precision_are_its_own(target):
    truth, probabilities = some_clips(7)
    figures = measure(np.eye(3, dtype=int)[truth], probabilities, target)
    decided = probabilities.argmax(axis=1)
    assert figures["f1"] == f1(truth == target, decided == target)
    wanted = average_precision(truth == target, probabilities[:, target])
    assert figures["average_precision"] == wanted


def test_what_a_rule_decides_is_measured_instead_of_the_likeliest_class():
    truth = np.eye(2, dtype=int)[[0, 1, 1]]
    p = np.array([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6]])
    plain, ruled = measure(truth, p, 0), measure(truth, p, 0, np.array([0, 1, 1]))
    assert (plain["f1"], ruled["f1"]) == (pytest.approx(2 / 3), 1.0)
    assert (plain["balanced_accuracy"], ruled["balanced_accuracy"]) == (0.75, 1.0)
    assert plain["average_precision"] == ruled["average_precision"]


def test_a_class_that_no_clip_has_is_in_no_mean():
    figures = measure(
        np.array([[1, 0, 0], [0, 1, 0]]), np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    )
    assert (figures["balanced_accuracy"], figures["f1"]) == (1.0, 1.0)
    assert math.isnan(recalls(np.array([0]), np.array([0]), 2)[1])


def slow_calibration_error(truth, probabilities, rows, n_bins=15):
    """Bin by bin, over the rows given."""
    confidence = probabilities[rows].max(axis=1)
    right = probabilities[rows].argmax(axis=1) == truth[rows]
    total = 0.0
    for low in np.arange(n_bins) / n_bins:
        inside = (confidence >= low) & (confidence < low + 1 / n_bins)
        if low + 1 / n_bins > 1 - 1e-9:
            inside |= confidence == 1.0
        if inside.any():
            gap = abs(right[inside].mean() - confidence[inside].mean())
            total += inside.sum() / len(rows) * gap
    return total


@pytest.mark.parametrize("seed", range(5))
def test_calibration_error_is_that_of_bin_after_bin(seed):
    rng = np.random.default_rng(seed)
    truth = np.repeat([0, 1, 2], [4, 6, 12])
    probabilities = rng.dirichlet(np.ones(3), size=len(truth))
    wanted = slow_calibration_error(truth, probabilities, np.arange(len(truth)))
    assert calibration_error(truth, probabilities) == pytest.approx(wanted)
    equally_often = np.repeat(np.arange(len(truth)), np.array([6, 4, 2])[truth])
    wanted = slow_calibration_error(truth, probabilities, equally_often)
    assert calibration_error(truth, probabilities, balance=True) == pytest.approx(wanted)


def test_probabilities_that_come_true_have_hardly_any_calibration_error():
    rng = np.random.default_rng(0)
    p = rng.random(100_000)
    truth = (rng.random(len(p)) < p).astype(int)
    honest = np.stack([1 - p, p], axis=1)
    boastful = np.stack([1 - (p > 0.5), p > 0.5], axis=1).astype(float)
    assert calibration_error(truth, honest) < 0.01
    assert calibration_error(truth, boastful) == pytest.approx(0.25, abs=0.01)


def test_the_area_of_a_straight_line_is_its_middle():
    assert area_under_curve([40, 50, 100], [0.4, 0.5, 1.0]) == pytest.approx(0.7)
    assert area_under_curve([40], [0.8]) == 0.8


def test_labels_to_a_value_lie_between_the_rounds_around_it():
    assert labels_to_target([40, 60, 80], [0.5, 0.5, 1.0], 0.75) == 70
    assert labels_to_target([40, 60], [0.9, 0.8], 0.85) == 40
    assert labels_to_target([40, 60], [0.1, 0.2], 0.85) is None


@given(st.floats(1.1, 4.0))
@settings(max_examples=20)
def test_a_strategy_that_learns_k_times_as_fast_has_efficiency_k(k):
    n_labels = list(range(10, 101, 10))
    baseline = [n / 1000 for n in n_labels]
    faster = [k * n / 1000 for n in n_labels]
    assert label_efficiency(n_labels, faster, baseline) == pytest.approx(k)


def test_a_strategy_that_never_gets_there_has_no_efficiency():
    assert label_efficiency([40, 60], [0.5, 0.6], [0.6, 0.7]) is None


def test_the_same_decisions_agree_fully_and_chance_does_not():
    rng = np.random.default_rng(0)
    one, other = rng.integers(3, size=(2, 20_000))
    assert kappa(one, one) == 1.0
    assert kappa(np.zeros(5, int), np.zeros(5, int)) == 1.0
    assert abs(kappa(one, other)) < 0.02


def test_all_figures_are_given_and_bad_input_is_refused():
    labels = np.eye(2, dtype=int)
    assert tuple(measure(labels, np.eye(2))) == metrics.FIGURES
    with pytest.raises(ValueError, match="exactly one label"):
        measure(np.ones((2, 2), dtype=int), np.eye(2))
    with pytest.raises(ValueError, match="finite"):
        measure(labels, np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match=r"\(2, 2\).*\(2, 3\)"):
        measure(labels, np.zeros((2, 3)))
