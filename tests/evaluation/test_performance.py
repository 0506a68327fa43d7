"""Figures of the live loop: honest about recordings, rare classes and few labels."""

import numpy as np

from ml_backend.clip import Task
from ml_backend.evaluation import performance
from ml_backend.evaluation.cross_validation import predict_out_of_fold
from ml_backend.evaluation.performance import audit, summarize_recalls
from ml_backend.label_studio.label_config import label_config_xml, parse_label_config
from ml_backend.learning.decision import Rule
from ml_backend.learning.embedded_clips import embedded_clips
from ml_backend.learning.labeled_set import LabeledSet


def config(*names, multi_label=False):
    return parse_label_config(label_config_xml(names, multi_label=multi_label))


def clips(embeddings, recordings):
    tasks = [Task(row, f"k{row}", "/a.wav", f"r{one}") for row, one in enumerate(recordings)]
    keys = [task.clip_key for task in tasks]
    return embedded_clips(tasks, keys, np.asarray(embeddings, dtype=np.float32))


def one_hot(answers, n_classes=2):
    return np.eye(n_classes, dtype=np.int8)[answers]


def cross_validate(pool, labeled, config, prior):
    judged = predict_out_of_fold(pool, labeled, config, prior)
    rule = Rule.balanced(len(config.class_names), multi_label=config.multi_label)
    return performance.cross_validate(judged, config, rule)


def test_recognizing_the_recording_is_worth_nothing():
    """Clips of a recording sound alike, and tell nothing about other recordings."""
    rng = np.random.default_rng(0)
    recordings = np.repeat(np.arange(30), 4)
    centers = rng.standard_normal((30, 16))
    pool = clips(centers[recordings] + 0.01 * rng.standard_normal((120, 16)), recordings)
    labels = one_hot(rng.permutation(np.arange(30) % 2)[recordings])
    found = cross_validate(pool, LabeledSet(np.arange(120), labels), config("a", "b"), None)
    accuracy = found["balanced_accuracy"]
    assert 0.2 < accuracy["value"] < 0.8
    assert accuracy["n"] == 30
    assert accuracy["high"] - accuracy["low"] > 0.2


def test_what_can_be_heard_is_found_to_be_heard():
    rng = np.random.default_rng(1)
    answers = np.arange(60) % 3
    pool = clips(4 * np.eye(8)[answers] + rng.standard_normal((60, 8)), np.arange(60) // 2)
    labeled = LabeledSet(np.arange(60), one_hot(answers, 3))
    found = cross_validate(pool, labeled, config("a", "b", "c"), None)
    assert found["balanced_accuracy"]["value"] > 0.9
    assert list(found["per_class"]) == ["a", "b", "c"]


def test_a_class_of_one_recording_cannot_be_judged():
    rng = np.random.default_rng(2)
    answers = np.array([0] * 10 + [1] * 10 + [2] * 5)
    recordings = np.array([*range(20), *[99] * 5])
    pool = clips(4 * np.eye(8)[answers] + rng.standard_normal((25, 8)), recordings)
    labeled = LabeledSet(np.arange(25), one_hot(answers, 3))
    found = cross_validate(pool, labeled, config("a", "b", "c"), None)
    assert list(found["per_class"]) == ["a", "b"]
    two = LabeledSet(np.arange(10, 25), labeled.labels[10:])
    assert cross_validate(pool, two, config("a", "b", "c"), None) is None


def test_several_labels_a_clip_are_judged_class_by_class():
    rng = np.random.default_rng(3)
    labels = rng.integers(2, size=(60, 2)).astype(np.int8)
    embeddings = np.hstack([4 * labels, np.ones((60, 1))]) + rng.standard_normal((60, 3)) / 4
    labels[:, 1] = rng.permutation(labels[:, 1])
    pool = clips(embeddings, np.arange(60))
    chosen = config("heard", "made up", multi_label=True)
    found = cross_validate(pool, LabeledSet(np.arange(60), labels), chosen, None)
    assert found["per_class"]["heard"]["value"] > 0.9
    assert found["per_class"]["made up"]["value"] < 0.75


def test_nothing_is_said_without_labels_or_classifier():
    pool = clips(np.eye(4), range(4))
    nothing = LabeledSet(np.empty(0, np.int64), np.empty((0, 2), np.int8))
    assert cross_validate(pool, nothing, config("a", "b"), None) is None
    assert (
        audit(None, pool, LabeledSet(np.arange(2), one_hot([0, 1])), config("a", "b"), None) is None
    )


def test_recalls_are_those_counted_by_hand():
    labels = one_hot([0, 0, 0, 0, 1, 1])
    says = one_hot([0, 0, 0, 1, 1, 0])
    found = summarize_recalls(labels, says, np.array([1, 1, 2, 3, 4, 5]), config("a", "b"))
    assert found["per_class"]["a"]["value"] == 0.75
    assert (found["per_class"]["a"]["n"], found["per_class"]["b"]["n"]) == (3, 2)
    assert found["balanced_accuracy"]["value"] == 0.625
