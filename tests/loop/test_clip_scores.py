import numpy as np
import pytest

from ml_backend.clip import Task
from ml_backend.learning.classifier import Classifier
from ml_backend.learning.decision import Rule
from ml_backend.learning.embedded_clips import embedded_clips
from ml_backend.loop.clip_scores import ClipScores, find_nearest, score_all_clips
from ml_backend.similarity.coverage import coverage_distance
from ml_backend.similarity.vectors import normalize_rows

CLASSES = ("bark", "siren", "other")


def make_clips(n, *, dim=6, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    tasks = [Task(10 + 2 * row, f"k{row}", "/a.wav") for row in range(n)]
    return embedded_clips(tasks, [task.clip_key for task in tasks], vectors)


def make_classifier(*, multi_label=False, dim=6, names=CLASSES, offsets=None):
    rng = np.random.default_rng(1)
    n = len(names)
    weights = rng.normal(scale=3.0, size=(n, dim)).astype(np.float32)
    rule = Rule("f1", np.zeros(n) if offsets is None else np.array(offsets), multi_label)
    return Classifier(
        names, multi_label, weights, np.zeros((n, n)), np.zeros(n), np.full(n, np.nan), rule
    )


def judge(clips, labels_of, *, classifier=None, order=(), multi_label=False):
    nearest = find_nearest(clips.unit, np.sort(clips.rows(sorted(labels_of))))
    said = {task_id: frozenset(labels) for task_id, labels in labels_of.items()}
    return score_all_clips(
        clips, classifier, None, np.array(order, dtype=np.int64), said, nearest, CLASSES,
        multi_label=multi_label,
    )  # fmt: skip


def test_the_nearest_label_is_the_one_that_a_slow_search_finds():
    clips = make_clips(50)
    labeled = np.array([3, 17, 40])
    found = find_nearest(clips.unit, labeled)
    slow = 1 - clips.unit.astype(np.float64) @ clips.unit[labeled].T
    assert found.rows.tolist() == labeled[slow.argmin(axis=1)].tolist()
    assert found.distance == pytest.approx(slow.min(axis=1), abs=1e-5)
    assert found.distance == pytest.approx(coverage_distance(clips.unit, clips.unit[labeled]))


@pytest.mark.parametrize("more", [[3, 5, 17, 40, 41], [5, 41], [3, 17, 40]])
def test_adding_labels_finds_what_starting_anew_finds(more):
    clips = make_clips(50)
    before = find_nearest(clips.unit, np.array([3, 17, 40]))
    anew, added = (find_nearest(clips.unit, np.array(more), one) for one in (None, before))
    assert added.labeled.tolist() == more
    assert added.rows.tolist() == anew.rows.tolist()
    assert added.distance == pytest.approx(anew.distance)


def test_of_equally_near_labels_the_lowest_row_counts_in_whatever_order_they_came():
    unit = normalize_rows(np.ones((4, 2), dtype=np.float32))
    before = find_nearest(unit, np.array([2]))
    assert find_nearest(unit, np.array([1, 2]), before).rows.tolist() == [1, 1, 1, 1]
    assert find_nearest(unit, np.array([2, 3]), before).rows.tolist() == [2, 2, 2, 2]


def test_with_nothing_labeled_everything_is_far():
    judged = judge(make_clips(3), {})
    assert judged.coverage.tolist() == [1.0, 1.0, 1.0]
    assert judged.predicted() is None
    assert (judged.probabilities, judged.entropy, judged.disagreement) == (None, None, None)


def test_disagreement_is_what_the_classifier_denies_the_nearest_label():
    clips = make_clips(20)
    labels_of = {10: ["bark"], 30: ["siren"]}
    classifier = make_classifier()
    judged = judge(clips, labels_of, classifier=classifier)
    probabilities = classifier.probabilities(clips.embeddings)
    for row, unit in enumerate(clips.unit):
        near = max((0, 10), key=lambda labeled: float(unit @ clips.unit[labeled]))
        said = CLASSES.index(labels_of[10 + 2 * near][0])
        assert judged.disagreement[row] == pytest.approx(1 - probabilities[row, said])


def test_of_several_labels_the_mean_counts_and_of_none_the_likeliest_class():
    clips = make_clips(2)
    classifier = make_classifier(multi_label=True)
    p = classifier.probabilities(clips.embeddings)
    both = judge(clips, {10: ["bark", "siren"], 12: []}, classifier=classifier, multi_label=True)
    assert both.disagreement == pytest.approx([1 - p[0, :2].mean(), p[1].max()])


def test_a_label_that_is_no_class_any_more_says_nothing():
    clips = make_clips(2)
    judged = judge(clips, {10: ["whale"], 12: ["bark"]}, classifier=make_classifier())
    assert np.isnan(judged.disagreement[0])
    assert not np.isnan(judged.disagreement[1])


def test_ranks_count_from_one_and_leave_out_who_is_not_asked():
    judged = judge(make_clips(4), {}, order=[14, 99, 10])
    assert judged.rank.tolist() == [3, 0, 1, 0]


def test_the_likeliest_class_is_predicted_or_all_that_are_likely():
    clips = make_clips(30)
    single = judge(clips, {}, classifier=make_classifier())
    assert single.predicted().sum(axis=1).tolist() == [1] * 30
    assert (
        single.predicted().argmax(axis=1).tolist() == single.probabilities.argmax(axis=1).tolist()
    )
    several = judge(clips, {}, classifier=make_classifier(multi_label=True), multi_label=True)
    assert np.array_equal(several.predicted(), several.probabilities >= 0.5)
    assert {0, 2} <= set(several.predicted().sum(axis=1).tolist())


def test_a_class_that_must_be_likelier_is_predicted_of_fewer_clips():
    clips = make_clips(30)
    plain, shifted = (
        judge(clips, {}, classifier=make_classifier(offsets=offsets)).predicted()
        for offsets in (None, [0.0, -1.0, 0.0])
    )
    assert 0 < shifted[:, 1].sum() < plain[:, 1].sum()
    again = ClipScores.from_arrays(
        judge(clips, {}, classifier=make_classifier(offsets=[0.0, -1.0, 0.0])).to_arrays()
    )
    assert np.array_equal(again.predicted(), shifted)


def test_what_was_stored_before_there_were_rules_is_decided_without_favor():
    clips = make_clips(30)
    arrays = judge(clips, {}, classifier=make_classifier(offsets=[0.0, -1.0, 0.0])).to_arrays()
    del arrays["objective"], arrays["offsets"]
    before = judge(clips, {}, classifier=make_classifier())
    assert np.array_equal(ClipScores.from_arrays(arrays).predicted(), before.predicted())


def test_what_is_stored_comes_back_to_four_digits():
    names = tuple(f"class {number}" for number in range(20))
    clips = make_clips(40)
    judged = judge(clips, {10: ["class 3"]}, classifier=make_classifier(names=names), order=[12])
    again = ClipScores.from_arrays(judged.to_arrays())
    assert (again.class_names, again.multi_label) == (names, False)
    assert again.probabilities == pytest.approx(judged.probabilities, abs=5e-5)
    for name in ("task_ids", "entropy", "disagreement", "coverage", "rank"):
        assert getattr(again, name) == pytest.approx(getattr(judged, name), abs=5e-5)


def test_what_was_never_judged_comes_back_as_nothing():
    again = ClipScores.from_arrays(judge(make_clips(1), {}).to_arrays())
    assert (again.probabilities, again.entropy, again.disagreement) == (None, None, None)


def test_a_project_without_embeddings_is_judged_as_empty():
    clips = embedded_clips([Task(1, "a", "/a.wav")], [], np.empty((0, 0), dtype=np.float32))
    judged = judge(clips, {1: ["bark"]}, order=[1])
    assert (len(judged.task_ids), len(judged.rank), len(judged.coverage)) == (0, 0, 0)
