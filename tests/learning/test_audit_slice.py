"""The audit slice: a random sample, whatever the clips are, served at its share and in order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.clip import content_hash
from ml_backend.learning.audit_slice import (
    N_BEFORE,
    draw_lots,
    draw_slice,
    interleave,
    n_closed,
    n_in_turn,
)

N_CLIPS = 20_000


def keys(n_clips=N_CLIPS):
    return [content_hash(str(row).encode()) for row in range(n_clips)]


def test_lots_are_uniform():
    from scipy.stats import kstest

    assert kstest(draw_lots(keys()), "uniform").pvalue > 0.001
    assert kstest(draw_lots([f"address-{n}" for n in range(N_CLIPS)]), "uniform").pvalue > 0.001


@pytest.mark.parametrize("share", [0.05, 0.07, 0.1])
def test_the_slice_has_its_share(share):
    n_drawn = len(draw_slice(draw_lots(keys()), share))
    spread = np.sqrt(N_CLIPS * share * (1 - share))
    assert abs(n_drawn - N_CLIPS * share) < 4 * spread


def test_lots_do_not_follow_the_sound_of_a_clip_nor_its_place():
    """Every prefix of the slice has the classes of the pool, by a chi-square test."""
    from scipy.stats import chisquare

    lots = draw_lots(keys())
    rng = np.random.default_rng(0)
    classes = rng.choice(4, size=N_CLIPS, p=[0.02, 0.18, 0.3, 0.5])
    places = np.arange(N_CLIPS) * 4 // N_CLIPS
    for column in (classes, places):
        drawn = draw_slice(lots, 0.1)
        for prefix in (drawn[:400], drawn):
            found = np.bincount(column[prefix], minlength=4)
            wanted = np.bincount(column, minlength=4) / N_CLIPS * len(prefix)
            assert chisquare(found, wanted).pvalue > 0.001


def test_a_lot_is_the_keys_alone():
    some = keys(100)
    assert (draw_lots(some)[::-1] == draw_lots(some[::-1])).all()
    assert len(set(draw_lots(some))) == 100
    assert draw_lots([]).shape == (0,)


def test_a_larger_slice_begins_with_the_smaller_one():
    lots = draw_lots(keys(1000))
    small, large = draw_slice(lots, 0.05), draw_slice(lots, 0.1)
    assert large[: len(small)].tolist() == small.tolist()


def test_only_what_is_answered_in_turn_counts():
    assert n_in_turn(np.array([], dtype=bool)) == 0
    assert n_in_turn(np.array([False, True])) == 0
    assert n_in_turn(np.array([True, True])) == 2


def test_the_slice_stays_open_until_every_class_has_enough():
    other, siren, skipped = frozenset({"other"}), frozenset({"siren"}), None
    assert n_closed([other] * 95 + [siren] * 9) is None
    assert n_closed([other] * 95 + [skipped] + [siren] * 10) == 106
    assert n_closed([other] * 300) == 100
    assert n_closed([siren] + [other] * 300) == 200
    assert n_closed([]) is None


def slow_interleave(chosen, audit, share, n_answered, n_audited):
    """Clip by clip: audit whenever fewer than the share of what was served were audit clips."""
    chosen, audit, order = list(chosen), list(audit), []
    while chosen or audit:
        n_answered += 1
        is_due = n_audited + 1 <= share * (n_answered - N_BEFORE) + 1e-9
        if audit and (is_due or not chosen):
            order.append(audit.pop(0))
            n_audited += 1
        else:
            order.append(chosen.pop(0))
    return order


@given(
    st.integers(0, 60),
    st.integers(0, 8),
    st.sampled_from([0.05, 0.07, 0.1, 0.5]),
    st.integers(0, 80),
    st.integers(0, 5),
)
def test_the_order_is_that_of_serving_clip_by_clip(n_chosen, n_audit, share, n_answered, n_audited):
    chosen, audit = np.arange(n_chosen), 1000 + np.arange(n_audit)
    order = interleave(chosen, audit, share, n_answered=n_answered, n_audited=n_audited)
    assert order.tolist() == slow_interleave(chosen, audit, share, n_answered, n_audited)


def test_none_is_served_among_the_first():
    order = interleave(np.arange(500), 1000 + np.arange(50), 0.07, n_answered=0, n_audited=0)
    assert (order[: N_BEFORE + 14] < 1000).all()
    assert (order[N_BEFORE : N_BEFORE + 100] >= 1000).sum() == 7
