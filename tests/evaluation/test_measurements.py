"""Which measurements stand, against sets of labels kept whole."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from ml_backend.clip import TaskLabels
from ml_backend.evaluation.measurements import Measurement, apart, count_held, is_due, know, line_of

KINDS = st.sampled_from([None, frozenset(), frozenset({"a"}), frozenset({"b"}), frozenset("ab")])
LABELS = st.dictionaries(st.integers(0, 9), KINDS)


def told(labels):
    return [TaskLabels(task_id, kinds, "labeled", 1) for task_id, kinds in labels.items()]


@given(st.lists(LABELS, min_size=2, max_size=6))
@settings(max_examples=300)
def test_a_label_holds_where_it_was_in_every_look_since(states):
    """Labels in a look and in all that followed hold; what came back counts from then on."""
    *measurements, now = states
    known = None
    for number, labels in enumerate(measurements, start=1):
        known = know(told(labels), number, known)

    def pairs(labels):
        return {pair for pair in labels.items() if pair[1] is not None}

    wanted = []
    for number in range(len(measurements)):
        always = set.intersection(*(pairs(labels) for labels in [*measurements[number:], now]))
        wanted.append(len(always))
    held = count_held(known, told(now), list(range(1, len(measurements) + 1)))
    assert held == wanted


def test_where_labels_were_not_kept_nothing_is_counted():
    assert count_held(None, told({1: frozenset("a")}), [1]) is None


def look(number, n_labeled, *, stands=True):
    return Measurement(number, f"v{number}", 0.0, n_labeled, {}, n_labeled, stands)


def test_a_line_rises_and_the_last_look_at_a_number_counts():
    measurements = [look(5, 10), look(4, 30, stands=False), look(3, 20), look(2, 10), look(1, 5)]
    assert [one.number for one in line_of(measurements)] == [1, 5, 3]


def test_looks_that_are_apart_are_a_step_apart():
    line = [look(n, n) for n in range(1, 400)]
    kept = [one.n_labeled for one in apart(line)]
    assert kept[-1] == 399
    assert all(is_due(after, before) for before, after in itertools.pairwise(kept))
    assert len(kept) > 20


def test_figures_are_taken_every_five_labels_and_later_every_twentieth():
    n_before, measurements = 0, []
    for n_labeled in range(1, 401):
        if is_due(n_labeled, n_before):
            measurements.append(n_labeled)
            n_before = n_labeled
    assert measurements[:4] == [5, 10, 15, 20]
    assert measurements[-1] - measurements[-2] > 15
