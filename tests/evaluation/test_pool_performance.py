"""Figures of the clips that nobody has labeled, from labels that were chosen."""

import numpy as np
import pytest

from ml_backend.clip import Task
from ml_backend.evaluation.metrics import average_precision, f1
from ml_backend.evaluation.pool_performance import FIGURES, estimate_pool, measure_expected
from ml_backend.label_studio.label_config import label_config_xml, parse_label_config
from ml_backend.learning.classifier import fit_classifier
from ml_backend.learning.embedded_clips import embedded_clips
from ml_backend.learning.features import lay_out
from ml_backend.learning.labeled_set import LabeledSet


def config(multi_label=False):
    return parse_label_config(label_config_xml(("siren", "other"), multi_label=multi_label))


def make_pool(n_clips, share, rng, distance=2.0):
    is_siren = rng.random(n_clips) < share
    vectors = rng.standard_normal((n_clips, 8)) + distance * np.where(is_siren, 1, -1)[:, None] / 2
    tasks = [Task(row, f"k{row}", "/a.wav", f"r{row // 2}") for row in range(n_clips)]
    keys = [task.clip_key for task in tasks]
    return embedded_clips(tasks, keys, vectors.astype(np.float32)), is_siren


def choose_labels(clips, is_siren, rng):
    """Label as active learning does: some at random, then by what a classifier says of the rest."""
    first = rng.choice(len(clips), 40, replace=False)
    first = np.union1d(first, np.flatnonzero(is_siren)[:2])
    p = train(clips, labeled(first, is_siren)).probabilities(clips.embeddings)[:, 0]
    likely, uncertain = np.argsort(-p)[:20], np.argsort(np.abs(p - 0.5))[:20]
    return np.unique(np.concatenate([first, likely, uncertain]))


def labeled(rows, is_siren):
    return LabeledSet(rows, np.column_stack([is_siren[rows], ~is_siren[rows]]).astype(np.int8))


def train(clips, training, *, multi_label=False):
    return fit_classifier(
        clips.embeddings[training.rows], training.labels, ("siren", "other"),
        multi_label=multi_label, groups=clips.groups(training.rows),
        layout=lay_out(clips.center, clips.spread, None), seed=0,
    )  # fmt: skip


NOBODY = LabeledSet(np.empty(0, np.int64), np.empty((0, 2), np.int8))


def test_what_is_expected_of_known_answers_is_what_is_counted():
    rng = np.random.default_rng(0)
    has, scores = rng.random(200) < 0.3, rng.random(200)
    said = scores > 0.6
    found = measure_expected(has[None].astype(float), said, scores)
    assert found["share"][0] == pytest.approx(has.mean())
    assert found["precision"][0] == pytest.approx(has[said].mean())
    assert found["recall"][0] == pytest.approx(said[has].mean())
    assert found["specificity"][0] == pytest.approx((~said)[~has].mean())
    assert found["f1"][0] == pytest.approx(f1(has, said))
    assert found["average_precision"][0] == pytest.approx(average_precision(has, scores))


def test_what_is_expected_is_the_mean_of_what_is_drawn():
    rng = np.random.default_rng(1)
    likely, scores = rng.random(300), rng.random(300)
    said = scores > 0.5
    drawn = measure_expected((rng.random((4_000, 300)) < likely).astype(float), said, scores)
    expected = measure_expected(likely[None], said, scores)
    for name in FIGURES:
        assert expected[name][0] == pytest.approx(drawn[name].mean(), abs=0.01), name


def test_where_nothing_is_predicted_there_is_no_precision():
    found = measure_expected(np.full((1, 4), 0.5), np.zeros(4, dtype=bool), np.arange(4.0))
    assert np.isnan(found["precision"][0])
    assert found["recall"][0] == 0


@pytest.mark.slow
def test_intervals_hold_the_truth_although_labels_were_chosen():
    held = {name: [] for name in ("balanced_accuracy", *FIGURES)}
    for seed in range(15):
        rng = np.random.default_rng(seed)
        clips, is_siren = make_pool(1_500, 0.05, rng, distance=1.2)
        training = labeled(choose_labels(clips, is_siren, rng), is_siren)
        classifier = train(clips, training)
        found = estimate_pool(classifier, clips, training, NOBODY, config(), None)
        left = np.ones(len(clips), dtype=bool)
        left[training.rows] = False
        p = classifier.probabilities(clips.embeddings[left])[:, 0]
        has, said = is_siren[left], p >= 0.5
        truth = {
            "balanced_accuracy": (said[has].mean() + (~said)[~has].mean()) / 2,
            "share": has.mean(),
            "precision": has[said].mean(),
            "recall": said[has].mean(),
            "f1": f1(has, said),
            "average_precision": average_precision(has, p),
        }
        estimates = {"balanced_accuracy": found["balanced_accuracy"], **found["classes"]["siren"]}
        for name, value in truth.items():
            one = estimates[name]
            assert one["low"] <= one["value"] <= one["high"]
            held[name].append(one["low"] - 5e-5 <= value <= one["high"] + 5e-5)
        assert found["n_clips"] == left.sum()
    for name, hits in held.items():
        assert np.mean(hits) >= 0.8, name


def test_a_handful_of_labels_that_are_all_right_promises_little():
    rng = np.random.default_rng(2)
    clips, is_siren = make_pool(400, 0.1, rng, distance=4.0)
    rows = np.sort(np.concatenate([np.flatnonzero(is_siren)[:5], np.flatnonzero(~is_siren)[:10]]))
    training = labeled(rows, is_siren)
    found = estimate_pool(train(clips, training), clips, training, NOBODY, config(), None)
    siren = found["classes"]["siren"]
    assert siren["recall"]["low"] < 0.9
    assert siren["f1"]["value"] < 1
    assert siren["precision"]["n"] <= 5
    assert found["shares_from"] == "calibrated"


def test_enough_clips_drawn_at_random_tell_the_shares_themselves():
    rng = np.random.default_rng(3)
    clips, is_siren = make_pool(600, 0.3, rng, distance=3.0)
    training = labeled(np.arange(40), is_siren)
    drawn = labeled(np.arange(40, 160), is_siren)
    found = estimate_pool(train(clips, training), clips, training, drawn, config(), None)
    assert found["shares_from"] == "random"
    share = found["classes"]["siren"]["share"]
    assert share["value"] == pytest.approx(is_siren[40:160].mean(), abs=1e-4)
    assert share["n"] == 120


def test_two_classes_are_one_question():
    rng = np.random.default_rng(4)
    clips, is_siren = make_pool(500, 0.2, rng)
    training = labeled(choose_labels(clips, is_siren, rng), is_siren)
    found = estimate_pool(train(clips, training), clips, training, NOBODY, config(), None)
    siren, other = (found["classes"][name]["share"] for name in ("siren", "other"))
    assert siren["value"] + other["value"] == pytest.approx(1, abs=2e-4)
    assert siren["low"] + other["high"] == pytest.approx(1, abs=2e-4)


def test_a_class_of_one_recording_and_a_pool_that_is_empty_are_not_judged():
    rng = np.random.default_rng(5)
    clips, is_siren = make_pool(60, 0.5, rng)
    everything = labeled(np.arange(60), is_siren)
    classifier = train(clips, everything)
    assert estimate_pool(classifier, clips, everything, NOBODY, config(), None) is None
    one = clips.recordings[np.flatnonzero(is_siren)[0]]
    rows = np.flatnonzero(~is_siren | (clips.recordings == one))[:30]
    few = labeled(rows, is_siren)
    assert estimate_pool(train(clips, few), clips, few, NOBODY, config(), None) is None


def test_of_several_labels_every_class_is_judged_by_itself():
    rng = np.random.default_rng(6)
    clips, is_siren = make_pool(500, 0.3, rng, distance=3.0)
    both = np.column_stack([is_siren, rng.random(500) < 0.5]).astype(np.int8)
    training = LabeledSet(np.arange(80), both[:80])
    classifier = train(clips, training, multi_label=True)
    found = estimate_pool(classifier, clips, training, NOBODY, config(multi_label=True), None)
    assert found["spread"] == "interval"
    assert found["classes"]["siren"]["recall"]["value"] > 0.8
    assert found["classes"]["other"]["average_precision"]["value"] < 0.8


def test_what_is_told_of_one_class_of_three_is_called_a_range():
    rng = np.random.default_rng(7)
    clips, is_siren = make_pool(500, 0.3, rng, distance=3.0)
    kinds = np.where(is_siren, 0, 1 + (np.arange(500) // 2) % 2)
    training = LabeledSet(np.arange(90), np.eye(3, dtype=np.int8)[kinds[:90]])
    names = ("siren", "dog", "rain")
    classifier = fit_classifier(
        clips.embeddings[:90], training.labels, names, multi_label=False,
        groups=clips.groups(training.rows), seed=0,
        layout=lay_out(clips.center, clips.spread, None),
    )  # fmt: skip
    asked = parse_label_config(label_config_xml(names, multi_label=False))
    nobody = LabeledSet(np.empty(0, np.int64), np.empty((0, 3), np.int8))
    found = estimate_pool(classifier, clips, training, nobody, asked, None)
    assert found["spread"] == "range"
    assert found["classes"]["siren"]["recall"]["value"] > 0.8
    assert found["classes"]["dog"]["recall"]["value"] < 0.8
