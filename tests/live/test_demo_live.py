"""`earmark demo` as a newcomer runs it: ready when a clip is served, and the same the next time."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from ml_backend.label_studio import LabelStudio
from ml_backend.settings.env_file import read_env_file
from tests.live.conftest import COMMAND, prepared_database
from tests.sounds import noise, write

pytestmark = pytest.mark.live
LIMIT_S = 240.0


@pytest.fixture
def folder(tmp_path, pytestconfig):
    """A demo's folder whose Label Studio has its tables already."""
    if not COMMAND.is_file():
        pytest.skip("needs Label Studio in .venv-studio; run `make studio`")
    prepared = prepared_database(pytestconfig.cache.mkdir("earmark"))
    shutil.copytree(prepared, tmp_path / "demo" / "label-studio")
    return tmp_path / "demo"


@contextmanager
def demo(folder, *arguments, **exported):
    """Run a demo; give its process and a file that grows with what it says."""
    names = [name for name in os.environ if not name.startswith(("EARMARK_", "LABEL_STUDIO_"))]
    environment = {name: os.environ[name] for name in names} | exported | {"COLUMNS": "300"}
    said = folder.parent / "said.txt"
    command = [sys.executable, "-m", "importer.cli", "demo", "--folder", str(folder), *arguments]
    with said.open("w") as out:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        yield process, said
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def wait_for(process, said, words):
    deadline = time.monotonic() + LIMIT_S
    while words not in said.read_text():
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.2)
    return said.read_text()


def test_a_demo_is_ready_when_a_clip_is_served_and_keeps_what_it_was_told(folder, tmp_path, shared):
    paths = [write(tmp_path / f"far away/{n}.wav", noise(0.4, seed=n)) for n in range(6)]
    table = tmp_path / "tables" / "clips.csv"
    table.parent.mkdir()
    table.write_text("file\n" + "".join(f"{path}\n" for path in paths))
    clips = ("--clips", str(table))

    with demo(folder, *clips, EARMARK_EMBEDDER="melstats", EARMARK_STRATEGY="random") as run:
        text = wait_for(*run, "Ready.")
        kept = read_env_file(folder / "earmark.env")
        studio = LabelStudio(kept["LABEL_STUDIO_URL"], kept["LABEL_STUDIO_API_KEY"])
        project_id = int(kept["EARMARK_PROJECT"])
        version = studio.project(project_id)["model_version"]
        served = studio.next_task(project_id)
        assert [one["model_version"] for one in served["predictions"]] == [version]
        assert "6 clips added" in text
        assert re.search(rf"projects/{project_id}\b", text)

    with demo(folder, *clips, "--labels", "horn,bell") as (process, said):
        assert process.wait(LIMIT_S) == 1
        assert "asks for siren, other, not for horn, bell" in said.read_text()

    with demo(folder, *clips) as run:
        wait_for(*run, "Ready.")
        ports = {"LABEL_STUDIO_URL", "EARMARK_PORT"}  # another is taken where one is in use
        again = read_env_file(folder / "earmark.env")
        assert {name for name in kept | again if kept.get(name) != again.get(name)} <= ports
        assert (kept["EARMARK_EMBEDDER"], kept["EARMARK_STRATEGY"]) == ("melstats", "random")

    other = {"EARMARK_EMBEDDER": "mn04", "EARMARK_WEIGHTS": str(shared / "weights")}
    with demo(folder, *clips, **other) as (process, said):
        assert process.wait(LIMIT_S) == 1
        assert "6 clips are embedded by melstats" in said.read_text()


def test_a_demo_without_a_usable_clip_is_never_ready(folder, tmp_path):
    write(tmp_path / "silence/a.wav", noise(0.5) * 0)
    with demo(folder, "--clips", str(tmp_path / "silence"), EARMARK_EMBEDDER="melstats") as run:
        process, said = run
        assert process.wait(LIMIT_S) == 1
        assert "none of its clips can be used" in said.read_text()
        assert "Ready" not in said.read_text()
