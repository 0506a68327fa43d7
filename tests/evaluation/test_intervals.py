"""Intervals cover what they say they cover, and hold nothing that cannot be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.evaluation.intervals import N_RUNS_LEAST, mean_of, mean_over_runs, spell, wilson


def test_wilson_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    n_right = rng.binomial(20, 0.9, size=4000)
    intervals = {n: wilson(n, 20) for n in range(21)}
    covered = [intervals[n].low <= 0.9 <= intervals[n].high for n in n_right]
    assert 0.92 < np.mean(covered) < 0.98


def test_the_interval_of_a_mean_of_shares_covers_the_truth():
    rng = np.random.default_rng(1)
    first, second = rng.binomial(40, 0.95, size=3000), rng.binomial(15, 0.7, size=3000)
    covered = []
    for a, b in zip(first, second, strict=True):
        balanced = mean_of([wilson(a, 40), wilson(b, 15)])
        covered.append(balanced.low <= 0.825 <= balanced.high)
    assert 0.93 < np.mean(covered) < 0.985


def test_an_estimate_that_is_all_right_still_has_an_interval():
    best = mean_of([wilson(4, 4), wilson(4, 4)])
    assert best.value == best.high == 1.0
    assert best.low < 0.75


def test_the_interval_over_runs_is_students():
    from scipy import stats

    runs = [0.8, 0.9, 0.85, 0.7, 0.75]
    low, high = stats.t.interval(0.95, 4, np.mean(runs), stats.sem(runs))
    spread = mean_over_runs(runs)
    assert (spread["low"], spread["high"]) == (pytest.approx(low), pytest.approx(high))


@given(st.lists(st.floats(0.0, 1.0), min_size=N_RUNS_LEAST, max_size=9))
def test_the_interval_over_runs_holds_the_mean_and_nothing_impossible(runs):
    spread = mean_over_runs(runs)
    assert 0.0 <= spread["low"] <= spread["mean"] + 1e-12
    assert spread["mean"] - 1e-12 <= spread["high"] <= 1.0
    falls = mean_over_runs([-one for one in runs], (-1.0, 1.0))
    assert -1.0 <= falls["low"] <= falls["high"] <= 1.0


@pytest.mark.parametrize("n_runs", range(1, N_RUNS_LEAST))
def test_few_runs_have_a_mean_and_no_interval(n_runs):
    spread = mean_over_runs([0.4, 1.0, 0.7, 0.9][:n_runs])
    assert spread["mean"] == pytest.approx(np.mean([0.4, 1.0, 0.7, 0.9][:n_runs]))
    assert (spread["low"], spread["high"]) == (None, None)
    assert (spread["sd"] is None) == (n_runs == 1)


def test_cutting_the_interval_costs_no_coverage():
    rng = np.random.default_rng(2)
    covered = [
        spread["low"] <= 0.9 <= spread["high"]
        for spread in (mean_over_runs(rng.beta(9, 1, 10)) for _ in range(400))
    ]
    assert np.mean(covered) > 0.88


@given(st.floats(0.0, 1.0))
def test_what_is_not_all_and_not_nothing_is_never_written_so(value):
    assert (spell(value) in ("0.00", "1.00")) == (value in (0.0, 1.0))
