"""From probabilities to classes, by offsets learned for an objective."""

import numpy as np
import pytest

from ml_backend.evaluation.metrics import f1
from ml_backend.learning.classifier import Classifier
from ml_backend.learning.decision import Rule, _value, can_measure, learn_rule


def world(n_clips, share, rng, n_classes=2):
    """Give classes, and probabilities of a world where all classes are equally frequent."""
    frequent = np.full(n_classes, (1 - share) / (n_classes - 1))
    frequent[0] = share
    truth = rng.choice(n_classes, n_clips, p=frequent)
    seen = 1.2 * np.eye(n_classes)[truth] + rng.standard_normal((n_clips, n_classes)) * 0.8
    logits = seen * 1.2 / 0.8**2
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return truth, p / p.sum(axis=1, keepdims=True)


def choose(p, n_labels, rng):
    """Choose labels by what is heard, as active learning does: the likely and the uncertain."""
    likely = p[:, 0] / p[:, 0].sum() + 0.3 / len(p)
    return rng.choice(len(p), n_labels, replace=False, p=likely / likely.sum())


def learn(objective, truth, p, pool, *, multi_label=False):
    labels = np.eye(p.shape[1], dtype=np.int8)[truth]
    groups = np.arange(len(truth))
    return learn_rule(objective, labels, p, groups, pool, multi_label=multi_label)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_a_rule_for_f1_comes_near_the_best_that_there_is(n_classes):
    """Brute force over a fine grid of offsets knows the truth; the rule does not."""
    rng = np.random.default_rng(0)
    truth, p = world(6_000, 0.05, rng, n_classes)
    chosen = choose(p, 600, rng)
    assert (truth[chosen] == 0).mean() > 0.1
    rule = learn("f1", truth[chosen], p[chosen], p)
    plain = Rule.balanced(n_classes, multi_label=False)

    def of_rare(one):
        return f1(truth == 0, one.decide(p)[:, 0])

    best = max(
        of_rare(Rule("f1", offset * np.eye(n_classes)[0], multi_label=False))
        for offset in np.linspace(-6, 2, 81)
    )
    assert of_rare(plain) < best - 0.05
    assert of_rare(rule) > best - 0.04


def test_a_rule_for_precision_reaches_it_and_gives_up_no_more_recall_than_needed():
    rng = np.random.default_rng(1)
    truth, p = world(20_000, 0.1, rng)
    chosen = choose(p, 2_000, rng)
    found = {}
    for wanted in (0.6, 0.8):
        said = learn(f"precision:{wanted}", truth[chosen], p[chosen], p).decide(p)[:, 0]
        found[wanted] = (truth[said] == 0).mean(), said[truth == 0].mean()
        assert found[wanted][0] == pytest.approx(wanted, abs=0.06)
    assert found[0.6][1] > found[0.8][1]


def test_the_balanced_rule_is_the_likeliest_class_or_all_that_are_likely():
    p = np.random.default_rng(2).dirichlet(np.ones(3), 50)
    single = learn("balanced", np.arange(50) % 3, p, p)
    assert single.decide(p).argmax(axis=1).tolist() == p.argmax(axis=1).tolist()
    several = learn("balanced", np.arange(50) % 3, p, p, multi_label=True)
    assert np.array_equal(several.decide(p), p >= 0.5)


def test_of_several_labels_each_class_has_its_own_threshold():
    rng = np.random.default_rng(3)
    has = np.column_stack([rng.random(6_000) < 0.03, rng.random(6_000) < 0.5])
    p = 1 / (1 + np.exp(-(4.0 * (has - 0.5) + 1.4 * rng.standard_normal(has.shape))))
    labels = has[:3_000].astype(np.int8)
    rule = learn_rule("f1", labels, p[:3_000], np.arange(3_000), p[3_000:], multi_label=True)
    told = rule.describe(["rare", "frequent"])["thresholds"]
    assert told["rare"] > 0.75
    assert told["frequent"] == pytest.approx(0.5, abs=0.2)
    said = rule.decide(p[3_000:])
    assert np.array_equal(said[:, 0], p[3_000:, 0] >= 1 / (1 + np.exp(rule.offsets[0])))


def test_thresholds_that_are_told_are_those_that_decide():
    rule = Rule("f1", np.array([-1.5, 0.5]), multi_label=False)
    told = rule.describe(["siren", "other"])
    p = np.linspace(0.01, 0.99, 99)
    said = rule.decide(np.column_stack([p, 1 - p]))
    assert np.array_equal(said[:, 0], p >= told["thresholds"]["siren"])
    assert told["weights"] is None
    three = Rule("f1", np.zeros(3), multi_label=False).describe(["a", "b", "c"])
    assert (three["thresholds"], three["weights"]) == (None, {"a": 1, "b": 1, "c": 1})


def test_a_class_known_from_one_recording_moves_no_threshold():
    truth, p = world(100, 0.3, np.random.default_rng(4))
    groups = np.where(truth == 0, 0, np.arange(100))
    labels = np.eye(2, dtype=np.int8)[truth]
    assert not can_measure(labels[:, 0], p[:, 0], groups)
    rule = learn_rule("f1", labels, p, groups, p, multi_label=False)
    assert rule.offsets.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("groups", "is_enough"),
    [([0, 1, 2, 3], True), ([0, 0, 2, 3], False), ([0, 1, 2, 2], False), ([0, 1, 0, 1], True)],
)
def test_a_class_is_measured_in_two_recordings_with_it_and_two_without(groups, is_enough):
    labels = np.array([1, 1, 0, 0])
    assert can_measure(labels, np.full(4, 0.5), np.array(groups)) == is_enough
    assert not can_measure(labels, np.array([0.5, np.nan, 0.5, 0.5]), np.array(groups))


def test_a_probability_at_the_threshold_is_enough():
    assert Rule.balanced(2, multi_label=True).decide(np.array([[0.5, 0.49]])).tolist() == [
        [True, False]
    ]


@pytest.mark.parametrize(
    ("objective", "n_right", "n_predicted", "value"),
    [
        ("f1", 3, 10, 2 * 3 / (10 + 6)),
        ("precision:0.5", 3, 10, 3 / 6 - 10 * (0.5 - 0.3)),
        ("precision:0.25", 3, 10, 3 / 6),
        ("precision:0.5", 0, 0, 0.0),  # what predicts nothing lacks no precision
    ],
)
def test_what_an_offset_is_worth_is_f1_or_recall_less_ten_times_the_missing_precision(
    objective, n_right, n_predicted, value
):
    counts = (np.array([float(n)]) for n in (n_right, n_predicted, 6))
    assert _value(objective, *counts) == pytest.approx(value)


def test_where_no_clip_is_left_nothing_is_learned():
    truth, p = world(100, 0.3, np.random.default_rng(5))
    assert learn("f1", truth, p, p[:0]).offsets.tolist() == [0.0, 0.0]


def test_a_classifier_keeps_its_rule_and_an_old_one_favors_no_class():
    n = 2
    rule = Rule("precision:0.9", np.array([-1.0, 0.0]), multi_label=False)
    one = Classifier(
        ("a", "b"), False, np.zeros((n, 3), np.float32), np.zeros((n, n)), np.zeros(n),
        np.full(n, np.nan), rule,
    )  # fmt: skip
    again = Classifier.from_arrays(one.to_arrays())
    assert again.rule.objective == "precision:0.9"
    assert again.rule.offsets.tolist() == [-1.0, 0.0]
    arrays = {k: v for k, v in one.to_arrays().items() if k not in ("objective", "offsets")}
    assert Classifier.from_arrays(arrays).rule.offsets.tolist() == [0.0, 0.0]
