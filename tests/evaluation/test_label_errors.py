"""Confusions and labels to check: counted by hand, and wrong labels that are planted are found."""

import numpy as np
import pytest

from ml_backend.clip import Task
from ml_backend.evaluation.cross_validation import OutOfFold, predict_out_of_fold
from ml_backend.evaluation.label_errors import N_SUSPECTS, count_confusions, doubt, find_suspects
from ml_backend.label_studio.label_config import label_config_xml, parse_label_config
from ml_backend.learning.decision import Rule
from ml_backend.learning.embedded_clips import embedded_clips
from ml_backend.learning.labeled_set import LabeledSet

NAN = np.nan


def config(*names, multi_label=False):
    return parse_label_config(label_config_xml(names, multi_label=multi_label))


def judged(labels, probabilities):
    labels = np.asarray(labels, dtype=np.int8)
    tasks = np.arange(len(labels)) + 101
    return OutOfFold(tasks, labels, np.asarray(probabilities, float), np.arange(len(labels)))


def one_hot(answers, n_classes):
    return np.eye(n_classes, dtype=np.int8)[answers]


def doubt_one_by_one(given, probabilities):
    """The equations of the paper, clip by clip and class by class."""
    n_classes = probabilities.shape[1]
    usual = {}
    for j in range(n_classes):
        mine = [p[j] for g, p in zip(given, probabilities, strict=True) if g == j]
        if mine:
            usual[j] = sum(mine) / len(mine)
    found = []
    for row, (g, p) in enumerate(zip(given, probabilities, strict=True)):
        confident = [j for j in usual if p[j] >= usual[j]]
        if confident:
            best = max(confident, key=lambda j: p[j])
            if best != g and max(range(n_classes), key=lambda j: p[j]) != g:
                found.append((row, best))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_doubts_are_those_of_the_equations(seed):
    rng = np.random.default_rng(seed)
    given = rng.integers(4, size=80)
    probabilities = rng.dirichlet(np.ones(5), size=80)  # the fifth class nobody was labeled
    rows, instead, confidence = doubt(given, probabilities)
    assert list(zip(rows.tolist(), instead.tolist(), strict=True)) == doubt_one_by_one(
        given, probabilities
    )
    assert 0 < len(rows) < 80
    np.testing.assert_array_equal(confidence, probabilities[rows, given[rows]])


def test_a_hard_class_is_measured_by_its_own_measure():
    """0.6 is little for class 0 and much for class 1, so only the latter is an alternative."""
    p = [[0.95, 0.05], [0.95, 0.05], [0.4, 0.6], [0.5, 0.5], [0.55, 0.45]]
    rows, instead, _ = doubt(np.array([0, 0, 0, 1, 1]), np.array(p))
    assert (rows.tolist(), instead.tolist()) == ([2], [1])


def test_a_label_that_is_the_likeliest_all_the_same_is_not_in_doubt():
    p = [[0.95, 0.05], [0.95, 0.05], [0.6, 0.4], [0.7, 0.3], [0.8, 0.2]]
    rows, _, _ = doubt(np.array([0, 0, 0, 1, 1]), np.array(p))
    assert 2 not in rows
    assert set(rows) <= {3, 4}


def test_nearly_all_wrong_labels_that_were_planted_are_found_and_few_others():
    rng = np.random.default_rng(0)
    answers = rng.integers(3, size=240)
    embeddings = 4 * np.eye(8)[answers] + rng.standard_normal((240, 8))
    tasks = [Task(n, f"k{n}", "/a.wav", f"r{n // 2}") for n in range(240)]
    clips = embedded_clips(tasks, [t.clip_key for t in tasks], embeddings.astype(np.float32))
    wrong = rng.choice(240, 12, replace=False)
    said = answers.copy()
    said[wrong] = (answers[wrong] + 1) % 3
    labeled = LabeledSet(np.arange(240), one_hot(said, 3))
    asked = config("a", "b", "c")
    suspects = find_suspects(predict_out_of_fold(clips, labeled, asked, None), asked)
    found = [one["task_id"] for one in suspects]
    assert len(set(wrong) & set(found)) >= 10
    assert len(set(found) - set(wrong)) <= 6
    first = suspects[0]
    assert first["confidence"] == min(one["confidence"] for one in suspects)
    assert first["labels"] == ["abc"[said[first["task_id"]]]]
    assert first["predicted"] == ["abc"[answers[first["task_id"]]]]


def test_no_more_are_listed_than_a_person_checks():
    rng = np.random.default_rng(1)
    of = judged(one_hot(rng.integers(2, size=400), 2), rng.dirichlet(np.ones(2), size=400))
    assert len(find_suspects(of, config("a", "b"))) == N_SUSPECTS


def test_of_several_labels_only_the_doubted_ones_are_turned_around():
    labels = [[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1], [0, 1, 0]]
    p = [[0.9, 0.1, 0.2], [0.8, 0.9, 0.1], [0.1, 0.8, 0.9], [0.2, 0.1, 0.8], [0.9, 0.9, 0.97]]
    (suspect,) = find_suspects(judged(labels, p), config("a", "b", "c", multi_label=True))
    assert suspect == {
        "task_id": 105,
        "labels": ["b"],
        "predicted": ["a", "b", "c"],
        "confidence": 0.03,
    }


def test_a_confusion_is_counted_and_its_clips_are_named():
    labels = one_hot([0, 0, 0, 1, 1, 2], 3)
    p = np.array(
        [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [0, 1, 0], [NAN] * 3, [0.5, 0.2, 0.3]]
    )
    found = count_confusions(
        judged(labels, p), config("a", "b", "c"), Rule.balanced(3, multi_label=False)
    )
    assert found == {
        "class_names": ["a", "b", "c"],
        "counts": [[1, 2, 0], [0, 1, 0], [1, 0, 0]],
        "wrong": [
            {"label": "a", "predicted": "b", "task_ids": [102, 103]},
            {"label": "c", "predicted": "a", "task_ids": [106]},
        ],
        "right": [
            {"label": "a", "predicted": "a", "task_ids": [101]},
            {"label": "b", "predicted": "b", "task_ids": [104]},
        ],
        "left_out": [{"label": "b", "task_ids": [105]}],
    }


def test_several_labels_are_confused_class_by_class():
    labels = [[1, 0], [1, 1], [0, 1]]
    p = [[0.9, 0.6], [0.2, NAN], [0.1, 0.7]]
    rule = Rule.balanced(2, multi_label=True)
    found = count_confusions(judged(labels, p), config("a", "b", multi_label=True), rule)
    assert found["counts"] == [[[1, 0], [1, 1]], [[0, 1], [0, 1]]]
    assert found["wrong"] == [
        {"class": "a", "label": True, "predicted": False, "task_ids": [102]},
        {"class": "b", "label": False, "predicted": True, "task_ids": [101]},
    ]
    assert found["right"] == [
        {"class": "a", "label": True, "predicted": True, "task_ids": [101]},
        {"class": "b", "label": True, "predicted": True, "task_ids": [103]},
    ]


@pytest.mark.parametrize("multi_label", [False, True])
def test_nothing_judged_is_nothing_said(multi_label):
    asked = config("a", "b", multi_label=multi_label)
    rule = Rule.balanced(2, multi_label=multi_label)
    for labels, p in [(np.empty((0, 2)), np.empty((0, 2))), (one_hot([0, 0], 2), [[NAN] * 2] * 2)]:
        assert count_confusions(judged(labels, p), asked, rule) is None
        assert find_suspects(judged(labels, p), asked) == []
