import json
from dataclasses import replace
from pathlib import Path

import pytest

from ml_backend.annotation import read_annotations
from ml_backend.label_config import LabelConfig

PAYLOADS = Path(__file__).parent / "payloads"
SINGLE = LabelConfig(("siren", "other", "horn"), False, "sound", "audio", "choices", "audio")
MULTIPLE = replace(SINGLE, multi_label=True)


def said(*names, by=1, at="2026-01-01T10:00:00Z", number=1, **more):
    result = [{"from_name": "sound", "type": "choices", "value": {"choices": list(names)}}]
    return {
        "id": number,
        "completed_by": by,
        "updated_at": at,
        "result": result if names else [],
        **more,
    }


def read(*annotations, config=SINGLE):
    [task] = read_annotations([{"id": 7, "annotations": list(annotations)}], config)
    return task


def payload(name):
    return json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))


def test_a_captured_export_of_single_choices():
    # Answered in the browser from a prediction of "siren": three changed to "other", one skipped.
    config = LabelConfig(("siren", "other"), False, "sound", "audio", "choices", "audio")
    tasks = read_annotations(payload("export_single"), config)
    assert [task.labels for task in tasks] == [frozenset({"other"})] * 3 + [None]
    assert [task.is_skipped for task in tasks] == [False, False, False, True]
    assert [task.n_annotators for task in tasks] == [1, 1, 1, 0]


def test_a_captured_export_of_several_choices_with_one_explicit_none():
    config = LabelConfig(
        ("siren", "car horn", 'dog & "cat"'), True, "sound", "audio", "choices", "audio"
    )
    tasks = read_annotations(payload("export_multiple"), config)
    assert [task.labels for task in tasks] == [
        frozenset({"siren", "car horn", 'dog & "cat"'}),
        None,
        frozenset(),
    ]
    assert [task.is_skipped for task in tasks] == [False, True, False]


def test_a_captured_export_of_regions_counts_presence():
    config = LabelConfig(("siren", "car_horn"), True, "events", "audio", "labels", "audio")
    tasks = read_annotations(payload("export_regions"), config)
    assert [task.labels for task in tasks] == [frozenset({"siren", "car_horn"}), frozenset()]


def test_most_votes_win():
    votes = [said(name, by=k, number=k) for k, name in enumerate(["siren", "other", "siren"])]
    assert read(*votes).labels == {"siren"}
    assert read(*votes).n_annotators == 3


def test_a_tie_is_left_out():
    task = read(said("siren", by=1), said("other", by=2, number=2))
    assert task.labels is None
    assert not task.is_skipped


def test_two_against_one_against_one_is_no_tie():
    names = ["other", "siren", "horn", "siren"]
    votes = [said(name, by=k, number=k) for k, name in enumerate(names)]
    assert read(*votes).labels == {"siren"}


def test_of_one_annotator_the_latest_annotation_counts():
    early = said("siren", at="2026-01-01T10:00:00Z", number=5)
    late = said("other", at="2026-01-01T11:00:00Z", number=2)
    assert read(late, early).labels == {"other"}
    assert read(early, late).n_annotators == 1


def test_at_the_same_time_the_higher_number_is_the_later_one():
    assert read(said("siren", number=2), said("other", number=1)).labels == {"siren"}


def test_annotators_may_come_with_their_details():
    by = {"id": 3, "email": "a@b.co"}
    assert read(said("siren", by=by), said("other", by=by, number=2)).labels == {"other"}


def test_a_skip_is_no_answer():
    task = read(said("siren", was_cancelled=True))
    assert (task.labels, task.is_skipped, task.n_annotators) == (None, True, 0)


def test_a_skip_stands_back_where_somebody_else_answered():
    task = read(said("siren", by=1, was_cancelled=True), said("other", by=2, number=2))
    assert (task.labels, task.is_skipped) == (frozenset({"other"}), False)


def test_who_answered_and_then_skipped_has_skipped():
    first = said("siren", at="2026-01-01T10:00:00Z")
    then = said(at="2026-01-01T11:00:00Z", number=2, was_cancelled=True)
    assert read(first, then).is_skipped


def test_an_empty_answer_says_nothing_about_one_label():
    task = read(said())
    assert (task.labels, task.is_skipped, task.n_annotators) == (None, False, 1)


def test_an_empty_answer_says_none_of_them_about_several():
    assert read(said(), config=MULTIPLE).labels == frozenset()


def test_several_labels_are_voted_on_one_by_one():
    votes = [["siren", "horn"], ["siren"], ["other", "siren"]]
    task = read(*(said(*vote, by=k, number=k) for k, vote in enumerate(votes)), config=MULTIPLE)
    assert task.labels == {"siren"}


def test_a_tie_in_one_of_several_labels_leaves_the_clip_out():
    votes = [said("siren", "horn", by=1), said("siren", by=2, number=2)]
    assert read(*votes, config=MULTIPLE).labels is None


def test_labels_that_the_config_no_longer_has_are_ignored():
    assert read(said("whistle")).labels is None
    assert read(said("siren", "whistle"), config=MULTIPLE).labels == {"siren"}
    # Nobody knows whether "whistle" alone would mean "none of them" today.
    assert read(said("whistle"), config=MULTIPLE).labels is None


def test_two_choices_where_one_was_asked_for_say_nothing():
    assert read(said("siren", "other")).labels is None


def test_other_controls_are_not_read():
    annotation = said("siren")
    annotation["result"].append({"from_name": "mood", "value": {"choices": ["other"]}})
    assert read(annotation).labels == {"siren"}


@pytest.mark.parametrize("task", [{"id": 7, "annotations": []}, {"id": 7, "drafts": [said("x")]}])
def test_drafts_and_predictions_alone_are_no_annotations(task):
    assert read_annotations([{**task, "annotations": []}], SINGLE) == []
