"""Start a separate Label Studio and a backend beside it, and measure their processes."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, Self

import httpx

from importer.backend_client import Backend
from importer.demo.label_studio_process import Studio
from importer.demo.ports import free_port
from importer.demo.running import has_embedder
from ml_backend.label_studio import LabelStudio
from ml_backend.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
START_LIMIT_S = 240.0
"""The first start of a backend exports a network, which loads torch."""
COMMAND_LIMIT_S = 3600.0


class Served:
    """A separate backend beside a Label Studio, with one environment for every command.

    ``label_studio`` is the client of the first user; ``settings`` are those of the backend, which
    runs from ``checkout``. A context manager that starts and stops it.
    """

    def __init__(
        self, studio: Studio, folder: Path, *, checkout: Path = ROOT, **environment: str
    ) -> None:
        self.studio = studio
        self.label_studio = studio.client()
        self.log_path = folder / "earmark.log"
        self.checkout = checkout
        self.environment = {
            "EARMARK_ENV_FILE": os.devnull,
            "EARMARK_DATA": str(folder / "data"),
            "EARMARK_PORT": str(free_port(0)),
            "EARMARK_FILES_ROOT": str(studio.files_root),
            "LABEL_STUDIO_URL": studio.url,
            "LABEL_STUDIO_API_KEY": studio.credentials.token,
            **environment,
        }
        self.settings = Settings.from_env(self.environment)
        self.backend = Backend(self.settings)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()  # nobody else will
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the backend, and wait until its worker is ready."""
        self.process = self.begin("serve")
        self.backend.wait_until(has_embedder, self.is_alive, START_LIMIT_S)

    def stop(self) -> None:
        """End the backend."""
        if self.is_alive():
            self.process.terminate()
        self.process.wait(60)

    def is_alive(self) -> bool:
        """Return whether the backend is running."""
        return self.process.poll() is None

    def begin(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Run a command; its output is written to the log."""
        with self.log_path.open("ab") as log:
            return subprocess.Popen(
                self._command(*arguments),
                cwd=self.checkout,
                env=self._environment(),
                stdout=log,
                stderr=log,
            )

    def say(self, *arguments: str, **environment: str) -> str:
        """Run a command that must succeed; return its output."""
        done = subprocess.run(
            self._command(*arguments),
            cwd=self.checkout,
            env=self._environment() | environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, f"earmark {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def tell(self, *arguments: str, **environment: str) -> Any:
        """Run a command that must succeed; return the facts that it prints for scripts."""
        return json.loads(self.say(*arguments, "--json", **environment))

    def wait_until_ordered(self, project_id: int, n_clips: int) -> None:
        """Wait until this number of a project's clips is embedded and in a published ranking."""

        def is_there(status: dict[str, Any]) -> bool:
            projects = [one for one in status["projects"] if one["project"] == project_id]
            return any(is_ordered(one, n_clips) for one in projects)

        self.backend.wait_until(is_there, self.is_alive, COMMAND_LIMIT_S)

    def join(self, email: str) -> LabelStudio:
        """Sign another user up by an invitation link; return their client."""
        return LabelStudio(self.studio.url, join(self.studio, email))

    def _environment(self) -> dict[str, str]:
        """Return the environment of a command, without this shell's variables for Earmark."""
        ours = ("EARMARK_", "LABEL_STUDIO_")
        others = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {**others, "COLUMNS": "200", **self.environment}

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "importer.cli", *arguments]


def join(studio: Studio, email: str) -> str:
    """Sign another user up by an invitation link; return their token."""
    owner = {"Authorization": f"Token {studio.credentials.token}"}
    invitation = httpx.get(f"{studio.url}/api/invite", headers=owner).json()["token"]
    with httpx.Client(base_url=studio.url, follow_redirects=True, timeout=60) as browser:
        browser.get("/user/signup/", params={"token": invitation})
        form = {"email": email, "password": "second-password-1"}
        form["csrfmiddlewaretoken"] = browser.cookies["csrftoken"]
        browser.post("/user/signup/", params={"token": invitation}, data=form)
        return str(browser.get("/api/current-user/token").json()["token"])


def is_ordered(project: dict[str, Any], n_clips: int) -> bool:
    """Return whether every clip of a project is embedded and in a published ranking."""
    n_reached = {project["n_embedded"], project["n_ranked"]}
    return n_reached == {n_clips} and project["n_published"] > 0 and not project["is_waiting"]


def family(pid: int) -> list[int]:
    """List a process and its running descendants."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            todo += [int(child) for child in _text(task).split()]
    return found


def cpu_s(pid: int) -> float:
    """Sum the processor time of a process family, ended processes included."""
    ticks = 0
    for one in family(pid):
        fields = _text(Path(f"/proc/{one}/stat")).rpartition(")")[2].split()
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> dict[str, float]:
    """Return the resident memory of a process family, by module."""
    used: defaultdict[str, float] = defaultdict(float)
    for one in family(pid):
        for line in _text(Path(f"/proc/{one}/status")).splitlines():
            if line.startswith("VmRSS"):
                used[module(one)] += int(line.split()[1]) / 1024
    return dict(used)


def module(pid: int) -> str:
    """Return the name of the module that a process runs."""
    said = _text(Path(f"/proc/{pid}/cmdline")).split("\0")
    return next(
        (one for one in reversed(said) if one.startswith(("ml_backend.", "importer."))), "?"
    )


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended
        return ""
