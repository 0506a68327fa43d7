"""Real processes of the backend: each in a group of its own, watched, and killed with all of it."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import httpx

from ml_backend.loop.worker_report import WorkerReport
from tests.visiting import BASIC, SECRET

PATIENCE_S = 60.0


def eventually(is_so, what):
    """Wait until something is so, and return what makes it so."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := is_so():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {PATIENCE_S:.0f} s")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Started:
    """A process, what it started, and what its worker's report says."""

    def __init__(self, folder, module, *arguments, **settings):
        self.port = free_port()
        names = [one for one in os.environ if not one.startswith(("EARMARK_", "LABEL_STUDIO_"))]
        environment = {name: os.environ[name] for name in names} | {
            "EARMARK_DATA": str(folder),
            "EARMARK_PORT": str(self.port),
            "EARMARK_SECRET": SECRET,
            "EARMARK_EMBEDDER": "melstats",
            "LABEL_STUDIO_API_KEY": "0" * 40,
            "LABEL_STUDIO_URL": "http://127.0.0.1:9",  # where nothing answers
            **settings,
        }
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "log"
        self.report = WorkerReport(folder)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def left(self):
        """List the processes of the group that live, by number, with their command lines."""
        listed = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,pgid=,stat=,args="],
            capture_output=True,
            text=True,
            check=True,
        )
        rows = [line.split(None, 3) for line in listed.stdout.splitlines()]
        group = str(self.process.pid)
        return {int(row[0]): row[3] for row in rows if row[1] == group and row[2][0] != "Z"}

    def find(self, module):
        """Give the number of the process that runs a module; None where there is none."""
        return next((pid for pid, line in self.left().items() if module in line), None)

    def get(self, path):
        """Ask the backend; None where it does not answer."""
        with suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{self.port}{path}", auth=BASIC, timeout=5)
        return None

    def state(self):
        """Tell how the worker is, as its report says."""
        condition = self.report.read()
        return condition.state if condition else None

    def kill(self):
        """Kill the first process alone, as the system does when memory runs out."""
        self.process.kill()
        self.process.wait()

    def end(self):
        """Kill all that is left of it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def started(folder, module, *arguments, **settings):
    """Start a module, and leave nothing of it behind."""
    one = Started(folder, module, *arguments, **settings)
    try:
        yield one
    finally:
        one.end()


def serving(folder, **settings):
    """Start ``earmark serve``."""
    return started(folder, "importer.cli", "serve", **settings)


def working(folder, **settings):
    """Start a worker by itself, tied to this process."""
    arguments = (str(os.getpid()), "ml_backend.loop.worker")
    return started(folder, "ml_backend.process.tether", *arguments, **settings)
