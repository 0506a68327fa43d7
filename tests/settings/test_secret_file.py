"""Secrets: one and the same for all who start at once, and none that opens the door to anybody."""

import errno
import os
import stat
import subprocess
import sys

import pytest

from importer.demo.label_studio_process import Studio
from ml_backend.errors import SettingsError, StudioError
from ml_backend.settings import Settings, read_secret, read_session_key, secret_file
from ml_backend.settings.secret_file import keep_once, keep_secret
from ml_backend.web import create_app
from ml_backend.web.access.session_crypto import Seals
from ml_backend.web.server import serve
from tests.processes import free_port
from tests.visiting import Place

# Reads the secret as soon as whoever started it lets go of the pipe, and says what it read.
START = """
import sys
from pathlib import Path
from ml_backend.settings import Settings, read_secret, read_session_key
settings = Settings(data_dir=Path(sys.argv[1]))
sys.stdin.read()
print(read_secret(settings), read_session_key(settings))
"""


@pytest.mark.slow
def test_of_fifty_processes_that_start_at_once_each_reads_the_same_full_secret(tmp_path):
    start_line, let_go = os.pipe()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", START, str(tmp_path / "data")],
            stdin=start_line,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(50)
    ]
    os.close(start_line)
    os.close(let_go)
    said = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0] * 50
    assert len(said) == 1
    secret, session_key = said.pop().split()
    assert secret != session_key
    assert len(secret) == len(session_key) == 32
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"secret", "session_key"}
    assert stat.S_IMODE((tmp_path / "data" / "secret").stat().st_mode) == 0o600


@pytest.mark.parametrize("held", ["", " \n", "short", "fifteen letters"])
@pytest.mark.parametrize("read", [read_secret, read_session_key])
def test_a_file_that_holds_no_secret_is_refused_by_name(tmp_path, read, held):
    name = "secret" if read is read_secret else "session_key"
    (tmp_path / name).write_text(held)
    with pytest.raises(SettingsError, match=f"{name}: holds no secret .* Remove it"):
        read(Settings(data_dir=tmp_path))


def test_no_backend_opens_with_an_empty_secret_file(tmp_path):
    (tmp_path / "secret").touch()
    with pytest.raises(SettingsError, match="holds no secret"):
        create_app(Settings(data_dir=tmp_path, embedder="melstats", api_key="0" * 40))


@pytest.mark.parametrize("name", ["secret", "session_key"])
def test_serving_ends_with_the_reason_before_it_begins(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(SettingsError, match=f"{name}: holds no secret"):
        serve(Settings(data_dir=tmp_path, port=free_port()))


def test_a_secret_that_is_set_and_short_is_refused_without_being_shown(tmp_path):
    settings = Settings.from_env({"EARMARK_SECRET": "hunter2", "EARMARK_DATA": str(tmp_path)})
    with pytest.raises(SettingsError, match="EARMARK_SECRET has 7 characters") as refused:
        read_secret(settings)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("said", ["", "  "])
def test_a_secret_that_is_set_to_nothing_is_made_as_if_it_were_not_set(tmp_path, said):
    settings = Settings.from_env({"EARMARK_SECRET": said, "EARMARK_DATA": str(tmp_path)})
    assert len(read_secret(settings)) == 32


def test_an_empty_header_or_password_is_let_in_nowhere(tmp_path):
    place = Place(tmp_path)
    client = place.browser()
    shown = ({"headers": {"X-Earmark-Secret": ""}}, {"auth": ("earmark", "")})
    assert [client.get("/status", **one).status_code for one in shown] == [401, 401]
    place.store.close()


def test_nothing_is_signed_with_an_empty_or_short_key():
    for key in ("", "key"):
        with pytest.raises(SettingsError, match="session key"):
            Seals(key)


def test_a_full_disk_leaves_no_file_behind(tmp_path, monkeypatch):
    def fail(_number):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(secret_file.os, "fsync", fail)
        with pytest.raises(SettingsError, match=r"secret: .*No space left on device"):
            keep_secret(tmp_path / "secret")
    assert list(tmp_path.iterdir()) == []
    assert len(keep_secret(tmp_path / "secret")) == 32


def test_the_file_is_not_there_before_all_of_it_is(tmp_path, monkeypatch):
    seen, sync = [], os.fsync

    def look(number):
        seen.append((tmp_path / "kept").exists())
        sync(number)

    monkeypatch.setattr(secret_file.os, "fsync", look)
    keep_once(tmp_path / "kept", "all of it")
    assert seen == [False]
    assert (tmp_path / "kept").read_text() == "all of it"


def test_what_is_kept_already_stays(tmp_path):
    keep_once(tmp_path / "kept", "first")
    keep_once(tmp_path / "kept", "second")
    assert (tmp_path / "kept").read_text() == "first"


@pytest.mark.parametrize("held", ["", "{}", '{"username": "a", "password": "", "token": ""}'])
def test_a_login_of_label_studio_without_password_or_token_is_refused(tmp_path, held):
    (tmp_path / "credentials.json").write_text(held)
    with pytest.raises(StudioError, match="damaged"):
        _ = Studio(tmp_path).credentials
