import json
from dataclasses import replace
from pathlib import Path

import pytest

from ml_backend.label_studio.annotation import build_result, read_annotations
from ml_backend.label_studio.label_config import LabelConfig

PAYLOADS = Path(__file__).parents[1] / "payloads"
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


def labels_of(exported, config):
    return [one.labels for one in read_annotations(exported, config)]


def read(*annotations, config=SINGLE):
    [task] = labels_of([{"id": 7, "annotations": list(annotations)}], config)
    return task


def payload(name):
    return json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))


def test_a_captured_export_of_single_choices():
    # Answered in the browser from a prediction of "siren": three changed to "other", one skipped.
    config = LabelConfig(("siren", "other"), False, "sound", "audio", "choices", "audio")
    tasks = labels_of(payload("export_single"), config)
    assert [task.labels for task in tasks] == [frozenset({"other"})] * 3 + [None]
    assert [task.state for task in tasks] == ["labeled"] * 3 + ["skipped"]
    assert [task.n_annotators for task in tasks] == [1, 1, 1, 1]


def test_a_captured_export_of_several_choices_with_one_explicit_none():
    config = LabelConfig(
        ("siren", "car horn", 'dog & "cat"'), True, "sound", "audio", "choices", "audio"
    )
    tasks = labels_of(payload("export_multiple"), config)
    assert [task.labels for task in tasks] == [
        frozenset({"siren", "car horn", 'dog & "cat"'}),
        None,
        frozenset(),
    ]
    assert [task.state for task in tasks] == ["labeled", "skipped", "labeled"]


def test_a_captured_export_of_regions_counts_presence():
    config = LabelConfig(("siren", "car_horn"), True, "events", "audio", "labels", "audio")
    tasks = labels_of(payload("export_regions"), config)
    assert [task.labels for task in tasks] == [frozenset({"siren", "car_horn"}), frozenset()]


def test_most_votes_win():
    votes = [said(name, by=k, number=k) for k, name in enumerate(["siren", "other", "siren"])]
    assert read(*votes).labels == {"siren"}
    assert read(*votes).n_annotators == 3


def test_a_tie_is_left_out():
    task = read(said("siren", by=1), said("other", by=2, number=2))
    assert (task.labels, task.state) == (None, "tied")


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
    assert (task.labels, task.state) == (None, "skipped")


def test_a_skip_stands_back_where_somebody_else_answered():
    task = read(said("siren", by=1, was_cancelled=True), said("other", by=2, number=2))
    assert (task.labels, task.state) == (frozenset({"other"}), "labeled")


def test_who_answered_and_then_skipped_has_skipped():
    first = said("siren", at="2026-01-01T10:00:00Z")
    then = said(at="2026-01-01T11:00:00Z", number=2, was_cancelled=True)
    assert read(first, then).state == "skipped"


def test_an_empty_annotation_is_one_without_a_label_where_one_is_asked_for():
    task = read(said())
    assert (task.labels, task.state, task.n_annotators) == (None, "no_label", 1)


def test_an_empty_annotation_says_none_of_them_about_several():
    assert read(said(), config=MULTIPLE).labels == frozenset()


def test_several_labels_are_voted_on_one_by_one():
    votes = [["siren", "horn"], ["siren"], ["other", "siren"]]
    task = read(*(said(*vote, by=k, number=k) for k, vote in enumerate(votes)), config=MULTIPLE)
    assert task.labels == {"siren"}


def test_a_tie_in_one_of_several_labels_leaves_the_clip_out():
    votes = [said("siren", "horn", by=1), said("siren", by=2, number=2)]
    assert read(*votes, config=MULTIPLE).labels is None


def test_labels_count_beside_others_that_the_config_no_longer_has():
    assert read(said("siren", "whistle"), config=MULTIPLE).labels == {"siren"}
    assert read(said("siren", "whistle")).labels == {"siren"}


@pytest.mark.parametrize("config", [SINGLE, MULTIPLE])
def test_a_label_alone_that_the_config_no_longer_has_cannot_be_read(config):
    # Nobody knows whether "whistle" alone would mean "none of them" today.
    task = read(said("whistle"), config=config)
    assert (task.labels, task.state) == (None, "unreadable")


def test_two_choices_where_one_was_asked_for_cannot_be_read():
    assert read(said("siren", "other")).state == "unreadable"


@pytest.mark.parametrize("config", [SINGLE, MULTIPLE])
def test_one_label_as_text_is_as_good_as_a_list_of_one(config):
    annotation = said()
    annotation["result"] = [{"from_name": "sound", "value": {"choices": "siren"}}]
    assert read(annotation, config=config).labels == {"siren"}


@pytest.mark.parametrize("config", [SINGLE, MULTIPLE])
@pytest.mark.parametrize(
    "entry",
    [
        {"from_name": "label", "value": {"choices": ["siren"]}},
        {"from_name": "sound", "value": {"labels": ["siren"]}},
        {"from_name": "sound", "value": {"choices": [["siren"]]}},
        {"from_name": "sound", "value": "siren"},  # Label Studio answers 500, and keeps it
        {"from_name": "sound"},
        {"value": {}},
        "siren",
        None,
    ],
)
def test_what_no_control_of_the_project_writes_cannot_be_read(entry, config):
    annotation = {**said(), "result": [entry]}
    assert read(annotation, config=config).state == "unreadable"
    assert read(annotation, said("siren", by=2, number=2), config=config).labels == {"siren"}


def test_an_answer_to_another_question_alone_is_no_label():
    config = replace(SINGLE, others=frozenset({"comment"}))
    annotation = said()
    annotation["result"] = [{"from_name": "comment", "value": {"text": ["wind"]}}]
    assert read(annotation, config=config).state == "no_label"
    assert read(annotation, config=replace(config, multi_label=True)).labels == frozenset()


def test_text_that_a_prediction_showed_is_no_label_either():
    shown = {"from_name": "judgment", "type": "textarea", "origin": "prediction"}
    assert read({**said(), "result": [shown]}).state == "no_label"


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        (["siren", "other", "", "gone", "skip"], "tied"),
        (["", "gone", "skip"], "unreadable"),
        (["skip", "", "skip"], "no_label"),
        (["skip", "skip"], "skipped"),
        (["gone", "siren", "", "skip"], "labeled"),
    ],
)
def test_annotations_of_several_kinds_make_one_state(kinds, state):
    annotations = [
        said(*([kind] if kind not in ("", "skip") else []), by=k, number=k)
        | {"was_cancelled": kind == "skip"}
        for k, kind in enumerate(kinds)
    ]
    assert read(*annotations).state == state
    assert read(*reversed(annotations)).n_annotators == len(kinds)


def test_an_annotation_with_a_star_decides_over_the_others():
    others = [said("other", by=k, number=k) for k in range(3)]
    starred = said("siren", by=9, number=9, at="2025-01-01T00:00:00Z", ground_truth=True)
    assert read(*others, starred).labels == {"siren"}
    # ... also over a later one of the same annotator.
    assert read(starred, said("other", by=9, number=10)).labels == {"siren"}


def test_several_annotations_with_a_star_vote_among_themselves():
    names = ["siren", "horn", "siren"]
    starred = [said(name, by=k, number=k, ground_truth=True) for k, name in enumerate(names)]
    assert read(*starred, *(said("horn", by=k, number=k) for k in range(5, 9))).labels == {"siren"}
    assert read(*starred[:2], said("siren", by=7, number=7)).state == "tied"


@pytest.mark.parametrize("empty", [said(ground_truth=True), said("gone", ground_truth=True)])
def test_a_star_on_what_holds_no_label_decides_nothing(empty):
    assert read(empty, said("siren", by=2, number=2)).labels == {"siren"}


def test_none_of_them_is_read_back_whatever_the_annotation_held_before():
    present = [{"from_name": "label", "value": {"choices": ["siren"]}}]
    for kept in ([], present):
        written = build_result([], MULTIPLE, kept)
        assert read({**said(), "result": written}, config=MULTIPLE).labels == frozenset()


def test_other_controls_are_not_read():
    annotation = said("siren")
    annotation["result"].append({"from_name": "mood", "value": {"choices": ["other"]}})
    assert read(annotation).labels == {"siren"}


@pytest.mark.parametrize("task", [{"id": 7, "annotations": []}, {"id": 7, "drafts": [said("x")]}])
def test_drafts_and_predictions_alone_are_no_annotations(task):
    assert labels_of([{**task, "annotations": []}], SINGLE) == []
