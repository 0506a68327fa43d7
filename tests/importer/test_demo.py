"""A demo keeps its settings, and is ready when Label Studio serves a clip of its order."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from importer.cli import app
from importer.commands.serve import check_labels
from importer.demo.running import has_embedder, has_order, recall, remember, serves
from ml_backend.clip import Task
from ml_backend.errors import SettingsError
from ml_backend.label_studio.label_config import label_config_xml
from ml_backend.settings.env_file import read_env_file
from ml_backend.store import open_store
from tests.fake_label_studio import FakeLabelStudio


@pytest.fixture(autouse=True)
def nothing_exported(monkeypatch):
    for name in [name for name in os.environ if name.startswith(("EARMARK_", "LABEL_STUDIO_"))]:
        monkeypatch.delenv(name)


def quiet(message):
    pass


def test_a_demo_goes_on_with_the_settings_it_had_before(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("weights").mkdir()
    monkeypatch.setenv("EARMARK_WEIGHTS", "weights")
    monkeypatch.setenv("EARMARK_NAMES", "siren=Siren|Police car (siren)")
    monkeypatch.setenv("EARMARK_STRATEGY", "random")
    monkeypatch.setenv("EARMARK_AUDIT_SHARE", "0.2")
    first = recall(tmp_path, quiet)
    remember(tmp_path, first, embedder="melstats", project=3)
    for name in ("WEIGHTS", "NAMES", "STRATEGY", "AUDIT_SHARE"):
        monkeypatch.delenv(f"EARMARK_{name}")
    monkeypatch.chdir("/")
    told = []
    again = recall(tmp_path, told.append)
    assert again == replace(
        first, embedder="melstats", project=3, weights=(tmp_path / "weights").absolute()
    )
    assert "EARMARK_EMBEDDER=melstats" in told[0]
    assert "EARMARK_NAMES=siren=Siren|Police car (siren)" in told[0]
    monkeypatch.setenv("EARMARK_EMBEDDER", "mn04")
    assert recall(tmp_path, quiet).embedder == "mn04"


def test_a_demo_is_its_own_whatever_is_exported_for_another_label_studio(tmp_path, monkeypatch):
    monkeypatch.setenv("LABEL_STUDIO_URL", "https://elsewhere.test")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "a-token-of-elsewhere")
    monkeypatch.setenv("EARMARK_DATABASE_URL", "postgresql+psycopg://elsewhere/earmark")
    monkeypatch.setenv("EARMARK_SECRET", "a secret of elsewhere")
    told = []
    settings = recall(tmp_path, told.append)
    assert "elsewhere" not in repr(settings.to_env())
    assert told == []
    assert list(tmp_path.iterdir()) == []


def test_no_secret_is_told_among_the_settings(tmp_path):
    told = []
    remember(tmp_path, recall(tmp_path, quiet), secret="hidden-0123", api_key="hidden-4567")
    recall(tmp_path, told.append)
    assert "hidden" not in repr(told)


@pytest.mark.parametrize(
    ("worker", "expected"),
    [(None, False), ({"state": "starting"}, False), ({"state": "working"}, True)],
)
def test_the_embedder_of_the_last_run_is_not_taken_for_the_one_that_loads(worker, expected):
    assert has_embedder({"embedder": "melstats-2", "worker": worker}) is expected
    assert not has_embedder({"embedder": None, "worker": worker})


def test_a_demo_with_another_embedder_stops_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / ".demo"
    folder.mkdir()
    settings = remember(folder, recall(folder, quiet), embedder="melstats")
    settings.data_dir.mkdir()
    store = open_store(settings.store_url)
    store.clips.replace_tasks(1, [Task(1, "key", "/a.wav")])
    embeddings = np.zeros((1, 4), np.float32)
    store.clips.add_embeddings("mn04-aaaaaaaa", ["key"], embeddings)
    store.facts.write("embedder", {"embedder_id": "mn04-aaaaaaaa", "warning": None})
    store.close()
    result = CliRunner().invoke(app, ["demo"])
    assert result.exit_code == 1
    assert "1 clips are embedded by mn04-aaaaaaaa" in result.stderr
    assert "--change-embedder" in result.stderr
    assert read_env_file(folder / "earmark.env")["EARMARK_EMBEDDER"] == "melstats"
    assert not (folder / "label-studio").exists()


@pytest.mark.parametrize(
    ("version", "n_published", "n_ranked", "expected"),
    [
        (None, 0, 0, False),  # all clips are embedded, and none is in an order yet
        ("v", 0, 300, False),
        ("v", 200, 300, True),
        ("v", 0, 0, True),  # all are labeled
    ],
)
def test_an_order_is_there_when_it_is_published(version, n_published, n_ranked, expected):
    project = {"model_version": version, "n_published": n_published, "n_ranked": n_ranked}
    assert has_order(project) is expected


class Served:
    """A Label Studio whose next clip has predictions of these versions."""

    def __init__(self, current, *versions, n_annotated=0, is_blind=False):
        self._project = {
            "model_version": current,
            "num_tasks_with_annotations": n_annotated,
            "show_collab_predictions": not is_blind,
        }
        self._versions = versions

    def project(self, project_id):
        return self._project

    def next_task(self, project_id):
        return {"predictions": [{"model_version": one} for one in self._versions]}


@pytest.mark.parametrize(
    ("studio", "expected"),
    [
        (Served("v", "v"), True),
        (Served(None, "v"), False),
        (Served("older", "v"), False),
        (Served("v"), False),
        (Served("v", "older"), False),
        (Served("v", "older", n_annotated=1), True),
        (Served("v", is_blind=True), True),
    ],
)
def test_somebody_can_label_when_the_next_clip_comes_with_the_versions_prediction(studio, expected):
    assert serves(studio, 1, "v") is expected


def test_other_labels_on_what_is_there_are_refused_with_the_command_that_changes_them(tmp_path):
    studio = FakeLabelStudio()
    assert check_labels(studio.client(), "Street", ("a", "b"), tmp_path)
    project_id = studio.add_project(label_config_xml(("siren", "other"), multi_label=False))
    before = dict(studio.projects[project_id])
    for same in ((), ("siren", "other"), ("other", "siren")):
        assert not check_labels(studio.client(), "Street", same, tmp_path)
    with pytest.raises(SettingsError, match="asks for siren, other, not for car horn, b") as caught:
        check_labels(studio.client(), "Street", ("car horn", "b"), tmp_path)
    command = f"setup --project {project_id} --labels 'car horn,b' --replace"
    assert command in str(caught.value)
    assert f"EARMARK_ENV_FILE={tmp_path}" in str(caught.value)
    assert studio.projects[project_id] == before
