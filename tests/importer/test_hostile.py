"""A few hundred files with wrong headers: an import goes around each, and adds the good ones."""

import json

import pytest

from importer.parallel import prepare_in_parallel
from importer.prepare import PreparedClip
from importer.push import push_clips
from importer.scan import Clip, Refusal, scan
from importer.serving import LocalFiles
from ml_backend.embedders.melstats import MelStats
from ml_backend.loop.embed_clips import embed_files
from ml_backend.store import open_store
from tests.fake_label_studio import FakeLabelStudio
from tests.hostile import write_hostile
from tests.sounds import noise, write


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    write_hostile(folder)
    write(folder / "zz last.wav", noise(0.3, seed=9))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("n_workers", [1, 2])
def test_every_hostile_file_is_prepared_or_refused_with_a_reason(hostile, tmp_path, n_workers):
    clips = scan(hostile)
    answers = list(prepare_in_parallel(clips, tmp_path, n_workers))
    assert len(answers) == len(clips) > 600
    refused = [answer for answer in answers if isinstance(answer, Refusal)]
    assert len(refused) > 300
    assert all("crashes" not in one.reason and one.reason.endswith(".") for one in refused)
    seed = [one for one in answers if isinstance(one, PreparedClip) and "seed" in one.clip.file]
    assert len(seed) == 5


@pytest.mark.slow
def test_an_import_adds_the_good_clips_among_hostile_ones(hostile, tmp_path):
    studio = FakeLabelStudio()
    project_id = studio.add_project("<View/>")
    files = tmp_path / "files"
    for window in ({}, {"window_s": 60.0}):
        clips = scan(hostile, **window)
        summary = push_clips(
            studio.client(), project_id, clips, files_dir=files / "earmark",
            serving=LocalFiles(files), data_dir=tmp_path,
        )  # fmt: skip
        n_told = summary.added + summary.skipped + len(summary.duplicates) + len(summary.refused)
        assert n_told == len(clips)
    assert "zz last.wav" in json.dumps([task["data"] for task in studio.tasks.values()])


@pytest.mark.slow
def test_every_hostile_file_is_embedded_or_given_up_with_a_reason(hostile, tmp_path):
    paths = sorted(path for path in hostile.rglob("*.*") if path.is_file())
    store = open_store("sqlite://")
    keys = [str(number) for number in range(len(paths))]
    heard, embeddings, reasons = embed_files(store, MelStats(), keys, paths, lambda *_: None)
    assert len(heard) + len(reasons) == len(paths)
    assert len(embeddings) == len(heard) > 100
    assert all(reasons)
    store.close()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("lying/codec 65535.wav", "is no audio that can be read"),
        ("lying/channels 0.wav", "is damaged: its sound cannot be decoded"),
        ("levels/FLOAT 1e+38 one.wav", "its loudest sample is 1e+38; samples must be finite"),
        ("levels/FLOAT nan one.wav", "its loudest sample is nan; samples must be finite"),
    ],
)
def test_what_is_wrong_with_a_hostile_file_is_said(tmp_path, name, reason):
    write_hostile(tmp_path)
    (answer,) = prepare_in_parallel([Clip(tmp_path / name, "a.wav", "a.wav")], tmp_path, 1)
    assert answer.reason.startswith(reason)
