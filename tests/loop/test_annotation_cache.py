"""Annotations are read again only where they have changed, and lead to the same as all of them."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest

from ml_backend.label_studio.annotation import read_annotations
from ml_backend.label_studio.label_config import label_config_xml, parse_label_config
from ml_backend.loop import annotation_cache
from ml_backend.loop.annotation_cache import CHANGED_AT_MOST, Annotated
from ml_backend.loop.annotator_stats import annotators
from ml_backend.loop.unreadable import unread
from ml_backend.store import Store, open_store
from tests.fake_label_studio import FakeLabelStudio

XML = label_config_xml(("siren", "other"), multi_label=False)
CONFIG = parse_label_config(XML)


@dataclass
class Project:
    studio: FakeLabelStudio
    store: Store
    project_id: int
    task_ids: list[int]
    annotated: Annotated

    def read(self, *, whole=False, config=CONFIG):
        return self.annotated.read(self.project_id, config, whole=whole)

    def truth(self, config=CONFIG):
        exported = self.studio.client().annotated_tasks(self.project_id)
        readings = read_annotations(exported, config)
        return sorted((one.labels for one in readings), key=lambda labels: labels.task_id)


@pytest.fixture
def project(tmp_path):
    studio = FakeLabelStudio()
    project_id = studio.add_project(XML)
    task_ids = studio.add_tasks(project_id, [{} for _ in range(CHANGED_AT_MOST + 10)])
    store = open_store(f"sqlite:///{tmp_path / 'db'}")
    yield Project(studio, store, project_id, task_ids, Annotated(store, studio.client(), 2))
    store.close()


def test_after_the_first_time_only_what_changed_is_read(project):
    for task_id in project.task_ids[:30]:
        project.studio.annotate(task_id, "siren")
    assert project.read() == project.truth()
    project.studio.annotate(project.task_ids[40], "other")
    project.studio.calls.clear()
    labels = project.read()
    assert project.studio.calls == [("GET", "/api/tasks")]
    assert labels == project.truth()


@pytest.mark.slow
def test_whatever_people_do_in_whatever_order_what_is_held_is_what_all_annotations_say(project):
    rng = np.random.default_rng(0)
    said, n_compared = [project.studio.annotate(project.task_ids[0], "siren")], 0
    for step in range(300):
        act = rng.choice(["annotate", "skip", "change", "star", "take_back", "delete_task"])
        task_id = int(rng.choice(project.task_ids[:40]))
        if act == "annotate" and task_id in project.studio.tasks:
            label = str(rng.choice(["siren", "other", "horn"]))
            said.append(project.studio.annotate(task_id, label, by=int(rng.integers(1, 4))))
        elif act == "skip" and task_id in project.studio.tasks:
            said.append(project.studio.annotate(task_id, skipped=True, by=int(rng.integers(1, 4))))
        elif said and act in ("change", "star", "take_back"):
            number = said[int(rng.integers(len(said)))]
            if act == "change":
                project.studio.change(number, was_cancelled=bool(rng.integers(2)))
            elif act == "star":
                project.studio.change(number, ground_truth=bool(rng.integers(2)))
            else:
                said.remove(number)
                project.studio.take_back(number)
        if rng.random() < 0.4:  # events are lost, or come twice
            assert project.read() == project.truth(), step
            assert project.read() == project.truth(), step
            n_compared += 1
    assert project.studio.n_exports == 1 + 2 * n_compared, "the truth, and the first time"
    held = (
        annotators(project.store, project.project_id),
        unread(project.store, project.project_id),
    )
    project.read(whole=True)
    anew = (
        annotators(project.store, project.project_id),
        unread(project.store, project.project_id),
    )
    assert held == anew
    assert held[1]


def test_an_annotation_taken_back_is_not_held_on_to(project):
    first = project.studio.annotate(project.task_ids[0], "siren")
    project.studio.annotate(project.task_ids[1], "other")
    project.read()
    project.studio.take_back(first)
    assert [one.task_id for one in project.read()] == [project.task_ids[1]]
    assert annotators(project.store, project.project_id)[0]["n_clips"] == 1


def test_where_much_has_changed_everything_is_read(project):
    project.studio.annotate(project.task_ids[0], "siren")
    project.read()
    for task_id in project.task_ids[: CHANGED_AT_MOST + 1]:
        project.studio.annotate(task_id, "other", by=2)
    n_before = project.studio.n_exports
    labels = project.read()
    assert project.studio.n_exports == n_before + 1
    assert labels == project.truth()


def test_another_question_is_read_from_all_annotations(project):
    project.studio.annotate(project.task_ids[0], "horn")
    assert [one.state for one in project.read()] == ["unreadable"]
    config = parse_label_config(label_config_xml(("siren", "horn"), multi_label=False))
    assert [one.labels for one in project.read(config=config)] == [{"horn"}]


def test_what_no_task_tells_of_is_read_when_all_of_it_is(project):
    number = project.studio.annotate(project.task_ids[0], "siren")
    project.studio.annotate(project.task_ids[1], "siren")
    project.read()
    del project.studio.annotations[number]  # and its task does not say so
    assert len(project.read()) == 2
    assert len(project.read(whole=True)) == 1


def test_a_reading_that_fails_leaves_nothing_half_read(project):
    project.studio.annotate(project.task_ids[0], "siren")
    project.read()
    project.studio.annotate(project.task_ids[1], "other")
    project.studio.breaks_at = "/api/tasks"
    with pytest.raises(Exception, match="out of order"):
        project.read()
    project.studio.breaks_at = None
    assert project.read() == project.truth()


@pytest.fixture
def hasty_threads():
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval_s)


@pytest.mark.slow
def test_rounds_of_more_projects_than_are_kept_may_read_at_once(
    project, monkeypatch, hasty_threads
):
    nothing = annotation_cache._Held(CONFIG, {}, None)
    monkeypatch.setattr(project.annotated, "_read_whole", lambda *_: nothing)
    monkeypatch.setattr(project.annotated._annotators, "note", lambda *_: None)
    monkeypatch.setattr(annotation_cache, "note_unread", lambda *_: None)

    def read_often(project_id):
        for _ in range(20_000):
            assert project.annotated.read(project_id, CONFIG, whole=False) == []

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(read_often, range(6)))
