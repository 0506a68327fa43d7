"""`earmark demo`: everything at once, on this machine, with nothing prepared.

Starts a Label Studio and the backend, sets a project up, imports clips, waits until they are
heard and in order, and stays until interrupted. Everything lies in one folder; started again,
it goes on where it was. ``earmark.env`` in that folder lets the other commands find it.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from importer.backend import Backend
from importer.ports import free_port
from importer.studio import Studio
from ml_backend.errors import StudioError
from ml_backend.settings import Settings, read_secret

_START_LIMIT_S = 120.0
_BACKEND_PORT = 9090
_STUDIO_PORT = 8080


@dataclass(frozen=True)
class Running:
    """What the demo has started, and where it answers."""

    studio: Studio
    settings: Settings
    backend: Backend
    process: "subprocess.Popen[bytes]"

    @property
    def is_alive(self) -> bool:
        """Tell whether both are still running."""
        return self.studio.is_running and self.process.poll() is None

    def wait(self, stop: threading.Event) -> None:
        """Wait until told to stop.

        Raises
        ------
        StudioError
            If either ends by itself.
        """
        while not stop.wait(0.5):
            if not self.studio.is_running:
                raise StudioError(f"Label Studio ended; {self.studio.log_path} says why.")
            if self.process.poll() is not None:
                log = self.settings.data_dir / "earmark.log"
                raise StudioError(f"The backend ended; {log} says why.")


@contextmanager
def running(folder: Path, on_progress: Callable[[str], None]) -> Iterator[Running]:
    """Start Label Studio and the backend with everything in one folder; stop both at the end.

    Parameters
    ----------
    folder
        Made if it is not there; holds the data of both.
    on_progress
        Hears what is being done, in short sentences.

    Raises
    ------
    StudioError, BackendSilentError
        If one of them does not start; the message names the log.
    """
    folder = folder.resolve()
    studio = Studio(folder / "label-studio", files_root=folder / "files", port=_STUDIO_PORT)
    studio.start(on_progress=on_progress)
    try:
        settings = _settings(folder, studio)
        _write_env_file(folder, settings)
        process = _start_backend(folder, settings)
        try:
            on_progress("The backend starts.")
            backend = Backend(settings)
            backend.wait_until(
                lambda status: status["embedder"] is not None,
                lambda: process.poll() is None,
                _START_LIMIT_S,
            )
            on_progress(f"The backend answers at {settings.backend_url}.")
            yield Running(studio, settings, backend, process)
        finally:
            _end(process)
    finally:
        studio.stop()


def remember_project(settings: Settings, folder: Path, project_id: int) -> Settings:
    """Let the other commands know which project the demo is about."""
    known = replace(settings, project=project_id)
    _write_env_file(folder.resolve(), known)
    return known


def is_in_order(project: dict[str, Any] | None, n_clips: int) -> bool:
    """Tell whether every clip has been heard and the first order is published."""
    if project is None or project["n_clips"] < n_clips:
        return False
    n_tried = project["n_embedded"] + project["n_unheard"]
    is_published = project["n_published"] > 0 or project["n_ranked"] == 0
    return bool(n_tried >= project["n_clips"] and is_published and not project["is_waiting"])


def _settings(folder: Path, studio: Studio) -> Settings:
    settings = replace(
        Settings.from_env(dict(os.environ)),
        label_studio_url=studio.url,
        api_key=studio.credentials.token,
        data_dir=folder / "earmark",
        database_url="",
        host="127.0.0.1",
        port=free_port(_BACKEND_PORT),
        public_url="",
        pages_address="",
        studio_pages_address="",
        files_root=studio.files_root,
        project=0,
    )
    return replace(settings, secret=read_secret(replace(settings, secret="")))


def _write_env_file(folder: Path, settings: Settings) -> None:
    lines = {
        "LABEL_STUDIO_URL": settings.label_studio_url,
        "LABEL_STUDIO_API_KEY": settings.api_key,
        "EARMARK_SECRET": settings.secret,
        "EARMARK_DATA": settings.data_dir,
        "EARMARK_PORT": settings.port,
        "EARMARK_FILES_ROOT": settings.files_root,
        "EARMARK_PROJECT": settings.project,
    }
    beside = folder / "earmark.env.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with os.fdopen(os.open(beside, flags, 0o600), "w", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in lines.items())
    beside.replace(folder / "earmark.env")


def _start_backend(folder: Path, settings: Settings) -> "subprocess.Popen[bytes]":
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    names = [field for field in os.environ if not field.startswith(("EARMARK_", "LABEL_STUDIO_"))]
    environment = {name: os.environ[name] for name in names}
    for name in ("EARMARK_WEIGHTS", "EARMARK_EMBEDDER", "EARMARK_STRATEGY"):
        if name in os.environ:
            environment[name] = os.environ[name]
    environment["EARMARK_ENV_FILE"] = str(folder / "earmark.env")
    with (settings.data_dir / "earmark.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "importer.cli", "serve"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
