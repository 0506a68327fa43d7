import io

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression

from ml_backend.learning import calibrated_fit
from ml_backend.learning.classifier import Classifier, fit_classifier
from ml_backend.learning.features import lay_out
from ml_backend.similarity.vectors import normalize_rows

DIM = 16
FAR = 1_000.0


def one_hot(answers, n_classes):
    return np.eye(n_classes, dtype=np.int8)[answers]


def blobs(n_clips, n_classes, *, distance=2.0, seed=0):
    """Draw clips of equally frequent classes with Gaussian spread around known centers."""
    rng = np.random.default_rng(seed)
    centers = distance * np.eye(n_classes, DIM)
    answers = rng.integers(0, n_classes, n_clips)
    embeddings = centers[answers] + rng.normal(size=(n_clips, DIM))
    return embeddings.astype(np.float32), answers, centers


def far(rows):
    """Move rows so far from the origin that their directions differ as the rows do."""
    rows = np.asarray(rows, dtype=np.float64)
    return np.hstack([rows, np.full((len(rows), 1), FAR)]).astype(np.float32)


def fit(rows, labels, **changed):
    """Train on rows as they are: seen from far away, with a spread as if each varied by 1."""
    embeddings = far(rows)
    center = np.append(np.zeros(DIM if not len(embeddings) else embeddings.shape[1] - 1), 1.0)
    given = {
        "class_names": [f"class {k}" for k in range(labels.shape[1])],
        "multi_label": False,
        "groups": None,
        "layout": lay_out(center.astype(np.float32), np.sqrt(len(center) - 1) / FAR),
        "seed": 0,
    }
    return Seen(fit_classifier(embeddings, labels, **(given | changed)))


class Seen:
    """A classifier asked about rows seen from far away."""

    def __new__(cls, classifier):
        return None if classifier is None else super().__new__(cls)

    def __init__(self, classifier):
        self.classifier = classifier

    def probabilities(self, rows):
        return self.classifier.probabilities(far(rows))


@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_probabilities_are_those_of_a_known_distribution(n_classes):
    embeddings, answers, _ = blobs(1_500, n_classes)
    unseen, _, centers = blobs(2_000, n_classes, seed=1)
    # Bayes' rule for equal Gaussians: softmax of minus half the squared distances.
    squared = ((unseen[:, None] - centers) ** 2).sum(axis=2)
    expected = softmax(-squared / 2, axis=1)
    found = fit(embeddings, one_hot(answers, n_classes)).probabilities(unseen)
    assert np.abs(found - expected).mean() < 0.03


def test_a_yes_or_no_head_is_calibrated_too():
    rng = np.random.default_rng(0)
    weights = np.linspace(-1, 1, DIM)
    embeddings, unseen = rng.normal(size=(2, 2_000, DIM)).astype(np.float32)
    answers = (rng.random(2_000) < expit(embeddings @ weights)).astype(np.int8)
    classifier = fit(embeddings, answers[:, None], multi_label=True)
    found = classifier.probabilities(unseen)[:, 0]
    assert np.abs(found - expit(unseen @ weights)).mean() < 0.05


def test_classes_count_alike_however_rare_they_are():
    embeddings, answers, _ = blobs(3_000, 2)
    keep = (answers == 0) | (np.arange(3_000) % 20 == 0)
    classifier = fit(embeddings[keep], one_hot(answers[keep], 2))
    unseen, truth, _ = blobs(2_000, 2, seed=1)
    says = classifier.probabilities(unseen).argmax(axis=1)
    recalls = [(says == truth)[truth == k].mean() for k in (0, 1)]
    assert abs(recalls[0] - recalls[1]) < 0.06


def test_two_labels_are_no_reason_for_certainty():
    embeddings = 3 * np.eye(2, DIM)
    classifier = fit(embeddings, one_hot([0, 1], 2))
    at_the_labels = classifier.probabilities(embeddings.astype(np.float32))
    assert at_the_labels.argmax(axis=1).tolist() == [0, 1]
    assert 0.7 < at_the_labels[0, 0] < 0.9


def test_sounds_told_apart_without_fail_are_believed_the_more_the_more_there_are_of_them():
    unseen = 20 * np.eye(2, DIM, dtype=np.float32)
    believed = []
    for n_each in (1, 2, 3, 8, 20):
        answers = np.arange(2 * n_each) % 2
        rng = np.random.default_rng(0)
        embeddings = 20 * np.eye(2, DIM)[answers] + 0.1 * rng.normal(size=(2 * n_each, DIM))
        found = fit(embeddings, one_hot(answers, 2)).probabilities(unseen)
        believed.append(found[0, 0])
    assert believed == sorted(believed)
    assert believed[0] < 0.9
    assert believed[-1] < 0.999


def test_more_labels_make_more_certain():
    certainty = []
    for n_labels in (4, 16, 64, 256):
        embeddings, answers, _ = blobs(n_labels, 2, distance=8.0)
        answers[:2] = 0, 1
        embeddings[:2] = 8.0 * np.eye(2, DIM)
        unseen, _, _ = blobs(500, 2, distance=8.0, seed=1)
        classifier = fit(embeddings, one_hot(answers, 2))
        certainty.append(classifier.probabilities(unseen).max(axis=1).mean())
    assert certainty == sorted(certainty)


def test_what_only_recognizes_recordings_is_not_believed_of_other_recordings():
    rng = np.random.default_rng(0)
    recordings = np.repeat(np.arange(20), 10)
    voices, others = rng.normal(size=(2, 20, 64))
    embeddings = voices[recordings] + 0.1 * rng.normal(size=(200, 64))
    failed = (others[recordings] + 0.1 * rng.normal(size=(200, 64))).astype(np.float32)
    labels = one_hot(rng.permutation(20)[recordings] % 2, 2)
    believed = [
        fit(embeddings, labels, groups=groups).probabilities(failed)
        for groups in (None, recordings)
    ]
    naive, honest = (rows.max(axis=1).mean() for rows in believed)
    assert naive > 0.85
    assert honest < 0.7


def test_few_clips_give_the_same_as_fitting_all_dimensions():
    embeddings, answers, _ = blobs(12, 2)
    answers[:2] = 0, 1
    wide = np.hstack([embeddings, np.random.default_rng(1).normal(size=(12, 48))])
    plain = LogisticRegression(C=calibrated_fit._C, class_weight="balanced", tol=1e-8)
    laid_out = wide / 8  # 64 dimensions: the mean squared length is 1
    plain.fit(laid_out, answers)
    found = fit(wide, one_hot(answers, 2)).probabilities(wide)
    ours = np.log(found[:, 1] / found[:, 0])
    theirs = plain.decision_function(laid_out)
    # Equal but for the temperature.
    np.testing.assert_allclose(ours / ours.std(), theirs / theirs.std(), atol=0.02)


def test_a_class_nobody_has_chosen_gets_laplaces_share():
    embeddings, answers, _ = blobs(40, 2)
    probabilities = fit(embeddings, one_hot(2 * answers, 4)).probabilities(embeddings)
    np.testing.assert_allclose(probabilities[:, [1, 3]], 1 / (40 + 4))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert (probabilities[:, [0, 2]].max(axis=1) > 0.4).all()


def test_a_head_with_one_answer_only_says_the_smoothed_base_rate():
    embeddings, answers, _ = blobs(40, 2)
    labels = np.stack([answers, np.ones(40), np.zeros(40)], axis=1).astype(np.int8)
    probabilities = fit(embeddings, labels, multi_label=True).probabilities(embeddings)
    np.testing.assert_allclose(probabilities[:, 1], 41 / 42)
    np.testing.assert_allclose(probabilities[:, 2], 1 / 42)
    assert np.ptp(probabilities[:, 0]) > 0.2


def test_there_is_no_classifier_while_there_is_nothing_to_tell_apart():
    embeddings = np.zeros((3, DIM))
    assert fit(embeddings, one_hot([1, 1, 1], 2)) is None
    assert fit(embeddings[:0], np.zeros((0, 2), np.int8)) is None
    assert fit(embeddings, np.array([[1, 0]] * 3, np.int8), multi_label=True) is None


def test_renaming_classes_renames_probabilities():
    embeddings, answers, _ = blobs(60, 3)
    swap = np.array([2, 0, 1])
    plain = fit(embeddings, one_hot(answers, 3)).probabilities(embeddings)
    swapped = fit(embeddings, one_hot(swap[answers], 3)).probabilities(embeddings)
    np.testing.assert_allclose(swapped[:, swap], plain, atol=0.02)


def learn(embeddings, answers, *, prior=None, prior_of_all=None, groups=None):
    """Train on embeddings as an embedder gives them, laid out by themselves."""
    unit = normalize_rows(embeddings)
    center = unit.mean(axis=0)
    spread = float(np.sqrt(((unit - center) ** 2).sum(axis=1).mean()))
    return fit_classifier(
        embeddings,
        one_hot(answers, 2),
        ["siren", "other"],
        multi_label=False,
        groups=groups,
        layout=lay_out(center, spread, prior if prior_of_all is None else prior_of_all),
        prior=prior,
        seed=0,
    )


def test_the_length_of_an_embedding_makes_no_difference():
    embeddings, answers, _ = blobs(60, 2)
    louder = embeddings * np.geomspace(0.01, 100, 60, dtype=np.float32)[:, None]
    plain = learn(embeddings, answers).probabilities(embeddings)
    np.testing.assert_allclose(learn(louder, answers).probabilities(louder), plain, atol=1e-4)


def test_clips_all_alike_leave_it_open():
    embeddings = np.ones((6, DIM), np.float32)
    found = learn(embeddings, np.array([0, 1, 0, 1, 0, 1])).probabilities(embeddings)
    np.testing.assert_allclose(found, 0.5, atol=1e-3)


def prior_for(answers, *, strength, seed=0):
    """Logits that know the first class and nothing of the second."""
    known = strength * (answers == 0) + np.random.default_rng(seed).normal(size=len(answers)) - 6
    return np.stack([known, np.full(len(answers), np.nan)], axis=1).astype(np.float32)


def test_a_prior_tells_apart_what_embeddings_do_not():
    rng = np.random.default_rng(0)
    answers = np.arange(400) % 2
    embeddings = rng.normal(size=(400, 64)).astype(np.float32)
    prior = prior_for(answers, strength=6.0)
    few = slice(0, 20)
    right = []
    for shown in (None, prior):
        classifier = learn(
            embeddings[few], answers[few], prior=None if shown is None else shown[few],
            prior_of_all=shown,
        )  # fmt: skip
        says = classifier.probabilities(embeddings, shown).argmax(axis=1)
        right.append((says == answers)[20:].mean())
    assert right[0] < 0.6
    assert right[1] > 0.8


def test_a_prior_that_is_wrong_is_overruled():
    embeddings, answers, _ = blobs(400, 2, distance=4.0)
    prior = prior_for(1 - answers, strength=1.0)
    few = slice(0, 60)
    classifier = learn(embeddings[few], answers[few], prior=prior[few], prior_of_all=prior)
    says = classifier.probabilities(embeddings, prior).argmax(axis=1)
    assert (says == answers)[60:].mean() > 0.9


def test_a_prior_speaks_the_lower_the_more_recordings_a_class_is_known_from():
    embeddings, answers, _ = blobs(400, 2, distance=4.0)
    prior = prior_for(answers, strength=3.0)
    shares = []
    for n_recordings in (1, 4, 16, 64):
        recordings = np.arange(128) % n_recordings * 2 + answers[:128]
        classifier = learn(
            embeddings[:128],
            answers[:128],
            prior=prior[:128],
            prior_of_all=prior,
            groups=recordings,
        )
        ours, all_of_it = np.abs(classifier.prior_weights).sum(), np.abs(classifier.weights).sum()
        shares.append(ours / all_of_it)
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 3 * shares[-1]


def test_a_classifier_that_read_a_prior_wants_one():
    embeddings, answers, _ = blobs(40, 2)
    prior = prior_for(answers, strength=3.0)
    classifier = learn(embeddings, answers, prior=prior)
    assert classifier.needs_prior
    with pytest.raises(ValueError, match=r"prior has shape None; wanted \(40, 2\)"):
        classifier.probabilities(embeddings)
    again = Classifier.from_arrays(classifier.to_arrays())
    np.testing.assert_array_equal(
        again.probabilities(embeddings, prior), classifier.probabilities(embeddings, prior)
    )


def test_a_prior_that_knows_nothing_is_none():
    embeddings, answers, _ = blobs(40, 2)
    blank = learn(embeddings, answers, prior=np.full((40, 2), np.nan, np.float32))
    assert not blank.needs_prior
    np.testing.assert_array_equal(
        blank.probabilities(embeddings), learn(embeddings, answers).probabilities(embeddings)
    )


def test_equal_clips_with_different_answers_leave_it_open():
    classifier = fit(np.ones((6, DIM)), one_hot([0, 1, 0, 1, 0, 1], 2))
    found = classifier.probabilities(np.ones((1, DIM), np.float32))
    np.testing.assert_allclose(found, 0.5, atol=1e-3)


def test_the_same_labels_give_the_same_numbers():
    embeddings, answers, _ = blobs(60, 3)
    first, second = (fit(embeddings, one_hot(answers, 3)).classifier for _ in range(2))
    np.testing.assert_array_equal(first.weights, second.weights)


@pytest.mark.parametrize("multi_label", [False, True])
def test_a_saved_classifier_says_the_same_and_needs_no_pickle(multi_label):
    embeddings, answers, _ = blobs(40, 2)
    names = ["siren", "Straße & Co", "never chosen"]
    labels = one_hot(answers, 3)
    saved = fit(embeddings, labels, class_names=names, multi_label=multi_label).classifier
    file = io.BytesIO()
    np.savez(file, **saved.to_arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        loaded = Classifier.from_arrays(arrays)
    assert (loaded.class_names, loaded.multi_label) == (tuple(names), multi_label)
    seen = far(embeddings)
    np.testing.assert_array_equal(loaded.probabilities(seen), saved.probabilities(seen))


def test_embeddings_of_another_embedder_are_refused():
    embeddings, answers, _ = blobs(40, 2)
    with pytest.raises(ValueError, match=r"shape \(40, 4\); wanted \(n_clips, 17\)"):
        fit(embeddings, one_hot(answers, 2)).probabilities(embeddings[:, :3])


def test_labels_that_do_not_fit_are_refused():
    embeddings, answers, _ = blobs(40, 2)
    labels = one_hot(answers, 2)
    with pytest.raises(ValueError, match="shape"):
        fit(embeddings[:-1], labels)
    labels[3] = 1
    with pytest.raises(ValueError, match="row 3 has 2 labels"):
        fit(embeddings, labels)
    embeddings[5] = np.nan
    with pytest.raises(ValueError, match="row 5 of the labeled embeddings"):
        fit(embeddings, labels)
