"""Clips are found in folders and tables, whatever their files are called."""

import unicodedata
from pathlib import Path

import pytest

from importer.scan import Clip, Refusal, scan
from ml_backend.errors import SourceError
from tests.sounds import tone, write, write_sparse

HARD_NAMES = [
    "two words.wav",
    "take #1.wav",
    "100%.wav",
    "rain & wind.wav",
    "Geräusch über Straße.wav",
    "x" * 196 + ".wav",
    'quote\'s "here".wav',
    "d=1&e=2?.wav",
]


def table(folder, text, name="clips.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


# --- folders ---


def test_a_folder_is_searched_to_its_depth_in_a_fixed_order(tmp_path):
    for name in ["b.wav", "a/z.FLAC", "a/y.ogg", "notes.txt", ".hidden/c.wav", "._b.wav"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [clip.file for clip in scan(tmp_path)] == ["a/y.ogg", "a/z.FLAC", "b.wav"]


@pytest.mark.parametrize("name", HARD_NAMES)
def test_a_file_may_have_any_name(tmp_path, name):
    write(tmp_path / name)
    (in_folder,) = scan(tmp_path)
    quoted = name.replace('"', '""')
    (in_table,) = scan(table(tmp_path, f'file,x\n"{quoted}",1\n'))
    assert in_folder.path == in_table.path == tmp_path / name
    assert in_folder.file == in_table.file == name


def test_each_file_of_a_folder_is_a_recording_of_its_own(tmp_path):
    write(tmp_path / "day1/a.wav")
    write(tmp_path / "day2/a.wav")
    assert {clip.recording_id for clip in scan(tmp_path)} == {"day1/a.wav", "day2/a.wav"}


def test_a_name_in_no_known_encoding_is_shown_readably(tmp_path):
    path = Path(str(tmp_path) + "/caf\udce9.wav")
    path.touch()
    (clip,) = scan(tmp_path)
    assert clip.path == path
    assert clip.file == "caf\ufffd.wav"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda folder: folder, "holds no audio files"),
        (lambda folder: folder / "gone", "no such folder or table"),
        (lambda folder: table(folder, "words", "notes.txt"), "neither a folder nor a table"),
        (lambda folder: folder / ("long" * 99), "cannot be read"),
    ],
)
def test_a_source_that_holds_no_clips_is_refused(tmp_path, make, reason):
    with pytest.raises(SourceError, match=reason):
        scan(make(tmp_path))


# --- tables ---


@pytest.mark.parametrize("name", ["file", "Filename", "PATH", "audio", "slice_file_name"])
def test_the_file_column_is_found_by_name(tmp_path, name):
    write(tmp_path / "a.wav")
    (clip,) = scan(table(tmp_path, f"id,{name}\n7,a.wav\n"))
    assert clip.path == tmp_path / "a.wav"
    assert clip.metadata == {"id": 7}


def test_a_table_without_a_file_column_says_which_columns_it_has(tmp_path):
    with pytest.raises(SourceError, match=r"it has site, weather\. .*--file-column"):
        scan(table(tmp_path, "site,weather\nA,rain\n"))


def test_a_chosen_column_is_taken_and_a_wrong_one_refused(tmp_path):
    write(tmp_path / "a.wav")
    source = table(tmp_path, "file,tape\nx.wav,a.wav\n")
    assert scan(source, file_column="tape")[0].metadata == {"file": "x.wav"}
    with pytest.raises(SourceError, match=r"no column 'tap'; it has file, tape"):
        scan(source, file_column="tap")


def test_columns_that_give_the_answer_away_are_left_out_unless_asked_for(tmp_path):
    write(tmp_path / "a.wav")
    source = table(tmp_path, "file,Label,classID,class_id,salience\na.wav,siren,8,8,1\n")
    assert scan(source)[0].metadata == {"salience": 1}
    assert scan(source, exclude_columns=())[0].metadata["Label"] == "siren"


def test_clips_of_one_recording_share_its_id_as_text(tmp_path):
    write(tmp_path / "a.wav")
    source = table(tmp_path, "file,recording_id,tape\na.wav,101415,T1\n")
    (clip,) = scan(source)
    assert (clip.recording_id, clip.metadata) == ("101415", {"tape": "T1"})
    (clip,) = scan(source, recording_column="tape")
    assert (clip.recording_id, clip.metadata) == ("T1", {"recording_id": 101415, "tape": "T1"})


def test_missing_files_and_rows_without_a_file_are_refused_one_by_one(tmp_path):
    write(tmp_path / "a.wav")
    found = scan(table(tmp_path, "file,x\ngone.wav,1\na.wav,2\n,3\n"))
    assert [type(one) for one in found] == [Refusal, Clip, Refusal]
    assert (found[0].file, found[0].reason) == (
        "gone.wav",
        f"there is no such file below {tmp_path}.",
    )
    assert found[2].file == "clips.csv, row 3"


@pytest.mark.parametrize("name", ["../secret.wav", "a/../../secret.wav", "/etc/hostname"])
def test_a_path_that_leaves_its_root_is_refused(tmp_path, name):
    write(tmp_path / "secret.wav")
    (tmp_path / "data").mkdir()
    (refusal,) = scan(table(tmp_path / "data", f"file\n{name}\n"))
    assert refusal.reason.startswith(f"lies outside {tmp_path / 'data'}. ")
    assert "--root" in refusal.reason


def test_a_table_of_ones_own_may_name_files_anywhere(tmp_path):
    elsewhere = write(tmp_path / "elsewhere/a.wav")
    (tmp_path / "tables").mkdir()
    source = table(tmp_path / "tables", f"file\n{elsewhere}\n{elsewhere}.gone\n../up.wav\n")
    clip, *refused = scan(source, takes_any_path=True)
    assert clip.path == elsewhere
    assert ["no such file" in refused[0].reason, "lies outside" in refused[1].reason] == [True] * 2
    assert "lies outside" in scan(source)[0].reason


def test_a_root_may_lie_elsewhere_and_bare_names_are_found_below_it(tmp_path):
    write(tmp_path / "audio/fold1/a.wav")
    write(tmp_path / "audio/fold1/b.wav")
    write(tmp_path / "audio/fold2/b.wav")
    (tmp_path / "metadata").mkdir()
    source = table(tmp_path / "metadata", f"file\na.wav\nb.wav\n{tmp_path}/audio/fold2/b.wav\n")

    bare, ambiguous, absolute = scan(source, root=tmp_path / "audio")

    assert bare.path == tmp_path / "audio/fold1/a.wav"
    assert "2 files below" in ambiguous.reason
    assert absolute.path == tmp_path / "audio/fold2/b.wav"


@pytest.mark.parametrize(("on_disk", "in_table"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_umlauts_are_found_however_they_are_composed(tmp_path, on_disk, in_table):
    path = write(tmp_path / unicodedata.normalize(on_disk, "Bär.wav"))
    (clip,) = scan(table(tmp_path, f"file\n{unicodedata.normalize(in_table, 'Bär.wav')}\n"))
    assert clip.path == path
    assert clip.file == unicodedata.normalize("NFC", "Bär.wav")


def test_a_table_written_on_windows_is_understood(tmp_path):
    write(tmp_path / "day1/a.wav")
    (clip,) = scan(table(tmp_path, "file\nday1\\a.wav\n"))
    assert clip.path == tmp_path / "day1/a.wav"


def test_an_impossible_file_name_is_refused_alone(tmp_path):
    (refusal,) = scan(table(tmp_path, f"file\n{'x' * 5000}.wav\n"))
    assert "is no usable file name" in refusal.reason


@pytest.mark.slow
def test_real_clips_keep_their_recordings_and_metadata(shared):
    found = scan(shared / "data/us8k_dev/metadata.csv")
    assert len(found) == 1260
    assert len({clip.recording_id for clip in found}) == 198
    assert set(found[0].metadata) == {
        "fold", "start_s", "end_s", "salience", "duration_s", "event_duration_s",
    }  # fmt: skip


# --- windows ---


def test_windows_share_the_recording_and_the_metadata_of_their_file(tmp_path):
    write(tmp_path / "a.wav", tone(1.0))
    first, second = scan(table(tmp_path, "file,site\na.wav,A\n"), window_s=0.5)
    assert (first.onset_s, second.onset_s, second.duration_s) == (0.0, 0.5, 0.5)
    assert first.recording_id == second.recording_id == "a.wav"
    assert second.metadata == {"site": "A"}
    assert second.span == " 0.5–1 s"


def test_three_hours_are_cut_from_the_header_alone(tmp_path):
    write_sparse(tmp_path / "night.wav", 3 * 3600)
    assert len(scan(tmp_path, window_s=4.0)) == 2700


def test_a_file_that_cannot_be_cut_is_refused_alone(tmp_path):
    (tmp_path / "bad.wav").write_text("words")
    write(tmp_path / "good.wav")
    refusal, clip = scan(tmp_path, window_s=4.0)
    assert refusal.file == "bad.wav"
    assert refusal.reason.startswith("is no audio that can be read")
    assert clip.file == "good.wav"


def test_a_header_that_promises_a_thousand_years_is_refused_not_cut(tmp_path):
    content = bytearray(write(tmp_path / "a.flac", tone(1.0)).read_bytes())
    content[18:21] = (1 << 4).to_bytes(3, "big")  # STREAMINFO: one sample a second,
    content[21:26] = b"\xff" * 5  # 2 ** 36 - 1 of them
    (tmp_path / "a.flac").write_bytes(content)
    (refusal,) = scan(tmp_path, window_s=4.0)
    assert "its header promises" in refusal.reason


@pytest.mark.parametrize(
    ("window_s", "hop_s", "reason"),
    [(None, 2.0, "without a window"), (0.01, None, "window of 0.01 s"), (1.0, 0.0, "hop of 0 s")],
)
def test_impossible_windows_are_refused(tmp_path, window_s, hop_s, reason):
    with pytest.raises(SourceError, match=reason):
        scan(tmp_path, window_s=window_s, hop_s=hop_s)
