"""Serving: gunicorn answers Label Studio, and a worker process beside it does the thinking.

Two processes, because Label Studio waits a second for its webhook and a round may use a core for
longer. Should the worker die, it is started again; what it held is due again.
"""

import logging
import subprocess
import sys
import threading
from typing import Any

from gunicorn.app.base import BaseApplication

from ml_backend.settings import Settings
from ml_backend.web.app import create_app

log = logging.getLogger(__name__)

_N_THREADS = 8
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
    """Answer requests and look after projects until interrupted."""
    stop = threading.Event()
    watcher = threading.Thread(target=_keep_working, args=(stop,), name="worker-watch")
    watcher.start()
    try:
        _Server(settings).run()
    finally:
        stop.set()
        watcher.join()


def _keep_working(stop: threading.Event) -> None:
    command = [sys.executable, "-m", "ml_backend.worker"]
    while not stop.is_set():
        with subprocess.Popen(command) as worker:
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
