"""Folds, and what may be held out of a fit."""

import numpy as np

from ml_backend.learning import calibrated_fit
from ml_backend.learning.folds import N_FOLDS, deal_folds


def test_a_recording_is_in_one_fold_and_every_fold_has_some_of_each_class():
    rng = np.random.default_rng(0)
    recordings = rng.permutation(np.repeat(np.arange(40), 5))
    answers = rng.integers(0, 3, 40)[recordings]
    folds = deal_folds(recordings, answers, seed=0)
    assert all(len(np.unique(folds[recordings == one])) == 1 for one in range(40))
    for answer in range(3):
        mine = np.unique(recordings[answers == answer])
        n_dealt = np.bincount([folds[recordings == one][0] for one in mine], minlength=N_FOLDS)
        assert n_dealt.max() - n_dealt.min() <= 1


def test_another_seed_deals_otherwise_and_the_same_seed_alike():
    recordings, answers = np.arange(50), np.arange(50) % 2
    dealt = [deal_folds(recordings, answers, seed=seed).tolist() for seed in (0, 0, 1)]
    assert dealt[0] == dealt[1] != dealt[2]


def test_a_class_known_from_one_recording_is_never_missing_from_what_is_learned():
    answers = np.array([0, 0, 0, 1, 1, 2, 2])
    for held in range(1, 2 ** len(answers) - 1):
        is_fold = np.array([bool(held >> k & 1) for k in range(len(answers))])
        left = answers[~calibrated_fit._held_out(answers, is_fold)]
        assert set(left) == {0, 1, 2}
