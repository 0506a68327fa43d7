"""Serving: gunicorn answers Label Studio, and a worker process beside it does the thinking.

Two processes, because Label Studio waits a second for its webhook and a round may use a core for
longer. Should the worker die, it is started again; what it held is due again. Should the process
that started both die, both end with it: nothing is left that would work beside the next one.
"""

import fcntl
import logging
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gunicorn.app.base import BaseApplication

from ml_backend.errors import SettingsError
from ml_backend.loop.worker_report import FAILED, STARTING, WorkerReport
from ml_backend.process import tether
from ml_backend.settings import Settings, read_secret, read_session_key
from ml_backend.store import open_store
from ml_backend.web.access.guard import N_PLACES
from ml_backend.web.app import create_app

log = logging.getLogger(__name__)

_N_THREADS = N_PLACES + 8
FIRST_PAUSE_S = 1.0
LAST_PAUSE_S = 60.0
"""A worker that failed is started again after a pause that doubles up to this, in s."""
STEADY_S = 60.0
"""One that has lived so long begins with the first pause again."""


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": f"{self._settings.host}:{self._settings.port}",
            "worker_class": "gthread",
            "workers": 1,
            "threads": _N_THREADS,
            "timeout": 120,
            "graceful_timeout": 5,
            "keepalive": 5,
            "control_socket_disable": True,
            "post_fork": lambda master, _worker: tether.end_with(master.pid),
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        return create_app(self._settings)


def serve(settings: Settings) -> None:
    """Answer requests and look after projects until interrupted.

    Raises
    ------
    SettingsError
        If another backend already works with this data folder, the port is taken, or what should
        be a secret is none.
    StoreError
        If the store cannot be opened.
    """
    with _alone(settings):
        read_secret(settings)
        read_session_key(settings)
        open_store(settings.store_url).close()  # its tables are made once, not by both processes
        _serve(settings)


def _serve(settings: Settings) -> None:
    stop, report = threading.Event(), WorkerReport(settings.data_dir)
    report.tell(STARTING)
    watcher = threading.Thread(target=_keep_working, args=(stop, report), name="worker-watch")
    watcher.start()
    try:
        _Server(settings).run()
    finally:
        stop.set()
        watcher.join()


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Hold the data folder: two workers on one store would do every round twice."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with (settings.data_dir / "serve.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise SettingsError(
                f"{settings.data_dir}: the backend with process number {lock.read().strip()} "
                "works with this folder already. Use it or end it, or set EARMARK_DATA."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, settings.port))
            except OSError as error:
                raise SettingsError(
                    f"{settings.host}:{settings.port} cannot be listened on ({error.strerror}). "
                    "Set EARMARK_HOST and EARMARK_PORT."
                ) from None
        yield


def _keep_working(stop: threading.Event, report: WorkerReport) -> None:
    """Have a worker beside this process; one that fails is started again after a growing pause."""
    n_failures = 0
    while not stop.is_set():
        began = time.monotonic()
        reason = _work_until_it_ends(stop, report)
        if stop.is_set():
            return
        if time.monotonic() - began > STEADY_S:
            n_failures = 0
        pause_s = min(LAST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(n_failures, 10))
        n_failures += 1
        log.warning("the worker ended: %s Starting it again in %.0f s.", reason, pause_s)
        stop.wait(pause_s)


def _work_until_it_ends(stop: threading.Event, report: WorkerReport) -> str:
    """Start a worker and wait until it ends, or end it; tell why it ended by itself."""
    try:
        started = tether.start("ml_backend.loop.worker")
    except OSError as error:
        reason = f"It cannot be started ({error.strerror})."
        report.fail(reason)
        return reason
    with started as worker:
        while worker.poll() is None and not stop.wait(0.2):
            pass
        if worker.poll() is None:
            worker.terminate()
            try:
                worker.wait(20)
            except subprocess.TimeoutExpired:
                worker.kill()
    last = report.read()
    if last is not None and last.state == FAILED and last.told_by == worker.pid:
        return last.error
    reason = "It ended without saying why: it was killed, or memory ran out."
    if worker.returncode > 0:
        reason = "It ended; the log says why."
    if not stop.is_set():
        report.fail(reason)
    return reason
