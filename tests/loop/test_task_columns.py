"""What the model says of each clip stands in columns of the Data Manager; nothing else moves."""

import numpy as np
import pytest

from importer.setup.data_manager_tab import CLIP_COLUMN_TYPES
from importer.task import data_names
from ml_backend.clip import MODEL_COLUMNS, clip_key, told
from ml_backend.label_studio.label_config import label_config_xml
from ml_backend.loop import background as rest_module
from ml_backend.loop import task_columns
from ml_backend.metadata.columns import Columns
from tests.loop.test_background import HEAD, N_CLIPS, QUIET_S

pytestmark = pytest.mark.slow

CLASS, PROBABILITY, ENTROPY, VERSION = MODEL_COLUMNS


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(rest_module, "PIECE", HEAD)


def learn(street, n_labels=6):
    for place, task_id in enumerate(street.task_ids[:n_labels]):
        street.studio.annotate(task_id, ("siren", "other")[place % 2])
    street.hint()
    street.round()


def rest(street):
    street.now += QUIET_S
    street.go_on_to_the_end()


def columns(street):
    return {
        task_id: {name: street.studio.tasks[task_id]["data"].get(name) for name in MODEL_COLUMNS}
        for task_id in street.task_ids
    }


def n_writes(street):
    return sum(path == "/api/dm/actions" for _, path in street.studio.calls)


def test_every_clip_tells_what_its_prediction_tells(street):
    learn(street)
    rest(street)
    said = columns(street)
    assert len(street.current) == N_CLIPS
    for prediction in street.current:
        figures, choice = prediction["result"][0], prediction["result"][-1]
        row = said[prediction["task"]]
        assert [row[CLASS]] == choice["value"]["choices"]
        assert row[PROBABILITY] == pytest.approx(choice["score"], abs=0.0051)
        assert row[ENTROPY] == pytest.approx(figures["meta"]["entropy"], abs=0.0051)
        assert row[VERSION] == street.version


def test_of_several_labels_all_that_are_predicted_are_named(street):
    project = street.studio.projects[street.project_id]
    project["label_config"] = label_config_xml(("siren", "other"), multi_label=True)
    for place, task_id in enumerate(street.task_ids[:8]):
        street.studio.annotate(
            task_id, *(("siren",), ("other",), ("siren", "other"), ())[place % 4]
        )
    street.hint()
    street.round()
    rest(street)
    said = columns(street)
    offsets = street.store.versions.find(street.project_id, street.version).classifier["offsets"]
    thresholds = dict(zip(("siren", "other"), 1 / (1 + np.exp(offsets)), strict=True))
    for prediction in street.current:
        meta = prediction["result"][0]["meta"]["probabilities"]
        present = [name for name, probability in meta.items() if probability >= thresholds[name]]
        row = said[prediction["task"]]
        assert row[CLASS] == (", ".join(present) or "none")
        expected = min(meta[name] for name in present) if present else max(meta.values())
        assert row[PROBABILITY] == pytest.approx(expected, abs=0.0051)


def test_nothing_of_the_users_data_changes_and_clips_stay_the_same_clips(street):
    before = {task_id: dict(task["data"]) for task_id, task in street.studio.tasks.items()}
    learn(street)
    rest(street)
    for task_id, task in street.studio.tasks.items():
        data = task["data"]
        assert {n: v for n, v in data.items() if n not in MODEL_COLUMNS} == before[task_id]
        assert clip_key(data, data["audio"]) == clip_key(before[task_id], data["audio"])
        assert told(data, "audio") == told(before[task_id], "audio")
    version = street.version
    street.hint(tasks=True)
    assert street.round() == version
    rows = list(street.store.clips.data(street.project_id).values())
    assert len(rows) == N_CLIPS
    assert not set(Columns(rows)) & set(MODEL_COLUMNS)


def test_a_column_of_the_users_with_such_a_name_is_kept_under_another():
    assert data_names([ENTROPY]) == {ENTROPY: f"meta_{ENTROPY}"}


def test_the_numbers_are_sorted_as_numbers():
    assert {CLIP_COLUMN_TYPES[name] for name in (PROBABILITY, ENTROPY)} == {"Number"}


def test_only_what_changed_is_written_again(street):
    learn(street)
    rest(street)
    n_before = n_writes(street)
    street.hint(labels=False)
    street.round()
    rest(street)
    assert n_writes(street) == n_before
    annotation_id = street.label(street.task_ids[7], "siren")
    street.studio.take_back(annotation_id)
    street.hint()
    street.round()  # the same version again, and nothing of the other one was written
    street.restart()
    deletions = 2 * HEAD
    rest(street)
    assert n_writes(street) - n_before <= deletions
    assert {row[VERSION] for row in columns(street).values()} == {street.version}


def test_few_calls_are_made_for_many_clips(street, monkeypatch):
    learn(street)
    street.now += QUIET_S
    while not street.progress.is_whole:
        street.go_on()
    before = n_writes(street)
    street.go_on_to_the_end()
    said = columns(street).values()
    distinct = sum(len({row[name] for row in said}) for name in MODEL_COLUMNS)
    assert n_writes(street) - before == distinct
    monkeypatch.setattr(task_columns, "TASKS_AT_ONCE", 5)
    street.label(street.task_ids[9], "siren")
    rest(street)
    assert {row[VERSION] for row in columns(street).values()} == {street.version}


def test_block_by_block_a_row_that_shows_a_version_shows_it_in_all_columns(street, monkeypatch):
    monkeypatch.setattr(task_columns, "BLOCK", 8)
    learn(street)
    rest(street)
    street.label(street.task_ids[8], "siren")
    street.now += QUIET_S
    wanted = None
    seen = set()
    while street.go_on():
        choices = {one["task"]: one["result"][-1] for one in street.current}
        rows = {t: row for t, row in columns(street).items() if row[VERSION] == street.version}
        for task_id, row in rows.items():
            wanted = choices[task_id]
            assert row[PROBABILITY] == pytest.approx(wanted["score"], abs=0.0051)
        seen.add(len(rows))
    assert {0, 8, 16, N_CLIPS} <= seen


@pytest.mark.parametrize("n_calls", [1, 4])
@pytest.mark.parametrize("is_killed", [False, True])
def test_stopped_halfway_and_led_back_to_the_version_before_nothing_of_the_other_stays(
    street, monkeypatch, n_calls, is_killed
):
    monkeypatch.setattr(task_columns, "BLOCK", 20)
    learn(street)
    rest(street)
    before = columns(street)
    annotation_ids = [street.label(one, "siren") for one in street.task_ids[8:16]]
    street.now += QUIET_S
    while not street.progress.is_whole:
        street.go_on()
    for _ in range(n_calls):
        street.go_on()
    assert columns(street) != before
    for one in annotation_ids:
        street.studio.take_back(one)
    street.hint()
    street.round()
    if is_killed:
        street.restart()
    rest(street)
    assert columns(street) == before


def test_a_blind_project_tells_nothing_and_takes_back_what_it_told(street):
    learn(street)
    rest(street)
    street.studio.projects[street.project_id]["show_collab_predictions"] = False
    street.hint(labels=False)
    street.label(street.task_ids[8], "siren")
    rest(street)
    assert all(not any(row.values()) for row in columns(street).values())


def test_a_project_that_becomes_blind_takes_its_columns_back_without_a_new_label(street):
    learn(street)
    rest(street)
    before = columns(street)
    for is_shown in (False, True):
        street.studio.projects[street.project_id]["show_collab_predictions"] = is_shown
        street.hint(labels=False)
        street.round()
        rest(street)
        if not is_shown:
            assert all(not any(row.values()) for row in columns(street).values())
    assert columns(street) == before


def test_without_a_classifier_nothing_is_written_and_nothing_stays(street):
    rest(street)
    assert n_writes(street) == 0
    learn(street)
    rest(street)
    for annotation_id in list(street.studio.annotations):
        street.studio.take_back(annotation_id)
    street.hint()
    street.round()
    rest(street)
    assert all(not any(row.values()) for row in columns(street).values())


def test_a_label_stops_it_at_once(street):
    learn(street)
    street.now += QUIET_S
    while not street.progress.is_whole:
        street.go_on()
    assert street.go_on()
    street.hint()
    before = n_writes(street)
    assert not street.go_on()
    assert n_writes(street) == before
