"""What cannot be read is counted, named and kept: nothing is left out without a word."""

import pytest

from ml_backend.label_studio.annotation import read_annotations
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.loop.unreadable import find_unread

CONFIG = LabelConfig(("siren", "other"), False, "sound", "audio", "choices", "audio")


def task(task_id, *results):
    annotations = [
        {"id": 10 * task_id + k, "completed_by": k, "result": result}
        for k, result in enumerate(results)
    ]
    return {"id": task_id, "annotations": annotations}


def find(exported, config):
    return find_unread(read_annotations(exported, config), config)


def said(label, control="sound", form=list):
    names = [label] if form is list else label
    return [{"from_name": control, "value": {"choices": names}}]


def test_annotations_of_another_control_are_counted_and_named():
    exported = [task(number, said("siren", "label")) for number in range(1, 41)]
    (notice,) = find(exported, CONFIG)
    assert notice.text.startswith(
        "40 annotations use the control 'label'; Earmark reads 'sound'. Name the control"
    )
    assert (notice.n_annotations, notice.task_ids) == (40, tuple(range(1, 41)))


def test_each_problem_is_told_by_itself_the_most_frequent_first():
    exported = [
        task(1, said("gone"), said("gone"), said("siren", "label")),
        task(2, said("gone")),
        task(3, [{"from_name": "sound", "value": "siren"}]),
    ]
    notices = find(exported, CONFIG)
    assert [one.n_annotations for one in notices] == [3, 1, 1]
    assert notices[0].text.startswith("3 annotations hold 'gone', which is no label of this")
    assert notices[0].task_ids == (1, 2)
    assert "is no list of labels" in notices[2].text


def test_what_is_read_in_full_is_not_told():
    exported = [
        task(1, said("siren"), said("other", form=str), []),
        task(2, [*said("siren"), *said("other", "mood")]),
        {"id": 3, "annotations": []},
    ]
    assert find(exported, CONFIG) == []


def test_a_label_left_out_beside_others_is_told():
    both = [{"from_name": "sound", "value": {"choices": ["siren", "gone"]}}]
    (notice,) = find([task(1, both)], CONFIG)
    assert notice.text.startswith("1 annotation holds 'gone'")


@pytest.mark.parametrize("other", [[], said("siren")])
def test_of_an_annotator_the_latest_annotation_is_told(other):
    both = task(1, said("gone"), other)
    both["annotations"][1]["completed_by"] = 0
    assert find([both], CONFIG) == []
