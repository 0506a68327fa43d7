"""A Label Studio of one's own, in its own environment, on this machine alone.

Label Studio's packages and ours exclude each other, so it runs as a separate program. It listens
on loopback only, keeps everything in one folder, and goes on with the same data and the same
login when started again. ``label_studio.log`` in that folder is locked for as long as it runs.
"""

import fcntl
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import IO

from importer.demo.label_studio_environment import environment
from importer.demo.login import Credentials, read_login
from importer.demo.ports import LOOPBACK, free_port, listens
from ml_backend.errors import LabelStudioError, LabelStudioUnreachableError, StudioError
from ml_backend.label_studio import LabelStudio

DATABASE = "label_studio.sqlite3"
COMMAND = Path(".venv-studio/bin/label-studio")
LOCK_PATIENCE_S = 1.0  # the last one's children may still be ending
LOG_LINES_SHOWN = 15
STOP_TIMEOUT_S = 10.0
TELL_S = 30.0
GOES_ON = "Nothing is lost: the same command goes on from there."


class Studio:
    """An embedded Label Studio; a context manager that starts and stops it.

    Parameters
    ----------
    data_dir
        Where its database, uploads, log and login are kept.
    command
        The ``label-studio`` of the environment it is installed in.
    files_root
        The folder below which it serves local files; ``data_dir / "files"`` by default.
    port
        Preferred port; another is taken when this one is in use.
    database_env
        ``DJANGO_DB`` and ``POSTGRE_*`` to use PostgreSQL instead of SQLite.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        command: Path = COMMAND,
        files_root: Path | None = None,
        port: int = 8080,
        database_env: Mapping[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.files_root = (files_root or self.data_dir / "files").resolve()
        self.port = port
        self.log_path = self.data_dir / "label_studio.log"
        self._command = command.absolute()
        self._database_env = dict(database_env or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers, once started."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether it was started here and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def credentials(self) -> Credentials:
        """The login; it is made once and readable by this user alone."""
        return read_login(self.data_dir / "credentials.json")

    def client(self) -> LabelStudio:
        """Return a client with the token of the first user."""
        return LabelStudio(self.url, self.credentials.token)

    def start(
        self, patience_s: float = 180.0, on_progress: Callable[[str], None] = lambda message: None
    ) -> None:
        """Start it and wait until it answers and its token works.

        Parameters
        ----------
        patience_s
            How long it may write neither to its log nor to its database, which the first start
            prepares for about a minute, and for several on a busy machine.
        on_progress
            Called with what is being done, in short sentences.

        Raises
        ------
        StudioError
            If it is not installed, is running already, ends, or falls silent; with the last lines
            of its log.
        """
        if not self._command.is_file():
            raise StudioError(
                f"{self._command}: Label Studio is not installed there. Run `make studio` first."
            )
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.files_root.mkdir(parents=True, exist_ok=True)
        self.port = free_port(self.port)
        is_first = not (self._database_env or (self.data_dir / DATABASE).exists())
        on_progress(
            "Label Studio prepares its database; this first start takes about a minute."
            if is_first
            else "Label Studio starts; this takes a few seconds."
        )
        with self._locked_log() as log:
            self._process = subprocess.Popen(
                self._arguments(),
                env={
                    **environment(self.credentials, self._command, self.data_dir, self.files_root),
                    **self._database_env,
                },
                cwd=self.data_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        (self.data_dir / "label_studio.pid").write_text(str(self._process.pid))
        try:
            self._wait(patience_s, on_progress)
        except BaseException:
            self.stop()
            raise
        if not self._database_env:
            _use_write_ahead_log(self.data_dir / DATABASE)
        on_progress(f"Label Studio answers at {self.url}.")

    def stop(self) -> None:
        """End it and everything it started; do nothing if it has ended."""
        if self._process is None:
            return
        for sign, patience_s in [(signal.SIGTERM, STOP_TIMEOUT_S), (signal.SIGKILL, 5.0)]:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, sign)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience_s)
                break
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # what its first process left behind
        (self.data_dir / "label_studio.pid").unlink(missing_ok=True)
        self._process = None

    def __enter__(self) -> "Studio":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _locked_log(self) -> IO[bytes]:
        """Open the log; Label Studio inherits the lock and holds it as long as it lives."""
        log = self.log_path.open("ab")
        deadline = time.monotonic() + LOCK_PATIENCE_S
        while not _lock(log):
            if time.monotonic() > deadline:
                log.close()
                pid_path = self.data_dir / "label_studio.pid"
                pid = pid_path.read_text() if pid_path.exists() else "unknown"
                raise StudioError(
                    f"{self.data_dir}: a Label Studio (process {pid}) already runs with this data. "
                    f"Use it, or end it with `kill {pid}`."
                )
            time.sleep(0.05)
        log.truncate(0)
        self.log_path.chmod(0o600)
        return log

    def _arguments(self) -> list[str]:
        where = ["--internal-host", LOOPBACK, "--port", str(self.port)]
        return [str(self._command), "start", "--no-browser", *where]

    def _wait(self, patience_s: float, on_progress: Callable[[str], None]) -> None:
        """Wait until it answers; whatever makes it write shows that it is still at work."""
        assert self._process is not None
        client = self.client()
        began_at = moved_at = told_at = time.monotonic()
        written, n_bytes = self._written(), 0
        while not (listens(self.port) and self._knows_login(client)):
            status = self._process.poll()
            if status is not None:
                raise StudioError(
                    f"Label Studio ended with status {status}. {GOES_ON}{self._last_words()}"
                )
            now = time.monotonic()
            if (present := self._written()) != written:
                written, moved_at = present, now
                # Journals come and go; what is told to have been written never shrinks.
                n_bytes = max(n_bytes, sum(size for size, _ in present))
            if now - moved_at > patience_s:
                raise StudioError(
                    f"Label Studio does not answer at {self.url}, and wrote nothing for "
                    f"{patience_s:.0f} s. {GOES_ON}{self._last_words()}"
                )
            if now - told_at > TELL_S:
                told_at = now
                on_progress(
                    f"Label Studio is still at work after {now - began_at:.0f} s "
                    f"({n_bytes / 1e6:.1f} MB written); it is waited for."
                )
            time.sleep(0.1)

    def _written(self) -> list[tuple[int, int]]:
        """Return size and time of change of its log and its database, migrations under way too."""
        names = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-journal")
        found = []
        for path in (self.log_path, *(self.data_dir / name for name in names)):
            with suppress(FileNotFoundError):
                stat = path.stat()
                found.append((stat.st_size, stat.st_mtime_ns))
        return found

    def _knows_login(self, client: LabelStudio) -> bool:
        """Check whether it answers its first user; a busy machine may take a while."""
        try:
            client.whoami()
        except LabelStudioUnreachableError:
            return False
        except LabelStudioError as error:
            raise StudioError(
                f"What answers at {self.url} does not know the login of {self.data_dir}. Another "
                "Label Studio may have taken the port meanwhile: run the same command again. Else "
                f"give it a database of its own. ({error})"
            ) from None
        return True

    def _last_words(self) -> str:
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        said = "\n".join(lines[-LOG_LINES_SHOWN:])
        for secret in (self.credentials.token, self.credentials.password):
            said = said.replace(secret, "***")
        return f" Its last words ({self.log_path}):\n{said}" if said else ""


def _use_write_ahead_log(database: Path) -> None:
    """Switch SQLite to its write-ahead log, for good.

    With five annotators at once, submits took 0.25 s instead of 0.73 s.
    """
    with (
        suppress(sqlite3.OperationalError),
        closing(sqlite3.connect(f"file:{database}?mode=rw", uri=True, timeout=5.0)) as connection,
    ):
        connection.execute("PRAGMA journal_mode=WAL")


def _lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
