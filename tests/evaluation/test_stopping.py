"""Advice to stop: three conditions, each said where it is missing, with what it takes."""

import numpy as np
import pytest

from ml_backend.evaluation.intervals import mean_of, wilson
from ml_backend.evaluation.measurements import Measurement
from ml_backend.evaluation.stopping import N_PER_CLASS, WIDTH, assess_stopping

ENOUGH = {"siren": N_PER_CLASS, "other": 3 * N_PER_CLASS}


def figure(low, high, left_out=()):
    balanced = {"value": (low + high) / 2, "low": low, "high": high, "n": 9}
    return {"balanced_accuracy": balanced, "per_class": {}, "left_out": list(left_out)}


def line(kappas=(None, 1.0, 1.0, 1.0), *, across=None, audit=None, n_audit=0, n_labeled=80):
    """Looks ten labels apart; the last one has the figures."""
    figures = {"cross_validated": across, "audit": audit, "n_audit": n_audit}
    sizes = range(n_labeled - 10 * (len(kappas) - 1), n_labeled + 1, 10)
    return [
        Measurement(size, f"v{size}", 0.0, size, {**figures, "kappa": kappa}, size, True)
        for size, kappa in zip(sizes, kappas, strict=True)
    ]


SHARP = figure(0.9 - WIDTH / 2, 0.9 + WIDTH / 3)
BLUNT = figure(0.6, 0.972)


def test_a_few_sirens_are_not_well_known_however_stable_the_classifier():
    """Forty labels, four sirens, nothing drawn at random: the classifier no longer changes."""
    balanced = mean_of([wilson(4, 4), wilson(35, 36)])
    across = figure(balanced.low, balanced.high)
    stopping = assess_stopping(line(across=across, n_labeled=40), {"siren": 4, "other": 36}, 40)
    assert not stopping.is_reached
    assert stopping.missing == ["classes"]
    assert "siren has 4 labels (20 are wanted)" in stopping.words
    assert stopping.about_n_labels == 160  # one in ten was a siren
    assert "about 160 more labels" in stopping.words


def test_a_class_that_was_found_early_is_not_expected_to_go_on_coming_so():
    """Ten sirens among the first forty labels, two among the last forty: one in twenty to come."""
    measurements = line(across=SHARP)
    measurements[0] = Measurement(
        40, "v40", 0.0, 40, {**measurements[0].figures, "labels": {"siren": 10}}, 40, True
    )
    stopping = assess_stopping(measurements, {"siren": 12, "other": 68}, 80)
    assert stopping.about_n_labels == 8 * 20
    measurements[0].figures["labels"]["siren"] = 4
    assert assess_stopping(measurements, {"siren": 12, "other": 68}, 80).about_n_labels == 54


def test_all_three_together_are_enough():
    stopping = assess_stopping(line(audit=SHARP, n_audit=30), ENOUGH, 80)
    assert stopping.is_reached
    assert (stopping.rests_on, stopping.missing, stopping.about_n_labels) == ("audit", [], 0)
    assert stopping.words.startswith("You may stop: balanced accuracy is ")
    assert "on 30 randomly sampled clips" in stopping.words


@pytest.mark.parametrize(
    ("n_audit", "drawn"),
    [(0, "no randomly sampled clips"), (1, "only 1 randomly sampled clip"), (7, "only 7")],
)
def test_chosen_labels_alone_have_a_weaker_word(n_audit, drawn):
    measurements = line(across=SHARP, audit=BLUNT if n_audit else None, n_audit=n_audit)
    stopping = assess_stopping(measurements, ENOUGH, 80)
    assert stopping.is_reached
    assert stopping.rests_on == "cross_validated"
    assert stopping.words.startswith("You can probably stop")
    assert f"chosen labels; {drawn}" in stopping.words


@pytest.mark.parametrize(
    ("measurements", "labels", "missing", "words"),
    [
        (line(across=BLUNT), ENOUGH, "interval", "has a range of width 0.38 (0.30 is"),
        (line(across=SHARP), {"siren": 19, "other": 61}, "classes", "siren has 19 labels"),
        (line((1.0, 0.9, 1.0, 1.0), across=SHARP), ENOUGH, "stability", "agreement 0.967"),
        (line((None, 1.0, 1.0), across=SHARP), ENOUGH, "stability", "2 of 3"),
    ],
)
def test_each_condition_alone_keeps_people_going_and_is_named(measurements, labels, missing, words):
    stopping = assess_stopping(measurements, labels, 80)
    assert not stopping.is_reached
    assert stopping.missing == [missing]
    assert stopping.words.startswith("Go on: ")
    assert words in stopping.words
    assert 0 < stopping.about_n_labels < 100


@pytest.mark.parametrize("width", [0.35, 0.5, 0.8])
def test_the_interval_is_expected_to_narrow_with_the_root_of_the_labels(width):
    measurements = line(across=figure(0.1, 0.1 + width), n_labeled=100)
    n_more = assess_stopping(measurements, ENOUGH, 100).about_n_labels
    assert width * np.sqrt(100 / (100 + n_more)) <= WIDTH
    assert width * np.sqrt(100 / (100 + n_more - 2)) > WIDTH


def test_a_class_that_no_figure_speaks_of_has_no_sharp_interval():
    measurements = line(across=figure(0.9, 0.95, ["rain"]))
    stopping = assess_stopping(measurements, {**ENOUGH, "rain": N_PER_CLASS}, 100)
    assert stopping.missing == ["interval"]
    assert "rain: in too few recordings to be judged" in stopping.words
    assert stopping.about_n_labels is None
    assert "cannot be told yet." in stopping.words


def test_nobody_can_tell_when_a_class_turns_up_that_never_did():
    stopping = assess_stopping(line(across=BLUNT), {**ENOUGH, "rain": 0}, 80)
    assert stopping.missing == ["interval", "classes"]
    assert stopping.words.endswith("That takes about 45 more labels, or more.")
    assert "rain has no label (20" in stopping.words.replace("labels", "label")
    assert stopping.is_least
    stopping = assess_stopping([], {"siren": 0, "other": 0}, 0)
    assert "takes 20 more labels at the least" in stopping.words


def test_a_corrected_label_is_no_further_look():
    """Three measurements at the same eighty labels are one."""
    (*_, last) = measurements = line((None, 1.0, 1.0), across=SHARP)
    again = [Measurement(n, f"w{n}", 0.0, n, last.figures, n, True) for n in (81, 82, 83)]
    assert assess_stopping([*measurements, *again], ENOUGH, 83).missing == ["stability"]


def test_without_a_look_that_stands_all_is_missing():
    stopping = assess_stopping([], {"siren": 0, "other": 0}, 0)
    assert stopping.missing == ["interval", "classes", "stability"]
    assert stopping.facts()["agreement"] is None
    assert "words" not in stopping.facts()
