"""Which labels are trained on and which only measure: the audit slice is random and kept apart."""

import numpy as np
import pytest

from ml_backend.clip import Task, TaskLabels, content_hash
from ml_backend.label_studio.label_config import label_config_xml, parse_label_config
from ml_backend.learning.audit_slice import N_BEFORE, draw_lots, draw_slice
from ml_backend.learning.embedded_clips import embedded_clips
from ml_backend.learning.labeled_set import part_answers
from ml_backend.learning.round_input import RoundInput
from ml_backend.learning.training import learn
from ml_backend.strategies.registry import get_strategy

SHARE = 0.1
CLASSES = ("siren", "other")


def clips(n_clips):
    keys = [content_hash(str(row).encode()) for row in range(n_clips)]
    tasks = [Task(row + 1, key, "/a.wav") for row, key in enumerate(keys)]
    return embedded_clips(tasks, keys, np.ones((n_clips, 2), dtype=np.float32))


def said(rows, label="other"):
    labels = None if label is None else frozenset({label})
    return [
        TaskLabels(int(row) + 1, labels, "skipped" if label is None else "labeled", 1)
        for row in rows
    ]


def slice_of(pool):
    return draw_slice(draw_lots(pool.clip_keys), SHARE)


def test_every_usable_answer_is_trained_on_or_set_aside():
    pool = clips(1000)
    rng = np.random.default_rng(0)
    rows = rng.permutation(1000)[:300]
    parted = part_answers(pool, said(rows), CLASSES, SHARE)
    drawn = set(slice_of(pool).tolist())
    assert set(parted.training.rows.tolist()) == set(rows.tolist()) - drawn
    assert not set(parted.audit.rows.tolist()) & set(parted.training.rows.tolist())
    assert set(parted.waiting.tolist()) == drawn - set(rows.tolist())
    assert parted.n_answered == 300


def test_only_clips_whose_turn_has_come_are_measured_on():
    pool = clips(1000)
    drawn = slice_of(pool)
    rows = [*drawn[:5], *drawn[6:9], *np.setdiff1d(np.arange(1000), drawn)[:20]]
    parted = part_answers(pool, said(rows), CLASSES, SHARE)
    assert parted.audit.rows.tolist() == drawn[:5].tolist()
    assert len(parted.training) == 20
    assert parted.n_audited == 8
    assert parted.waiting[0] == drawn[5]


def test_a_skipped_clip_of_the_slice_does_not_hold_the_others_up():
    pool = clips(1000)
    drawn = slice_of(pool)
    rest = np.setdiff1d(np.arange(1000), drawn)[:20]
    answers = said(drawn[:2]) + said(drawn[2:3], None) + said(drawn[3:4], "siren") + said(rest)
    parted = part_answers(pool, answers, CLASSES, SHARE)
    assert parted.audit.rows.tolist() == drawn[[0, 1, 3]].tolist()
    assert parted.audit.labels.tolist() == [[0, 1], [0, 1], [1, 0]]


def test_the_first_labels_are_all_trained_on():
    pool = clips(1000)
    drawn = slice_of(pool)[: N_BEFORE - 1]
    parted = part_answers(pool, said(drawn), CLASSES, SHARE)
    assert len(parted.training) == N_BEFORE - 1
    assert len(parted.audit) == 0


def test_a_closed_slice_gives_the_others_back():
    pool = clips(3000)
    drawn = slice_of(pool)
    sirens, others = drawn[:10], drawn[10:150]
    parted = part_answers(pool, said(sirens, "siren") + said(others), CLASSES, SHARE)
    assert parted.audit.rows.tolist() == drawn[:100].tolist()
    assert set(parted.training.rows.tolist()) == set(drawn[100:150].tolist())
    assert len(parted.waiting) == 0


def test_without_a_share_everything_is_trained_on():
    pool = clips(100)
    parted = part_answers(pool, said(range(100)), CLASSES, 0.0)
    assert len(parted.training) == 100
    assert len(parted.audit) == len(parted.waiting) == 0


def test_tasks_that_nobody_embedded_are_for_nothing():
    parted = part_answers(clips(3), said([1, 7]), CLASSES, SHARE)
    assert parted.training.rows.tolist() == [1]
    assert parted.n_answered == 1


@pytest.mark.parametrize("bias", ["keys", "rows"])
def test_what_is_measured_on_is_a_fair_sample(bias):
    """Chi-square over many projects: neither place nor key decides what is measured on."""
    from scipy.stats import chisquare

    found = np.zeros(5)
    for number in range(20):
        keys = [content_hash(f"{number} {row}".encode()) for row in range(500)]
        tasks = [Task(row + 1, key, "/a.wav") for row, key in enumerate(keys)]
        pool = embedded_clips(tasks, keys, np.ones((500, 2), dtype=np.float32))
        drawn = slice_of(pool)
        rows = [*drawn[:30], *np.setdiff1d(np.arange(500), drawn)[:20]]
        measured = part_answers(pool, said(rows), CLASSES, SHARE).audit.rows
        column = np.arange(500) // 100
        if bias == "keys":
            column = np.array([int(key[0], 16) for key in keys]) * 5 // 16
        weights = np.bincount(column, minlength=5) / 500
        found += (np.bincount(column[measured], minlength=5) / len(measured)) / weights
    assert chisquare(found / found.sum() * 600, np.full(5, 120)).pvalue > 0.001


def learned_from(pool, answers, config):
    strategy = get_strategy("random")
    given = RoundInput(pool, answers, config, strategy, "toy-1", audit_share=SHARE)
    return learn(given, n_head=10)


def test_a_label_of_the_slice_changes_nothing_in_the_classifier():
    rng = np.random.default_rng(0)
    keys = [content_hash(str(row).encode()) for row in range(300)]
    tasks = [Task(row + 1, key, "/a.wav") for row, key in enumerate(keys)]
    pool = embedded_clips(tasks, keys, rng.standard_normal((300, 4)).astype(np.float32))
    config = parse_label_config(label_config_xml(CLASSES, multi_label=False))
    drawn, rest = slice_of(pool), np.setdiff1d(np.arange(300), slice_of(pool))
    told = said(rest[:20], "siren") + said(rest[20:40])

    def learned(*more):
        return learned_from(pool, [*told, *more], config)

    plain = learned()
    for label in CLASSES:
        measured = learned(*said(drawn[:8], label))
        assert measured.audit.rows.tolist() == drawn[:8].tolist()
        for name, array in plain.classifier.to_arrays().items():
            same = measured.classifier.to_arrays()[name]
            assert np.array_equal(array, same, equal_nan=name == "constants")


def test_a_project_that_is_labeled_in_order_meets_the_slice_at_its_share():
    pool = clips(600)
    config = parse_label_config(label_config_xml(CLASSES, multi_label=False))
    drawn = slice_of(pool)
    answers, met = [], []
    while len(answers) < 200:
        order = learned_from(pool, answers, config).order
        assert sorted([*order.tolist(), *(one.task_id for one in answers)]) == list(range(1, 601))
        rows = order[:7] - 1
        met += rows.tolist()
        answers += said(rows)
    is_audit = np.isin(met, drawn)
    assert not is_audit[:N_BEFORE].any()
    assert is_audit[N_BEFORE : N_BEFORE + 190].sum() == pytest.approx(19, abs=1)
    assert np.array(met)[is_audit].tolist() == drawn[: is_audit.sum()].tolist()
