"""An import adds every clip once, whatever happens on the way."""

import csv
import os

import httpx
import numpy as np
import pytest

from importer import push
from importer.ledger import Ledger
from importer.prepare import PreparedClip
from importer.push import Duplicate, push_clips
from importer.scan import Clip, scan
from importer.serving import BaseUrl, LocalFiles, Upload
from ml_backend.errors import (
    LabelConfigError,
    LabelStudioError,
    LabelStudioUnreachableError,
    SettingsError,
)
from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio import connection as label_studio_connection
from tests.pushing import PROJECT, Studio, ten_sounds
from tests.sounds import noise, write


@pytest.fixture
def studio():
    return Studio()


@pytest.fixture
def source(tmp_path):
    return ten_sounds(tmp_path / "in")


@pytest.fixture
def run(studio, tmp_path, monkeypatch):
    monkeypatch.setattr(push, "BATCH_SIZE", 4)
    monkeypatch.setattr(label_studio_connection, "RETRY_PAUSES_S", (0.0, 0.0))

    def run(clips, **how):
        how.setdefault("serving", LocalFiles(tmp_path))
        return push_clips(
            studio.client(),
            PROJECT,
            clips,
            files_dir=tmp_path / "files",
            data_dir=tmp_path / "data",
            n_workers=1,
            **how,
        )

    return run


def test_every_clip_is_added_in_order_and_in_batches(run, studio, source):
    summary = run(scan(source))
    assert (summary.added, summary.skipped, summary.refused) == (10, 0, [])
    assert studio.clips == [f"{i}.wav" for i in range(10)]
    assert studio.n_batches == 3


def test_an_address_leads_to_the_prepared_files(run, studio, source, tmp_path):
    run(scan(source))
    data = studio.tasks[0]["data"]
    for name, suffix in (("audio", ".wav"), ("spectrogram", ".png")):
        prefix, _, path = data[name].partition("?d=")
        assert prefix == "/data/local-files/"
        assert path.endswith(data["content_hash"] + suffix)
        assert (tmp_path / path).is_file()


def test_a_second_run_adds_nothing_and_decodes_nothing(run, studio, source, monkeypatch):
    run(scan(source))
    monkeypatch.setattr(push, "prepare_in_parallel", lambda clips, *_: iter_of(clips))
    summary = run(scan(source))
    assert (summary.added, summary.skipped) == (0, 10)
    assert len(studio.tasks) == 10


def iter_of(clips):
    assert clips == []
    yield from ()


def test_only_what_is_new_or_changed_is_added(run, studio, source):
    run(scan(source))
    write(source / "new.wav", noise(0.1, seed=98))
    write(source / "3.wav", noise(0.15, seed=99))
    summary = run(scan(source))
    assert (summary.added, summary.skipped) == (2, 9)
    assert studio.clips[10:] == ["3.wav", "new.wav"]


def test_a_file_of_the_same_size_that_was_written_later_is_prepared_again(run, studio, source):
    run(scan(source))
    before = (source / "3.wav").stat()
    write(source / "3.wav", noise(0.1, seed=99))
    assert (source / "3.wav").stat().st_size == before.st_size
    os.utime(source / "3.wav", ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert run(scan(source)).added == 1
    assert studio.clips[10:] == ["3.wav"]


def test_the_same_sound_twice_is_added_once_and_told(run, studio, source):
    write(source / "copy of 4.flac", (noise(0.1, seed=4) * 32768).astype(np.int16))
    write(source / "4.wav", (noise(0.1, seed=4) * 32768).astype(np.int16))
    summary = run(scan(source))
    assert summary.added == 10
    assert summary.duplicates == [Duplicate("copy of 4.flac", "4.wav")]


def test_a_table_that_names_a_file_twice_adds_it_once(run, studio, source):
    (source / "clips.csv").write_text("file,x\n1.wav,1\n1.wav,2\n")
    summary = run(scan(source / "clips.csv"))
    assert (summary.added, len(summary.duplicates)) == (1, 1)


def test_refused_clips_are_reported_and_stop_no_other(run, studio, source, tmp_path):
    (source / "5.wav").write_text("words")
    write(source / "6.wav", np.zeros((4000, 1)))
    (source / "clips.csv").write_text(
        "file\n" + "".join(f"{i}.wav\n" for i in range(10)) + "gone.wav\n../out.wav\n"
    )

    summary = run(scan(source / "clips.csv"))

    assert summary.added == 8
    with summary.report_path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ["5.wav", "6.wav", "gone.wav", "../out.wav"]
    words = ["no audio", "silent", "no such file", "outside"]
    assert all(word in row["reason"] for word, row in zip(words, rows, strict=True))

    write(source / "5.wav", noise(0.1, seed=50))
    assert run(scan(source)[5:6]).report_path is None
    assert not (tmp_path / f"data/refused-{PROJECT}.csv").exists()


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx.Response(500, json={"detail": "out of order"}), LabelStudioError),
        (httpx.ConnectError("refused"), LabelStudioUnreachableError),
        (httpx.ReadTimeout("slow"), LabelStudioUnreachableError),
    ],
)
def test_label_studio_going_down_loses_nothing(run, studio, source, failure, kind):
    studio.fails_at_batch, studio.failure = 3, failure
    with pytest.raises(kind, match=r"8 of 10 clips were added before that; run the same import"):
        run(scan(source))
    assert len(studio.tasks) == 8

    studio.fails_at_batch = None
    summary = run(scan(source))
    assert (summary.added, summary.skipped) == (2, 8)
    assert studio.clips == [f"{i}.wav" for i in range(10)]


def test_an_answer_that_was_lost_does_not_add_its_batch_twice(run, studio, source):
    answer = studio.__call__

    def lose_the_first_batch(request):
        response = answer(request)
        if studio.n_batches == 1 and request.method == "POST":
            raise httpx.ReadError("connection lost")
        return response

    studio.client = lambda: LabelStudio(
        "http://studio.test", "t" * 40, transport=httpx.MockTransport(lose_the_first_batch)
    )
    with pytest.raises(LabelStudioUnreachableError):
        run(scan(source))
    summary = run(scan(source))
    assert (summary.added, summary.skipped) == (6, 4)


def test_an_interrupted_run_is_gone_on_with(run, studio, source, tmp_path):
    def interrupt(n_done, n_total):
        if n_done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(scan(source), on_progress=interrupt)
    assert len(studio.tasks) == 4
    assert len((tmp_path / "data/prepared.jsonl").read_text().splitlines()) == 7

    assert run(scan(source)).added == 6


def test_progress_counts_every_clip_that_has_an_answer(run, source):
    (source / "5.wav").write_text("words")
    told = []
    run(scan(source), on_progress=lambda n_done, n_total: told.append((n_done, n_total)))
    assert told == [(i, 10) for i in range(1, 11)]


def test_renamed_columns_are_told(run, studio, source):
    (source / "clips.csv").write_text("file,id,audio,site\n1.wav,77,loud,A\n")
    summary = run(scan(source / "clips.csv"))
    assert summary.renamed == {"id": "meta_id", "audio": "meta_audio"}
    data = studio.tasks[0]["data"]
    assert (data["meta_id"], data["meta_audio"], data["site"]) == (77, "loud", "A")


def test_values_that_are_missing_are_absent_from_the_task(run, studio, source):
    (source / "clips.csv").write_text("file,level_db\n1.wav,NaN\n2.wav,-3.5\n")
    run(scan(source / "clips.csv"))
    assert ["level_db" in task["data"] for task in studio.tasks] == [False, True]


def test_tasks_that_earmark_did_not_make_are_left_alone(run, studio, source):
    studio.tasks.append({"id": 1, "data": {"audio": "/data/upload/1/a.wav"}})
    assert run(scan(source)).added == 10


def test_uploads_go_through_the_api(run, studio, source):
    summary = run(scan(source)[:1], serving=Upload(studio.client(), PROJECT))
    assert summary.added == 1
    assert studio.tasks[0]["data"]["audio"] == f"/data/upload/{PROJECT}/1-file"
    assert [b"RIFF" in studio.uploads[1], b"PNG" in studio.uploads[2]] == [True, True]


OWN_CONFIG = """
<View>
  <Audio name="audio" value="$sound"/><Text name="weather" value="$weather"/>
  <Choices name="c" toName="audio"><Choice value="siren"/><Choice value="other"/></Choices>
</View>"""


def test_a_field_that_the_label_config_shows_is_in_every_task(run, studio, source):
    clips = [
        Clip(source / "0.wav", "0.wav", "0", metadata={"weather": "rain"}),
        Clip(source / "1.wav", "1.wav", "1"),
    ]
    run(clips, label_config=OWN_CONFIG)
    datas = [task["data"] for task in studio.tasks]
    assert [data["weather"] for data in datas] == ["rain", ""]
    assert all(data["sound"] == data["audio"] for data in datas)


def test_a_field_that_no_clip_has_is_named_before_anything_is_prepared(
    run, studio, source, tmp_path
):
    with pytest.raises(LabelConfigError, match=r"\$weather, and no clip has that"):
        run(scan(source), label_config=OWN_CONFIG)
    assert studio.tasks == []
    assert not (tmp_path / "files/clips").exists()


def test_two_imports_into_one_project_do_not_add_the_same_clips(run, studio, source):
    refused = []

    def import_meanwhile(n_done, n_total):
        if n_done == 1:
            with pytest.raises(SettingsError, match="under way already"):
                run(scan(source))
            refused.append(n_done)

    run(scan(source), on_progress=import_meanwhile)
    assert refused == [1]
    assert len(studio.tasks) == 10
    assert run(scan(source)).skipped == 10


def test_a_base_url_serves_what_lies_in_the_files_folder(run, studio, source, tmp_path):
    run(scan(source)[:1], serving=BaseUrl("https://sounds.test/x", tmp_path / "files"))
    name = studio.tasks[0]["data"]["content_hash"]
    expected = f"https://sounds.test/x/clips/{name[:2]}/{name}.wav"
    assert studio.tasks[0]["data"]["audio"] == expected


def test_files_out_of_label_studios_sight_are_refused_before_anything_is_done(
    run, source, tmp_path
):
    with pytest.raises(SettingsError, match="does not lie below"):
        run(scan(source), serving=LocalFiles(tmp_path / "elsewhere"))
    assert not (tmp_path / "files").exists()


# --- the ledger ---


def known(clip):
    return PreparedClip(clip, "ab" * 16, 1.0)


@pytest.fixture
def clip(tmp_path):
    for suffix in ("wav", "png"):
        (tmp_path / "clips/ab").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"clips/ab/{'ab' * 16}.{suffix}").touch()
    return Clip(write(tmp_path / "ä.wav"), "ä.wav", "ä.wav")


def test_a_torn_last_line_costs_only_that_line(tmp_path, clip):
    path = tmp_path / "prepared.jsonl"
    with Ledger(path) as ledger:
        ledger.add(known(clip))
    whole = path.read_text()
    path.write_text(whole + whole[: len(whole) // 2])

    other = Clip(clip.path, clip.file, clip.recording_id, 1.0, 2.0)
    with Ledger(path) as ledger:
        assert ledger.find(clip, tmp_path) == known(clip)
        ledger.add(known(other))
    with Ledger(path) as ledger:
        assert ledger.find(clip, tmp_path) == known(clip)
        assert ledger.find(other, tmp_path) == known(other)


def test_a_changed_file_another_window_or_a_lost_result_are_not_known(tmp_path, clip):
    with Ledger(tmp_path / "prepared.jsonl") as ledger:
        ledger.add(known(clip))
        assert ledger.find(Clip(clip.path, "ä.wav", "ä.wav", 0.0, 4.0), tmp_path) is None
        assert ledger.find(clip, tmp_path / "other") is None
        write(clip.path, noise(0.3))
        assert ledger.find(clip, tmp_path) is None
