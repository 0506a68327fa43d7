"""What somebody deleted from a project is not brought back by the next import, unless asked for."""

import httpx
import pytest

from importer import push
from importer.commands.output import tell_import
from importer.known import Known
from importer.push import push_clips
from importer.scan import scan
from importer.serving import LocalFiles
from ml_backend.errors import LabelStudioError
from tests.pushing import PROJECT, Studio, ten_sounds
from tests.sounds import noise, write


@pytest.fixture
def studio():
    return Studio()


@pytest.fixture
def source(tmp_path):
    return ten_sounds(tmp_path / "in")


@pytest.fixture
def run(studio, source, tmp_path, monkeypatch):
    monkeypatch.setattr(push, "BATCH_SIZE", 4)

    def run(**how):
        how.setdefault("made_at", "2026-01-01T00:00:00.5Z")
        how.setdefault("data_dir", tmp_path / "data")
        return push_clips(
            studio.client(),
            PROJECT,
            scan(source),
            files_dir=tmp_path / "files",
            serving=LocalFiles(tmp_path),
            n_workers=1,
            **how,
        )

    return run


def counts(summary):
    return summary.added, summary.skipped, summary.deleted


def delete(studio, *names):
    studio.tasks = [task for task in studio.tasks if task["data"]["clip"] not in names]


def test_deleted_clips_stay_away_however_often_it_is_run(run, studio, source):
    assert counts(run()) == (10, 0, 0)
    delete(studio, "2.wav", "7.wav")
    for _ in range(2):
        assert counts(run()) == (0, 8, 2)
    write(source / "new.wav", noise(0.1, seed=99))
    assert counts(run()) == (1, 8, 2)
    assert sorted(studio.clips) == sorted(
        ["new.wav", *(f"{i}.wav" for i in range(10) if i not in (2, 7))]
    )


def test_they_come_back_when_asked_for_and_may_be_deleted_again(run, studio):
    run()
    delete(studio, "2.wav")
    assert counts(run(again_deleted=True)) == (1, 9, 0)
    assert counts(run()) == (0, 10, 0)
    delete(studio, "2.wav")
    assert counts(run()) == (0, 9, 1)


def test_what_an_interrupted_import_did_not_bring_is_not_taken_for_deleted(run, studio):
    studio.fails_at_batch = 2
    with pytest.raises(LabelStudioError):
        run()
    studio.fails_at_batch = None
    delete(studio, "0.wav")
    assert counts(run()) == (6, 3, 1)


def test_a_batch_that_arrived_without_an_answer_is_known_from_the_project(run, studio):
    studio.fails_at_batch, studio.failure = 3, httpx.ReadTimeout("too late")
    with pytest.raises(LabelStudioError):
        run()
    studio.fails_at_batch = None
    run()
    delete(studio, "9.wav")
    assert counts(run()) == (0, 9, 1)


def test_what_was_there_before_the_first_import_here_is_known_once_it_was_seen(
    run, studio, tmp_path
):
    run(data_dir=tmp_path / "elsewhere")
    assert counts(run()) == (0, 10, 0)
    delete(studio, "3.wav")
    assert counts(run()) == (0, 9, 1)


def test_another_project_with_the_same_number_has_lost_nothing(run, studio):
    run()
    studio.tasks = []
    assert counts(run(made_at="2026-02-02T00:00:00.5Z")) == (10, 0, 0)
    delete(studio, "1.wav")
    assert counts(run(made_at="2026-02-02T00:00:00.5Z")) == (0, 9, 1)


def test_a_torn_line_is_no_clip_and_spoils_no_other(tmp_path):
    path = tmp_path / "known.txt"
    Known(path, "noon").add(["ab12", "cd34"])
    path.write_text(path.read_text()[:-3])
    Known(path, "noon").add(["ef56"])
    known = Known(path, "noon")
    assert [one in known for one in ("ab12", "cd34", "ef56")] == [True, False, True]
    assert "ab12" not in Known(path, "midnight")


def test_whoever_imports_is_told_how_many_were_left_out_and_how_to_bring_them_back(capsys):
    summary = {
        "n_clips": 8, "added": 0, "skipped": 8, "deleted": 2, "duplicates": [], "renamed": {},
        "refused": [], "seconds": 1.0, "report": None,
    }  # fmt: skip
    tell_import(summary)
    said = capsys.readouterr().out
    assert "2 clips were left out because somebody deleted them" in said
    assert "--again-deleted" in said
