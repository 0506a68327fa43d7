"""A task carries what annotators see and what the Data Manager sorts by."""

from pathlib import Path

import pytest

from importer.prepare import PreparedClip
from importer.scan import Clip
from importer.serving import BaseUrl, LocalFiles
from importer.task import RESERVED, build_task, data_names
from ml_backend.errors import SettingsError


def task_data(**how):
    clip = Clip(Path("/in/a.wav"), how.pop("file", "a.wav"), "R1", **how)
    names = data_names(clip.metadata)
    task = build_task(PreparedClip(clip, "0f" * 16, 4.0), audio="A", spectrogram="S", names=names)
    return task["data"]


def test_a_task_has_every_field_that_the_backend_and_the_page_read():
    assert task_data(onset_s=8.0, duration_s=4.0) == {
        "audio": "A",
        "spectrogram": "S",
        "clip": "a.wav 8–12 s",
        "recording_id": "R1",
        "onset_s": 8.0,
        "duration_s": 4.0,
        "content_hash": "0f" * 16,
        "meta": {"clip": "a.wav 8–12 s"},
    }


def test_metadata_keep_their_types_and_are_shown_in_a_table():
    data = task_data(metadata={"salience": 1, "level_db": -3.5, "wet": True, "site": "A"})
    assert (data["salience"], data["level_db"], data["wet"], data["site"]) == (1, -3.5, True, "A")
    assert data["meta"] == {
        "clip": "a.wav",
        "salience": 1,
        "level_db": -3.5,
        "wet": "yes",
        "site": "A",
    }


@pytest.mark.parametrize("file", ["siren/a.wav", "siren\\a.wav"])
def test_the_folder_that_may_give_the_answer_away_is_not_shown(file):
    data = task_data(file=file)
    assert data["clip"] == data["meta"]["clip"] == "a.wav"


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_column_with_a_reserved_name_is_renamed_and_hides_nothing(name):
    data = task_data(metadata={name: "mine"})
    assert data["meta_" + name] == "mine"
    assert data["meta"][name] == "mine"
    assert data.get(name) != "mine"


def test_renamed_columns_never_meet():
    names = data_names(["audio", "meta_audio", "meta", "meta_meta", "weather"])
    assert len(set(names.values())) == 5
    assert not RESERVED & set(names.values())
    assert names["meta_audio"] == "meta_audio"


@pytest.mark.parametrize(
    ("name", "quoted"),
    [("a b", "a%20b"), ("a#b", "a%23b"), ("a%b", "a%25b"), ("a&b", "a%26b"), ("ä", "%C3%A4")],
)
def test_addresses_are_quoted(name, quoted):
    path = Path("/root") / name / "x.wav"
    assert LocalFiles(Path("/root")).address(path) == f"/data/local-files/?d={quoted}/x.wav"
    assert (
        BaseUrl("http://h/files/", Path("/root")).address(path) == f"http://h/files/{quoted}/x.wav"
    )


def test_files_that_label_studio_cannot_see_are_refused():
    with pytest.raises(SettingsError, match="does not lie below /root"):
        LocalFiles(Path("/root")).address(Path("/root/../elsewhere/x.wav"))
