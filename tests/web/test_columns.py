"""Sets of labels as columns: two different sets are never one value, whatever they are called."""

from itertools import combinations

import numpy as np
import pytest

from ml_backend.clip import TaskLabels
from ml_backend.learning.decision import Rule
from ml_backend.loop.clip_scores import ClipScores
from ml_backend.web.snapshot.columns import label_columns, score_columns
from ml_backend.web.snapshot.packed import pack, unpack

AWKWARD = ("dog, barking", "dog", "barking", "“dog”", "(dog, barking)", "none of them", ",")


def subsets(names):
    return [frozenset(some) for n in range(len(names) + 1) for some in combinations(names, n)]


def sets_of(column):
    """What each row of a column says, as the browser reads it."""
    _, columns = unpack(pack([column]))
    column = columns[column.name]
    assert len(set(column.names)) == len(column.names)
    members = column.members or [[name] for name in column.names]
    return [frozenset(members[code]) for code in column.stored.tolist()]


@pytest.mark.parametrize("class_names", [AWKWARD, AWKWARD[::-1]])
def test_every_set_of_labels_is_a_value_of_its_own(class_names):
    said = subsets(class_names)
    labels = {n: TaskLabels(n, one, "labeled", 1) for n, one in enumerate(said)}
    label = label_columns(np.arange(len(said)), labels, (), class_names)["label"]
    assert sets_of(label) == said
    assert label.names[: len(class_names)] == class_names  # a class alone is called by its name


def test_every_set_of_predicted_classes_is_a_value_of_its_own():
    said = subsets(AWKWARD)
    probabilities = np.array([[float(name in one) for name in AWKWARD] for one in said])
    n_clips = len(said)
    judged = ClipScores(
        AWKWARD, True, np.arange(n_clips), probabilities, None, None,
        np.zeros(n_clips, dtype=np.float32), np.zeros(n_clips, dtype=np.int32),
        Rule.balanced(len(AWKWARD), multi_label=True),
    )  # fmt: skip
    columns = score_columns(judged, np.arange(n_clips), AWKWARD)
    assert sets_of(columns["predicted"]) == said


def test_where_every_clip_has_one_label_names_say_it_all():
    labels = {1: TaskLabels(1, frozenset({"dog, barking"}), "labeled", 1)}
    label = label_columns(np.arange(3), labels, (), AWKWARD)["label"]
    assert label.members is None
    assert label.stored.tolist() == [255, 0, 255]
