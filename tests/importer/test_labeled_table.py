"""Tables of clips whose labels are known: what is read, what is left out, what is refused."""

import csv
import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from importer.cli import app
from importer.commands.labeled_table import read_labeled_table
from ml_backend.embedders import load_embedder
from ml_backend.errors import SourceError
from ml_backend.loop.embed_clips import embed_files
from ml_backend.store import open_store
from tests.test_journey import sound, write_wav


@pytest.fixture
def table(tmp_path):
    """Twenty-four clips of twelve recordings in three folds, every third recording a siren."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(24):
        kind = "siren" if number // 2 % 3 == 0 else "drill"
        write_wav(tmp_path / f"{number}.wav", sound(kind, rng))
        fold = number // 2 % 4
        rows.append([f"{number}.wav", kind, f"r{number // 2}", fold])
    return write(tmp_path, rows)


HEADER = ("file", "label", "recording_id", "fold")


def write(folder, rows):
    path = folder / "clips.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return path


def rows_of(table):
    with table.open(newline="") as file:
        return list(csv.reader(file))[1:]


def read(table, **changed):
    given = {"label_column": "label", "group_column": "recording_id", **changed}
    return read_labeled_table(table, **given)


def test_clips_come_with_labels_recordings_and_sides(table):
    clips = read(table, pool="fold=0,1", test="fold=2")
    assert [path.name for path in clips.paths] == [f"{number}.wav" for number in range(24)]
    assert clips.labels[:8] == ("siren", "siren", *["drill"] * 4, "siren", "siren")
    assert clips.recordings == tuple(number // 2 for number in range(24))
    assert [sum(clips.is_pool), sum(clips.is_test)] == [12, 6]
    assert clips.left_out == ()


def test_a_file_is_a_recording_of_its_own_where_no_column_says_more(tmp_path, table):
    header, *lines = table.read_text().splitlines()
    table.write_text("\n".join([header.replace("recording_id", "where"), *lines]))
    assert read(table, group_column=None).recordings == tuple(range(24))
    assert read(table, group_column="where").recordings == tuple(n // 2 for n in range(24))


def test_a_clip_without_a_label_and_a_double_are_left_out(table):
    rows = rows_of(table)
    rows[5][1] = ""
    folder = table.parent
    (folder / "24.wav").write_bytes((folder / "0.wav").read_bytes())
    clips = read(write(folder, [*rows, ["24.wav", "siren", "r0", 0]]))
    assert len(clips.paths) == 23
    reasons = [f"{one.file}: {one.reason}" for one in clips.left_out]
    assert reasons == ["5.wav: its column 'label' is empty.", "24.wav: sounds the same as 0.wav."]


def test_the_same_sound_with_two_labels_is_refused(table):
    folder = table.parent
    (folder / "24.wav").write_bytes((folder / "0.wav").read_bytes())
    with pytest.raises(SourceError, match=r"0\.wav and 24\.wav are the same sound"):
        read(write(folder, [*rows_of(table), ["24.wav", "drill", "r0", 0]]))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"label_column": "sort"}, "has no column 'sort'; it has file, label, recording_id, fold"),
        ({"group_column": "where"}, "has no column 'where'"),
        ({"pool": "part=1"}, "has no column 'part'"),
        ({"test": "fold=9"}, "no clip has fold = 9; there are 0, 1, 2, 3"),
        ({"pool": "fold"}, "write column=value"),
    ],
)
def test_what_the_table_does_not_have_is_named(table, changed, reason):
    with pytest.raises(SourceError, match=re.escape(reason)):
        read(table, **changed)


def simulate(folder, table, *options):
    environ = {"EARMARK_DATA": str(folder / "data"), "EARMARK_EMBEDDER": "melstats"}
    command = ["simulate", str(table), "--target", "siren", "--pool", "fold=0,1,2"]
    return CliRunner().invoke(app, [*command, "--test", "fold=3", *options], env=environ)


@pytest.mark.slow
def test_the_command_plays_prints_draws_and_writes(tmp_path, table):
    written, drawn = tmp_path / "out.json", tmp_path / "out.png"
    options = "--initial 6 --step 3 --labels 12 --runs 2 --strategy entropy-coverage"
    options += f" --strategy random --initial-strategy random --json {written} --plot {drawn}"
    done = simulate(tmp_path, table, *options.split())
    assert done.exit_code == 0, done.output
    report = json.loads(written.read_text())
    assert len(report["curves"]) == 2 * 2 * 3
    assert {row["n_labels"] for row in report["summary"]} == {6, 9, 12}
    assert drawn.read_bytes().startswith(b"\x89PNG")
    best = report["summary"][2]["balanced_accuracy"]["mean"]
    assert f"{best:.3f}" in done.output


def test_what_is_embedded_is_not_heard_again(tmp_path):
    store = open_store("sqlite://")
    embedder = load_embedder("melstats", None, tmp_path)
    vectors = np.ones((2, embedder.embedding_dim), dtype=np.float32)
    store.clips.add_embeddings(embedder.embedder_id, ["a", "b"], vectors)
    write_wav(tmp_path / "c.wav", sound("siren", np.random.default_rng(0)))
    gone = [tmp_path / f"{key}.wav" for key in "abcd"]
    told = []
    heard, embeddings, reasons = embed_files(
        store, embedder, ["a", "b", "c", "d"], gone, lambda *counts: told.append(counts)
    )
    assert heard.tolist() == [0, 1, 2]
    assert embeddings.shape == (3, embedder.embedding_dim)
    assert len(reasons) == 1
    assert "d.wav" in reasons[0]
    assert told == [(2, 4), (4, 4)]


def test_the_command_says_in_one_sentence_what_is_wrong(tmp_path, table):
    options = ["--initial", "6", "--labels", "30", "--initial-strategy", "random"]
    done = simulate(tmp_path, table, *options, "--label-column", "sort")
    assert done.exit_code == 1
    assert "has no column 'sort'" in done.output
    done = simulate(tmp_path, table, *options, "--initial", "20")
    assert "The pool has 16 clips" in done.output
    done = simulate(tmp_path, table, *options, "--test-share", "0.3")
    assert "either --test" in done.output
    assert "Traceback" not in done.output
