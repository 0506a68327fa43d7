"""Recordings are cut into windows that hold all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.windows import windows


@given(st.floats(0.05, 500), st.floats(0.5, 10), st.floats(0.2, 2))
def test_windows_hold_all_of_a_recording_but_at_most_half_a_window_at_its_end(
    duration_s, window_s, hop_ratio
):
    hop_s = window_s * min(hop_ratio, 1)
    cut = windows(duration_s, window_s, hop_s)
    covered_s = cut[-1][0] + cut[-1][1]
    assert duration_s - covered_s < window_s / 2 + 1e-3
    assert covered_s <= duration_s + 1e-5
    assert all(length_s == pytest.approx(window_s, abs=1e-5) for _, length_s in cut[:-1])


@pytest.mark.parametrize(
    ("duration_s", "expected"),
    [
        (8.0, [(0, 4), (4, 4)]),
        (9.9, [(0, 4), (4, 4)]),
        (10.0, [(0, 4), (4, 4), (8, 2)]),
        (1.0, [(0, 1)]),
    ],
)
def test_a_last_partial_window_is_kept_from_half_a_window_on(duration_s, expected):
    assert windows(duration_s, 4.0, 4.0) == expected


def test_a_window_that_holds_nothing_new_is_not_made():
    assert windows(8.0, 4.0, 1.0) == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
