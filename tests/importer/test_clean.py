"""Deleting a demo: told what is lost, asked, and never while it runs."""

import fcntl
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from importer.demo.clean import clean

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def demo(tmp_path):
    folder = tmp_path / ".demo"
    (folder / "label-studio").mkdir(parents=True)
    (folder / "label-studio" / "label_studio.log").touch()
    with closing(sqlite3.connect(folder / "label-studio" / "label_studio.sqlite3")) as database:
        for table, n_rows in (("project", 1), ("task", 5), ("task_completion", 3)):
            database.execute(f"CREATE TABLE {table} (id INTEGER)")
            database.executemany(f"INSERT INTO {table} VALUES (?)", [(n,) for n in range(n_rows)])
        database.commit()
    return folder


def test_what_would_be_lost_is_told_and_only_its_name_deletes_it(demo, capsys):
    for answer in ("", "y", "yes"):
        assert clean(demo, {f"Type {demo.name} to delete all of it for good: ": answer}.get) == 1
        assert demo.exists()
    assert "1 project, 5 clips, 3 annotations" in capsys.readouterr().out
    assert clean(demo, lambda _: ".demo") == 0
    assert not demo.exists()


def test_nobody_to_ask_deletes_nothing(demo):
    def ask(question):
        raise EOFError

    assert clean(demo, ask) == 1
    assert demo.exists()


def test_a_demo_that_runs_is_left_alone(demo, capsys):
    with (demo / "label-studio" / "label_studio.log").open("ab") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        assert clean(demo, lambda _: ".demo") == 1
    assert demo.exists()
    assert "in use" in capsys.readouterr().out


def test_make_clean_touches_no_data(monkeypatch):
    for inherited in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
        monkeypatch.delenv(inherited, raising=False)
    told = subprocess.run(
        ["make", "--dry-run", "clean"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ".demo" not in told.stdout
    assert told.stdout.split() == ["rm", "-rf", ".venv", ".venv-studio", "node_modules"]
