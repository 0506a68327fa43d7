"""Serving: gunicorn answers Label Studio, and a worker process beside it does the thinking.

Two processes, because Label Studio waits a second for its webhook and a round may use a core for
longer. Should the worker die, it is started again; what it held is due again.
"""

import fcntl
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gunicorn.app.base import BaseApplication

from ml_backend.errors import SettingsError
from ml_backend.settings import Settings
from ml_backend.store import open_store
from ml_backend.web.access import N_PLACES
from ml_backend.web.app import create_app

log = logging.getLogger(__name__)

_N_THREADS = N_PLACES + 8
_RESTART_PAUSE_S = 1.0


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
        If another backend already works with this data folder, or the port is taken.
    StoreError
        If the store cannot be opened.
    """
    with _alone(settings):
        open_store(settings.store_url).close()  # its tables are made once, not by both processes
        _serve(settings)


def _serve(settings: Settings) -> None:
    stop = threading.Event()
    watcher = threading.Thread(target=_keep_working, args=(stop,), name="worker-watch")
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


def _keep_working(stop: threading.Event) -> None:
    command = [sys.executable, "-m", "ml_backend.worker"]
    while not stop.is_set():
        try:
            started = subprocess.Popen(command)
        except OSError as error:
            log.error("the worker cannot be started: %s; trying again", error)
            stop.wait(_RESTART_PAUSE_S)
            continue
        with started as worker:
            while worker.poll() is None and not stop.wait(0.2):
                pass
            if worker.poll() is None:
                worker.terminate()
                try:
                    worker.wait(20)
                except subprocess.TimeoutExpired:
                    worker.kill()
        if not stop.is_set():
            log.warning("the worker ended with %s; starting it again", worker.returncode)
            stop.wait(_RESTART_PAUSE_S)
