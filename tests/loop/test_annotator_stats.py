"""Labels by annotator: counted as they were given, under names that people know."""

import httpx
import pytest

from ml_backend.label_studio.annotation import count_by_annotator, read_annotations
from ml_backend.label_studio.label_config import label_config_xml, parse_label_config
from ml_backend.loop.annotator_stats import Annotators, annotators
from ml_backend.store import open_store
from tests.fake_label_studio import FakeLabelStudio

XML = label_config_xml(("siren", "other"), multi_label=False)
CONFIG = parse_label_config(XML)


@pytest.fixture
def studio():
    made = FakeLabelStudio()
    project_id = made.add_project(XML)
    made.task_ids = made.add_tasks(project_id, [{"audio": "/a.wav"}] * 4)
    return made


def readings(studio):
    project_id = studio.tasks[studio.task_ids[0]]["project"]
    return read_annotations(studio.client().annotated_tasks(project_id), CONFIG)


def test_each_counts_for_oneself_whatever_the_others_said(studio):
    first, second, third, _ = studio.task_ids
    studio.annotate(first, "siren", by=1)
    studio.annotate(first, "other", by=2)
    studio.annotate(second, "siren", by=2)
    studio.annotate(third, skipped=True, by=2)
    counts = count_by_annotator(readings(studio))
    told = {who: (one.n_clips, one.n_skipped, dict(one.labels)) for who, one in counts.items()}
    assert told == {1: (1, 0, {"siren": 1}), 2: (2, 1, {"other": 1, "siren": 1})}


def test_who_changes_an_answer_has_given_one(studio):
    studio.annotate(studio.task_ids[0], "siren", by=1)
    studio.annotate(studio.task_ids[0], "other", by=1)
    assert dict(count_by_annotator(readings(studio))[1].labels) == {"other": 1}


def test_an_answer_without_anybodys_number_is_nobodys(studio):
    studio.annotate(studio.task_ids[0], "siren", by=None)
    assert count_by_annotator(readings(studio)) == {}


def test_names_are_asked_once_and_outlive_a_restart(studio):
    store = open_store("sqlite://")
    noting = Annotators(store, studio.client())
    studio.annotate(studio.task_ids[0], "siren", by=1)
    noting.note(5, readings(studio))
    studio.annotate(studio.task_ids[1], "other", by=1)
    noting.note(5, readings(studio))
    (told,) = annotators(store, 5)
    assert (told["name"], told["n_clips"]) == ("user1@studio.test", 2)
    assert studio.calls.count(("GET", "/api/users/")) == 1
    assert annotators(store, 6) == []


def test_a_label_studio_that_names_nobody_costs_the_name_alone(studio):
    store = open_store("sqlite://")
    studio.annotate(studio.task_ids[0], "siren", by=3)
    rows = readings(studio)
    studio.breaks_at = "/users/"
    Annotators(store, studio.client()).note(5, rows)
    assert annotators(store, 5)[0]["name"] == "annotator 3"


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ({"first_name": "Ada", "last_name": "L."}, "Ada L."),
        ({"first_name": "", "last_name": ""}, "a@b.co"),
        ({"email": ""}, "annotator 1"),
        ({"id": 2}, "somebody who is gone"),
    ],
)
def test_a_person_has_a_name(studio, monkeypatch, user, name):
    person = {"id": 1, "email": "a@b.co", **user}
    answer = httpx.Response(200, json=[person])
    monkeypatch.setattr(studio, "_answer", lambda request: answer)
    studio.annotate(studio.task_ids[0], "siren", by=1)
    said = [one | {"task": 1} for one in studio.annotations.values()]
    store = open_store("sqlite://")
    Annotators(store, studio.client()).note(
        5, read_annotations([{"id": 1, "annotations": said}], CONFIG)
    )
    assert annotators(store, 5)[0]["name"] == name
