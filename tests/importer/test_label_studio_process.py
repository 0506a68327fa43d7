"""An embedded Label Studio: started, waited for, stopped, and its secrets kept."""

import json
import re
import socket
import stat
import subprocess
import sys
import time

import pytest

from importer.demo.label_studio_process import Studio
from importer.demo.ports import free_port
from ml_backend.errors import StudioError

# Stands in for `label-studio`: a program that takes the same arguments and environment.
PROGRAM = """#!{python}
import http.server, json, os, pathlib, subprocess, sys, time
home = pathlib.Path(os.environ["LABEL_STUDIO_BASE_DATA_DIR"])
(home / "seen.json").write_text(json.dumps([sys.argv[1:], dict(os.environ)]))
(home / "label_studio.sqlite3").touch()
print("Starting with", os.environ["LABEL_STUDIO_USER_TOKEN"], os.environ["LABEL_STUDIO_PASSWORD"])
print("the last line", flush=True)
{body}
token = os.environ["LABEL_STUDIO_USER_TOKEN"]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ok = self.headers["Authorization"] == "Token " + token
        self.send_response(200 if ok else 401)
        self.end_headers()
        self.wfile.write(b'{{"email": "me"}}' if ok else b"{{}}")
    def log_message(self, *args): pass
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


CHILD = "(home / 'child.pid').write_text(str(subprocess.Popen(['sleep', '600']).pid))"


@pytest.fixture
def studio_of(tmp_path):
    made = []

    def make(body="", **options):
        command = tmp_path / "label-studio"
        command.write_text(PROGRAM.format(python=sys.executable, body=body))
        command.chmod(0o755)
        options = {"port": free_port(0), **options}
        made.append(Studio(tmp_path / "data", command=command, **options))
        return made[-1]

    yield make
    for studio in made:
        studio.stop()


def seen(studio):
    return json.loads((studio.data_dir / "seen.json").read_text())


def is_alive(pid):
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return found.stdout.strip()[:1] not in ("", "Z")


def test_it_answers_once_started_and_everything_it_started_ends_with_it(studio_of):
    with studio_of(CHILD) as studio:
        assert studio.is_running
        assert studio.client().whoami() == {"email": "me"}
        child = int((studio.data_dir / "child.pid").read_text())
        assert is_alive(child)
    assert not studio.is_running
    deadline = time.monotonic() + 5
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(child)


def test_it_listens_on_loopback_with_the_flags_that_the_loop_needs(studio_of):
    with studio_of() as studio:
        arguments, environment = seen(studio)
    assert arguments[arguments.index("--internal-host") + 1] == "127.0.0.1"
    assert environment["ML_BLOCK_LOCAL_IP"] == environment["SSRF_PROTECTION_ENABLED"] == "false"
    assert environment["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"] == str(studio.files_root)
    assert environment["COLLECT_ANALYTICS"] == "false"


def test_sessions_outlive_a_restart_and_their_key_is_no_token(studio_of):
    keys = []
    for _ in range(2):
        with studio_of() as studio:
            keys.append(seen(studio)[1]["SECRET_KEY"])
    assert keys[0] == keys[1]
    assert re.fullmatch("[0-9a-f]{64}", keys[0])
    assert studio.credentials.token not in keys[0]


def test_nothing_of_the_callers_environment_reaches_it(studio_of, monkeypatch):
    monkeypatch.setenv("LABEL_STUDIO_HOST", "http://elsewhere.test")
    monkeypatch.setenv("DJANGO_DB", "default")
    monkeypatch.setenv("HOST", "elsewhere")
    with studio_of(database_env={"POSTGRE_NAME": "studio"}) as studio:
        _, environment = seen(studio)
    assert not environment.keys() & {"LABEL_STUDIO_HOST", "DJANGO_DB", "HOST"}
    assert environment["POSTGRE_NAME"] == "studio"


def test_the_login_lasts_and_is_readable_by_its_owner_alone(studio_of):
    with studio_of() as studio:
        first = studio.credentials
    with studio_of() as studio:
        assert studio.credentials == first
    assert "@" in first.username
    assert len(first.token) == 40
    path = studio.data_dir / "credentials.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(studio.log_path.stat().st_mode) == 0o600


def test_a_damaged_login_is_named(studio_of):
    studio = studio_of()
    studio.data_dir.mkdir()
    (studio.data_dir / "credentials.json").write_text("{")
    with pytest.raises(StudioError, match=r"credentials\.json is damaged"):
        studio.start()


def test_the_login_is_on_no_command_line(studio_of):
    with studio_of() as studio:
        arguments, _ = seen(studio)
        login = studio.credentials
    assert login.token not in arguments
    assert login.password not in arguments


def test_progress_tells_a_first_start_from_a_later_one(studio_of):
    heard = []
    for _ in range(2):
        studio = studio_of()
        studio.start(on_progress=heard.append)
        studio.stop()
    assert "about a minute" in heard[0]
    assert "few seconds" in heard[2]
    assert studio.url in heard[3]


def test_a_crash_shows_the_last_words_without_the_secrets(studio_of):
    studio = studio_of("sys.exit(3)")
    with pytest.raises(StudioError, match="ended with status 3") as caught:
        studio.start()
    assert "the same command goes on" in str(caught.value)
    assert "the last line" in str(caught.value)
    assert "Starting with *** ***" in str(caught.value)
    assert not studio.is_running


@pytest.mark.slow
def test_silence_ends_at_the_limit_and_leaves_nothing_behind(studio_of):
    studio = studio_of("time.sleep(600)")
    with pytest.raises(StudioError, match=r"nothing for 1 s.*the same command goes on"):
        studio.start(patience_s=0.6)
    assert not studio.is_running


BUSY = """
for _ in range(8):
    time.sleep(0.25)
    with (home / "label_studio.sqlite3-journal").open("a") as file: file.write("a migration")
"""

JOURNALS = """
journal = home / "label_studio.sqlite3-journal"
for size in (0, 3_000_000, 0, 1_000_000):
    journal.write_bytes(bytes(size))
    time.sleep(0.4)
"""


@pytest.fixture
def sdk():
    """What loads for seconds on a busy machine, in which nobody waits for Label Studio."""
    import label_studio_sdk.client  # noqa: F401


@pytest.mark.slow
@pytest.mark.usefixtures("sdk")
def test_it_is_waited_for_as_long_as_its_database_grows(studio_of, monkeypatch):
    monkeypatch.setattr("importer.demo.label_studio_process.TELL_S", 0.5)
    heard = []
    studio = studio_of(BUSY)
    studio.start(patience_s=1.5, on_progress=heard.append)
    assert studio.client().whoami()
    assert any("still at work" in said for said in heard)


@pytest.mark.slow
@pytest.mark.usefixtures("sdk")
def test_what_is_told_to_have_been_written_never_shrinks(studio_of, monkeypatch):
    monkeypatch.setattr("importer.demo.label_studio_process.TELL_S", 0.25)
    heard = []
    studio_of(JOURNALS).start(patience_s=5.0, on_progress=heard.append)
    told = [float(found[1]) for said in heard if (found := re.search(r"([\d.]+) MB written", said))]
    assert len(told) > 2
    assert told == sorted(told)


def test_a_database_that_knows_another_login_is_named(studio_of):
    studio = studio_of("os.environ['LABEL_STUDIO_USER_TOKEN'] = 'another'")
    with pytest.raises(StudioError, match="does not know the login"):
        studio.start()


def test_it_is_not_started_twice_on_one_folder(studio_of, monkeypatch):
    monkeypatch.setattr("importer.demo.label_studio_process.LOCK_PATIENCE_S", 0.1)
    with studio_of() as first:
        with pytest.raises(StudioError, match=rf"process {first._process.pid}\).*kill"):
            studio_of().start()
        assert first.client().whoami()


def test_a_missing_installation_comes_with_the_remedy(tmp_path):
    with pytest.raises(StudioError, match="make"):
        Studio(tmp_path, command=tmp_path / "nowhere").start()


def test_a_taken_port_is_left_to_its_owner(studio_of):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port
        with studio_of(port=port) as studio:
            assert studio.port != port
            assert studio.client().whoami()


def test_a_free_port_is_kept():
    port = free_port(0)
    assert port > 0
    assert free_port(port) == port


def test_stopping_what_was_never_started_does_nothing(tmp_path):
    Studio(tmp_path, command=tmp_path / "nowhere").stop()
    assert list(tmp_path.iterdir()) == []
