"""Every setting once, read from the environment and nowhere else.

``Settings.from_env`` is the only reader of the environment; everything else is handed a
``Settings``. A file of ``NAME=value`` lines (``earmark.env``, or the one ``earmark demo`` writes)
may stand in for exported variables; exported ones win.
"""

import contextlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from ml_backend.errors import SettingsError

ENV_FILES = ("earmark.env", ".demo/earmark.env")
STRATEGIES = (
    "default", "entropy-coverage", "uherding", "typiclust", "dropquery", "badge",
    "mismatch-first", "k-center", "margin", "uncertainty", "random",
)  # fmt: skip


def _setting(name: str, meaning: str, default: Any = MISSING) -> Any:
    return field(default=default, metadata={"name": name, "meaning": meaning})


@dataclass(frozen=True)
class Settings:
    """What a user may set; each field knows its variable and its meaning."""

    label_studio_url: str = _setting(
        "LABEL_STUDIO_URL", "Where Label Studio answers", "http://127.0.0.1:8080"
    )
    api_key: str = _setting(
        "LABEL_STUDIO_API_KEY", "A Label Studio token: legacy or personal access token", ""
    )
    secret: str = _setting(
        "EARMARK_SECRET",
        "What Label Studio shows the backend (Basic password and webhook header); "
        "without it one is made and kept in the data folder",
        "",
    )
    data_dir: Path = _setting(
        "EARMARK_DATA", "Folder for the store, prepared clips and weights", Path(".earmark")
    )
    database_url: str = _setting(
        "EARMARK_DATABASE_URL",
        "SQLAlchemy address of the store; empty means SQLite in the data folder",
        "",
    )
    project: int = _setting(
        "EARMARK_PROJECT", "Project that commands are about where none is named; 0 means none", 0
    )
    host: str = _setting("EARMARK_HOST", "Address the backend listens on", "127.0.0.1")
    port: int = _setting("EARMARK_PORT", "Port the backend listens on", 9090)
    public_url: str = _setting(
        "EARMARK_URL",
        "Where Label Studio reaches the backend; empty means host and port. "
        "The host needs a dot, or Label Studio creates no webhook",
        "",
    )
    pages_address: str = _setting(
        "EARMARK_PAGES_URL",
        "Where people's browsers reach the backend's pages; empty means `EARMARK_URL`",
        "",
    )
    studio_pages_address: str = _setting(
        "EARMARK_STUDIO_PAGES_URL",
        "Where people's browsers reach Label Studio; empty means `LABEL_STUDIO_URL`",
        "",
    )
    files_root: Path | None = _setting(
        "EARMARK_FILES_ROOT",
        "Label Studio's local-files document root, where the backend may read it from disk",
        None,
    )
    audio_hosts: tuple[str, ...] = _setting(
        "EARMARK_AUDIO_HOSTS",
        "Hosts, besides Label Studio, that clips may be fetched from, separated by commas",
        (),
    )
    embedder: str = _setting("EARMARK_EMBEDDER", "mn04, mn10, mn20, mn40 or melstats", "mn04")
    weights: Path | None = _setting(
        "EARMARK_WEIGHTS", "File or folder of weights; empty means download and cache", None
    )
    strategy: str = _setting(
        "EARMARK_STRATEGY", "Query strategy: " + ", ".join(STRATEGIES), STRATEGIES[0]
    )
    names: str = _setting(
        "EARMARK_NAMES",
        "What class names mean to AudioSet, where Earmark guesses wrong: "
        "`siren=Siren\\|Police car (siren);hum=`",
        "",
    )
    audit_share: float = _setting(
        "EARMARK_AUDIT_SHARE",
        "Share of the clips that are drawn at random, labeled to measure and not trained on",
        0.07,
    )
    head_size: int = _setting("EARMARK_HEAD_SIZE", "How many clips a round publishes at once", 50)
    debounce_s: float = _setting(
        "EARMARK_DEBOUNCE_S", "How long a project must be quiet before a round, in s", 0.3
    )
    poll_s: float = _setting(
        "EARMARK_POLL_S", "How often a project is checked although nothing was heard, in s", 60.0
    )
    quiet_s: float = _setting(
        "EARMARK_QUIET_S", "How long it must be quiet before the rest is published, in s", 20.0
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings from the environment, and from an env file where one lies.

        Raises
        ------
        SettingsError
            If a value cannot be what its setting needs.

        Examples
        --------
        >>> Settings.from_env({"EARMARK_PORT": "9191"}).port
        9191
        """
        if environ is None:
            environ = {**_from_files(), **os.environ}
        values = {}
        for entry in fields(cls):
            name = entry.metadata["name"]
            text = environ.get(name, "").strip()
            if text:
                values[entry.name] = _parse(name, str(entry.type), text)
        settings = cls(**values)
        settings._check()
        return settings

    def _check(self) -> None:
        for name, address in [
            ("LABEL_STUDIO_URL", self.label_studio_url),
            ("EARMARK_PAGES_URL", self.pages_address),
            ("EARMARK_STUDIO_PAGES_URL", self.studio_pages_address),
        ]:
            is_default = not address and name != "LABEL_STUDIO_URL"
            if not is_default and not address.startswith(("http://", "https://")):
                raise SettingsError(
                    f"{name} is {address!r}; it must start with http:// or https://."
                )
        if self.strategy not in STRATEGIES:
            raise SettingsError(
                f"EARMARK_STRATEGY is {self.strategy!r}; choose one of {', '.join(STRATEGIES)}."
            )
        if not 0 <= self.audit_share <= 0.5:
            raise SettingsError(
                f"EARMARK_AUDIT_SHARE is {self.audit_share}; it must be between 0 and 0.5."
            )
        for name, number in [
            ("EARMARK_HEAD_SIZE", self.head_size),
            ("EARMARK_POLL_S", self.poll_s),
            ("EARMARK_QUIET_S", self.quiet_s),
            ("EARMARK_PORT", self.port),
        ]:
            if not number > 0:  # so that NaN is refused as well
                raise SettingsError(f"{name} is {number}; it must be greater than 0.")
        if self.port > 65535:
            raise SettingsError(f"EARMARK_PORT is {self.port}; ports end at 65535.")

    @property
    def store_url(self) -> str:
        """Give the store's SQLAlchemy address."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'earmark.db'}"

    @property
    def backend_url(self) -> str:
        """Give the address at which Label Studio reaches the backend."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def pages_url(self) -> str:
        """Give the address at which browsers reach the backend's pages."""
        return self.pages_address.rstrip("/") or self.backend_url

    @property
    def studio_pages_url(self) -> str:
        """Give the address at which browsers reach Label Studio."""
        return (self.studio_pages_address or self.label_studio_url).rstrip("/")


def read_secret(settings: Settings) -> str:
    """Give the secret that Label Studio shows the backend; made once where none is set.

    The one that is made lies in the data folder, readable by its owner alone.
    """
    return settings.secret or _keep(settings.data_dir / "secret")


def read_session_key(settings: Settings) -> str:
    """Give the key that visitors' cookies are signed with; made once, kept as the secret is.

    It is another than the secret: whoever holds a cookie could try secrets against it.
    """
    return _keep(settings.data_dir / "session_key")


def _keep(path: Path) -> str:
    """Give what lies in a file; where there is none, make up a secret and keep it there."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with contextlib.suppress(FileExistsError), os.fdopen(os.open(path, flags, 0o600), "w") as f:
            f.write(secrets.token_urlsafe(24))
    return path.read_text(encoding="utf-8").strip()


def _parse(name: str, kind: str, text: str) -> Any:
    try:
        if "Path" in kind:
            return Path(text).expanduser()
        if "tuple" in kind:
            return tuple(part.strip() for part in text.split(",") if part.strip())
        if "int" in kind:
            return int(text)
        if "float" in kind:
            return float(text)
    except ValueError:
        raise SettingsError(f"{name} is {text!r}; it must be a number.") from None
    return text


def _from_files() -> dict[str, str]:
    chosen = os.environ.get("EARMARK_ENV_FILE")
    for name in [chosen] if chosen else ENV_FILES:
        path = Path(name)
        if path.exists():
            return parse_env_file(path.read_text(encoding="utf-8"))
    if chosen:
        raise SettingsError(f"EARMARK_ENV_FILE names {chosen}, and there is no such file.")
    return {}


def parse_env_file(text: str) -> dict[str, str]:
    r"""Read ``NAME=value`` lines; blank lines and lines that start with ``#`` say nothing.

    Examples
    --------
    >>> parse_env_file("# here\nEARMARK_PORT=9191\n")
    {'EARMARK_PORT': '9191'}
    """
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {
        name.strip(): value.strip() for name, value in pairs if not name.strip().startswith("#")
    }
