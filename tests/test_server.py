"""The process that answers requests looks after the worker beside it."""

import subprocess
import threading

from ml_backend.web import server


def test_a_worker_that_cannot_be_started_is_started_later(monkeypatch, caplog):
    stop, n_tries, start = threading.Event(), 0, subprocess.Popen

    def start_at_the_third_try(_command):
        nonlocal n_tries
        n_tries += 1
        if n_tries < 3:
            raise OSError(12, "Cannot allocate memory")
        stop.set()
        return start(["sleep", "60"])

    monkeypatch.setattr(server.subprocess, "Popen", start_at_the_third_try)
    monkeypatch.setattr(server, "_RESTART_PAUSE_S", 0.0)
    server._keep_working(stop)
    assert n_tries == 3
    assert caplog.text.count("Cannot allocate memory") == 2
