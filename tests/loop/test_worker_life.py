"""The worker's life, with real processes: one at a time, never alone, and never silently gone."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from sqlalchemy import text

from importer.commands.output import tell_worker
from ml_backend.errors import StoreError
from ml_backend.loop.worker_report import (
    FAILED,
    HUNG_AFTER_S,
    STARTING,
    WAITING,
    WORKING,
    WorkerReport,
)
from ml_backend.store import open_store
from ml_backend.store.writer import Writer
from ml_backend.web import server as web_server
from tests.postgres import create_database
from tests.processes import eventually, serving, working
from tests.visiting import Place

WORKER = "ml_backend.loop.worker"


@pytest.mark.slow
def test_no_worker_outlives_a_killed_master_and_the_next_one_takes_over(tmp_path):
    for n_ticks in (0, 2, 5, 10, 20, 40):  # of 0.1 s after the worker's first sign of life
        with serving(tmp_path) as backend:
            eventually(lambda backend=backend: backend.find(WORKER), "a worker is started")
            time.sleep(0.1 * n_ticks)
            backend.kill()
            eventually(lambda backend=backend: not backend.left(), "all of it has ended")
    with serving(tmp_path) as backend:
        eventually(lambda: backend.state() == WORKING, "the next one works")
        backend.kill()
        eventually(lambda: not backend.left(), "all of it has ended")


@pytest.mark.slow
def test_of_two_workers_one_waits_and_takes_over_when_the_first_is_killed(tmp_path, store_url):
    settings = {"EARMARK_DATABASE_URL": store_url}
    with working(tmp_path / "first", **settings) as first:
        eventually(lambda: first.state() == WORKING, "the first works")
        with working(tmp_path / "second", **settings) as second:
            eventually(lambda: second.state() == WAITING, "the second waits")
            assert "another worker looks after this store" in second.log.read_text()
            assert first.state() == WORKING
            first.kill()
            eventually(lambda: second.state() == WORKING, "the second takes over")


def test_one_process_at_a_time_holds_the_writers_lock(store_url):
    store, other = open_store(store_url), open_store(store_url)
    first, second = Writer(store.engine), Writer(other.engine)
    assert [first.take(), second.take(), second.take()] == [True, False, False]
    first.check()
    first.give_back()
    assert second.take()
    second.give_back()
    store.close()
    other.close()


@pytest.mark.postgres
def test_a_worker_whose_lock_the_database_dropped_is_told(postgres):
    store = open_store(create_database(postgres, "dropped"))
    writer = Writer(store.engine)
    assert writer.take()
    held = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
    with store.engine.connect() as connection:
        connection.execute(text(held))
    with pytest.raises(StoreError, match="the only one"):
        writer.check()
    writer.give_back()
    store.close()


@pytest.mark.slow
def test_a_worker_that_is_killed_is_told_of_and_started_again(tmp_path):
    with serving(tmp_path) as backend:
        eventually(lambda: backend.state() == WORKING, "it works")
        assert backend.get("/health").json()["status"] == "UP"
        before = backend.find(WORKER)
        os.kill(before, signal.SIGKILL)
        eventually(lambda: backend.state() == FAILED, "it is missed")
        told = backend.get("/status").json()["worker"]
        assert not told["is_running"]
        assert "ended without saying why" in told["error"]
        eventually(lambda: backend.state() == WORKING, "it works again")
        assert backend.find(WORKER) != before
        assert backend.get("/health").status_code == 200


@pytest.mark.slow
def test_a_worker_that_cannot_work_backs_off_and_everybody_is_told_why(tmp_path):
    nowhere = "postgresql+psycopg://earmark:geheim@127.0.0.1:1/none"
    with working(tmp_path, EARMARK_DATABASE_URL=nowhere) as worker:
        eventually(lambda: worker.process.poll() is not None, "it ends")
    assert worker.process.returncode == 1
    condition = worker.report.read()
    assert condition.state == FAILED
    assert "the store cannot be opened" in condition.error
    assert condition.plain == "The store cannot be opened."  # no address for everybody
    assert "Traceback" not in worker.log.read_text()
    assert "geheim" not in condition.error + worker.log.read_text()


def test_the_pauses_between_failures_grow_to_a_minute(tmp_path, monkeypatch):
    pauses, report = [], WorkerReport(tmp_path)

    class Stop:
        def is_set(self):
            return len(pauses) > 1100

        def wait(self, seconds):
            pauses.append(seconds)

    def fail(_module):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(web_server.tether, "start", fail)
    web_server._keep_working(Stop(), report)
    assert pauses[:6] == [1, 2, 4, 8, 16, 32]
    assert set(pauses[6:]) == {60}  # also when it has failed for most of a day
    assert "Cannot allocate memory" in report.read().error


@pytest.mark.parametrize(
    ("end", "reason"),
    [("sys.exit(1)", "the log says why"), ("os.kill(os.getpid(), 9)", "it was killed")],
)
def test_a_worker_that_ends_before_it_can_report_is_told_apart_from_a_killed_one(
    tmp_path, monkeypatch, end, reason
):
    monkeypatch.setattr(
        web_server.tether,
        "start",
        lambda _module: subprocess.Popen([sys.executable, "-c", f"import os, sys; {end}"]),
    )
    report = WorkerReport(tmp_path)
    assert reason in web_server._work_until_it_ends(threading.Event(), report)
    assert reason in report.read().error


@pytest.mark.slow
def test_a_setting_that_is_wrong_by_now_ends_the_worker_with_the_reason(
    monkeypatch, tmp_path, capfd
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EARMARK_EMBEDDER", "foo")
    ended = subprocess.run([sys.executable, "-m", WORKER], check=False)
    said = capfd.readouterr().err
    assert ended.returncode == 1
    assert "EARMARK_EMBEDDER" in said
    assert "Traceback" not in said


def test_since_when_it_fails_is_the_first_of_its_failures(tmp_path):
    now = [100.0]
    report = WorkerReport(tmp_path, clock=lambda: now[0])
    report.tell(WORKING)
    for now[0] in (200.0, 300.0):
        report.fail("The store is gone.")
    assert report.read().since == 200.0
    report.tell(WORKING)
    now[0] = 400.0
    report.fail("The store is gone again.")
    assert report.read().since == 400.0


def test_a_worker_that_hangs_is_seen(tmp_path):
    now = [100.0]
    report = WorkerReport(tmp_path, clock=lambda: now[0])
    report.tell(WORKING)
    for now[0] in (120.0, 150.0):
        report.beat()
    now[0] = 150.0 + HUNG_AFTER_S
    assert report.read().state == WORKING
    now[0] += 5.0
    assert not report.describe()["is_running"]
    assert report.describe()["since"] == 150.0
    assert "has not responded for 65 s" in report.describe()["error"]


def test_label_studio_and_people_are_told_that_the_worker_is_not_running(tmp_path):
    place = Place(tmp_path)
    report, client = WorkerReport(place.settings.data_dir), place.browser()
    assert client.get("/health").get_json()["status"] == "UP"  # no worker was ever started
    report.tell(WORKING)
    assert (client.get("/health").status_code, client.get("/health").get_json()["status"]) == (
        200,
        "UP",
    )
    report.fail("/home/ada/earmark.db: the disk is full.", plain="The store cannot be written.")
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.get_json()["status"] == "DOWN"
    assert answer.get_json()["worker"]["error"] == "The store cannot be written."
    told = client.get("/status", auth=("earmark", place.settings.secret)).get_json()["worker"]
    assert told["error"] == "/home/ada/earmark.db: the disk is full."
    assert not told["is_running"]
    place.store.close()


def test_the_status_of_the_command_line_says_so_too(tmp_path, capsys):
    report = WorkerReport(tmp_path, clock=lambda: 1_700_000_000.0)
    for state in (STARTING, WAITING, WORKING):
        report.tell(state)
        tell_worker(report.describe())
    report.fail("The store is gone.")
    tell_worker(report.describe())
    said = capsys.readouterr()
    assert [line.split()[1] for line in said.out.splitlines()] == ["starting", "working"]
    waiting, failed = said.err.splitlines()
    assert "another one looks after this store" in waiting
    assert "not running since 2023-11-1" in failed
    assert "The store is gone." in failed


def test_a_report_on_a_full_disk_ends_nobody(tmp_path, caplog):
    report = WorkerReport(tmp_path / "not there")
    report.tell(WORKING)
    report.beat()
    assert report.read() is None
    assert "cannot be written" in caplog.text
