"""`earmark demo`: everything at once, on this machine, with nothing prepared.

Starts a Label Studio and the backend, sets a project up, imports clips, waits until they are
embedded and ranked, and stays until interrupted. Everything lies in one folder; started again,
it goes on where it was, with the settings it had: ``earmark.env`` in that folder keeps them, and
lets the other commands find it.
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

from importer.backend_client import Backend, BackendSilentError
from importer.demo.label_studio_process import Studio
from importer.demo.ports import free_port
from ml_backend.errors import StudioError
from ml_backend.label_studio import LabelStudio
from ml_backend.settings import Settings, read_secret
from ml_backend.settings.env_file import write_env_file

ENV_FILE = "earmark.env"
LOG = "earmark.log"
LOG_LINES_SHOWN = 5
# What a demo decides by itself, whatever is exported.
_OWN = (
    "label_studio_url", "api_key", "secret", "database_url", "host", "port", "public_url",
    "pages_address", "studio_pages_address", "files_root",
)  # fmt: skip
_START_LIMIT_S = 600.0
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
        """Check whether both are still running."""
        return self.studio.is_running and self.process.poll() is None

    def wait(self, stop: threading.Event) -> None:
        """Wait until told to stop.

        Raises
        ------
        StudioError
            If either ends by itself.
        """
        while not stop.wait(0.5):
            self.check()

    def check(self) -> None:
        """Raise StudioError if either has ended."""
        if not self.studio.is_running:
            raise StudioError(f"Label Studio ended; {self.studio.log_path} says why.")
        if self.process.poll() is not None:
            path = self.settings.data_dir / LOG
            said = path.read_text(encoding="utf-8", errors="replace").splitlines()
            last = "\n".join(said[-LOG_LINES_SHOWN:])
            raise StudioError(f"The backend ended. Its last words ({path}):\n{last}")


def recall(folder: Path, on_progress: Callable[[str], None]) -> Settings:
    """Read the settings of a demo: those it had before, and what is exported now.

    Parameters
    ----------
    folder
        Where the demo is, or will be; nothing is made.
    on_progress
        Is told what the settings are where they are not the default.

    Raises
    ------
    SettingsError
        If a value cannot be what its setting needs.
    """
    folder = folder.absolute()
    said = Settings.from_env(env_file=folder / ENV_FILE)
    own = {name: getattr(Settings(), name) for name in _OWN}
    settings = replace(said, **own, data_dir=folder / "earmark")
    usual = replace(Settings(), data_dir=settings.data_dir).to_env()
    kept = dict(settings.to_env().items() - usual.items())
    if kept:
        listed = ", ".join(f"{name}={value}" for name, value in sorted(kept.items()))
        on_progress(f"Settings: {listed} (kept in {folder / ENV_FILE}; exported ones win).")
    return settings


@contextmanager
def running(
    folder: Path, settings: Settings, on_progress: Callable[[str], None]
) -> Iterator[Running]:
    """Start Label Studio and the backend with everything in one folder; stop both at the end.

    Parameters
    ----------
    folder
        Made if it is not there; holds the data of both.
    settings
        What was recalled of it.
    on_progress
        Hears what is being done, in short sentences.

    Raises
    ------
    StudioError
        If one of them does not start; the message names the log.
    """
    folder = folder.resolve()
    studio = Studio(folder / "label-studio", files_root=folder / "files", port=_STUDIO_PORT)
    studio.start(on_progress=on_progress)
    try:
        settings = replace(
            settings,
            label_studio_url=studio.url,
            api_key=studio.credentials.token,
            port=free_port(_BACKEND_PORT),
            files_root=studio.files_root,
        )
        settings = remember(folder, settings, secret=read_secret(settings))
        process = _start_backend(folder, settings)
        try:
            on_progress("The backend starts.")
            backend = Backend(settings)
            up = Running(studio, settings, backend, process)
            try:
                backend.wait_until(has_embedder, lambda: up.is_alive, _START_LIMIT_S)
            except BackendSilentError:
                up.check()
                raise
            # What was loaded is kept to, though the weights may be there another time.
            name = str(backend.status()["embedder"]).partition("-")[0]
            up = replace(up, settings=remember(folder, settings, embedder=name))
            on_progress(f"The backend answers at {settings.backend_url}.")
            yield up
        finally:
            _end(process)
    finally:
        studio.stop()


def remember(folder: Path, settings: Settings, **changed: Any) -> Settings:
    """Change settings, and keep them for the other commands and the next start."""
    known = replace(settings, **changed)
    write_env_file(folder.resolve() / ENV_FILE, known.to_env())
    return known


def has_embedder(status: dict[str, Any]) -> bool:
    """Check whether the worker that was started has loaded its embedder.

    Until then the status names the one that was at work before it.

    Examples
    --------
    >>> has_embedder({"embedder": "melstats-2", "worker": {"state": "starting"}})
    False
    """
    worker = status["worker"] or {}
    return status["embedder"] is not None and worker.get("state") == "working"


def has_order(project: dict[str, Any]) -> bool:
    """Check whether the backend has published a ranking, or has nothing left to rank.

    Examples
    --------
    >>> has_order({"model_version": None, "n_published": 0, "n_ranked": 0})
    False
    """
    is_published = project["n_published"] > 0 or project["n_ranked"] == 0
    return bool(project["model_version"] and is_published)


def serves(label_studio: LabelStudio, project_id: int, model_version: str) -> bool:
    """Check whether Label Studio's queue follows a version.

    Before the first annotation the next clip must come with a prediction of it; later an
    annotator may have an older clip open, which comes first.
    """
    project = label_studio.project(project_id)
    if project["model_version"] != model_version:
        return False
    if project["num_tasks_with_annotations"] or not project["show_collab_predictions"]:
        return True
    task = label_studio.next_task(project_id) or {"predictions": []}
    return any(one["model_version"] == model_version for one in task["predictions"])


def _start_backend(folder: Path, settings: Settings) -> "subprocess.Popen[bytes]":
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    names = [field for field in os.environ if not field.startswith(("EARMARK_", "LABEL_STUDIO_"))]
    environment = {name: os.environ[name] for name in names}
    environment["EARMARK_ENV_FILE"] = str(folder / ENV_FILE)
    with (settings.data_dir / LOG).open("ab") as log:
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
