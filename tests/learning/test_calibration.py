"""The temperature against its loss written out clip by clip, and where it has a closed form."""

import math

import numpy as np
import pytest

from ml_backend.learning.calibration import fit_temperature, log_softmax

GRID = np.linspace(-3.0, 2.0, 2_001)  # of the logarithm of temperature over size


def slow_loss(logits, answers, log_temperature):
    """Add up the loss of each clip, then the prior, as the module's docstring states them."""
    n_clips, n_classes = len(logits), len(logits[0])
    centered = [[z - sum(row) / n_classes for z in row] for row in logits]
    size = math.sqrt(sum(z * z for row in centered for z in row) / (n_clips * n_classes))
    loss = 0.0
    for row, answer in zip(centered, answers, strict=True):
        n_of_class = sum(1 for other in answers if other == answer)
        exponents = [math.exp(z / (size * math.exp(log_temperature))) for z in row]
        weight = n_clips / (n_classes * n_of_class)  # every class counts the same
        for number, exponent in enumerate(exponents):
            target = (n_of_class + 1) / (n_of_class + 2)
            if number != answer:
                target = (1 - target) / (n_classes - 1)
            loss -= weight * target * math.log(exponent / sum(exponents))
    mean = 1.25 * (2 / n_clips - 1)
    return loss + ((log_temperature - mean) / 0.4) ** 2 / 2, size


def slow_temperature(logits, answers):
    losses = [slow_loss(logits, answers, one)[0] for one in GRID]
    return slow_loss(logits, answers, 0.0)[1] * math.exp(GRID[int(np.argmin(losses))])


def draw(n_clips, n_classes, scale, seed):
    """Draw logits that lean to the right class, every class at least once."""
    rng = np.random.default_rng(seed)
    answers = np.append(np.arange(n_classes), rng.integers(n_classes, size=n_clips - n_classes))
    logits = rng.normal(size=(n_clips, n_classes))
    logits[np.arange(n_clips), answers] += 1.0
    return scale * logits + 7.0, answers


@pytest.mark.parametrize(
    ("n_clips", "n_classes", "scale"),
    [(2, 2, 1.0), (5, 2, 30.0), (12, 3, 0.1), (30, 2, 1.0), (20, 5, 4.0)],
)
def test_the_temperature_is_where_the_slow_loss_is_lowest(n_clips, n_classes, scale):
    logits, answers = draw(n_clips, n_classes, scale, seed=n_clips)
    wanted = slow_temperature(logits.tolist(), answers.tolist())
    assert fit_temperature(logits, answers) == pytest.approx(wanted, rel=3e-3)


def test_a_rare_class_counts_as_much_as_a_frequent_one():
    answers = np.array([0] + [1] * 11)
    logits = np.where(np.eye(2)[answers] > 0, 1.0, -1.0)
    logits[0] = [-1.0, 1.0]  # the one clip of its class is wrong
    wanted = slow_temperature(logits.tolist(), answers.tolist())
    assert fit_temperature(logits, answers) == pytest.approx(wanted, rel=3e-3)


@pytest.mark.parametrize("n_clips", [2, 4, 12, 100])
def test_logits_without_any_difference_leave_the_prior_s_mean(n_clips):
    answers = np.arange(n_clips) % 2
    alike = np.full((n_clips, 2), 5.0)  # their size counts as 1e-12
    wanted = np.exp(1.25 * (2 / n_clips - 1))
    assert fit_temperature(alike, answers) / 1e-12 == pytest.approx(wanted, rel=1e-4)


def test_a_first_pair_that_is_told_apart_becomes_0_86():
    temperature = fit_temperature(np.array([[1.0, -1.0], [-1.0, 1.0]]), np.array([0, 1]))
    assert 1 / (1 + np.exp(-2 / temperature)) == pytest.approx(0.86, abs=0.005)


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
def test_probabilities_do_not_depend_on_the_size_of_the_logits(factor):
    logits, answers = draw(10, 3, 1.0, seed=1)
    once = fit_temperature(logits, answers)
    assert fit_temperature(factor * logits, answers) == pytest.approx(factor * once, rel=1e-4)


def test_what_all_logits_of_a_clip_have_in_common_changes_nothing():
    logits, answers = draw(10, 3, 1.0, seed=2)
    moved = logits + np.arange(10)[:, None]
    assert fit_temperature(moved, answers) == pytest.approx(fit_temperature(logits, answers))


def test_large_logits_overflow_nowhere():
    with np.errstate(all="raise", under="ignore"):
        log_p = log_softmax(np.array([[1_000.0, 0.0], [-1_000.0, -1_001.0]]))
    assert log_p[0].tolist() == [0.0, -1_000.0]
    assert log_p[1] == pytest.approx([-math.log1p(math.exp(-1)), -1 - math.log1p(math.exp(-1))])
