"""Every setting once, read from the environment and nowhere else.

``Settings.from_env`` is the only reader of the environment; everything else is handed a
``Settings``. A file of ``NAME=value`` lines (``earmark.env``, or the one ``earmark demo`` writes)
may stand in for exported variables; exported ones win. A value that a setting cannot have is
refused where it is read, with the reason; secrets are never shown.
"""

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from ml_backend.errors import SettingsError
from ml_backend.settings import checks as must
from ml_backend.settings.env_file import read_env_file
from ml_backend.settings.secret_file import check_secret, keep_secret

ENV_FILES = ("earmark.env", ".demo/earmark.env")
STRATEGIES = (
    "default", "entropy-coverage", "uherding", "typiclust", "dropquery", "badge",
    "mismatch-first", "k-center", "margin", "uncertainty", "random",
)  # fmt: skip
EMBEDDERS = ("mn04", "mn10", "mn20", "mn40", "melstats")
_LARGEST_NUMBER = 2**31 - 1


def _setting(
    name: str,
    meaning: str,
    default: Any = MISSING,
    check: must.Check | None = None,
    *,
    is_secret: bool = False,
) -> Any:
    metadata = {"name": name, "meaning": meaning, "check": check}
    return field(default=default, metadata=metadata, repr=not is_secret)


@dataclass(frozen=True)
class Settings:
    """What a user may set; each field knows its variable and its meaning."""

    label_studio_url: str = _setting(
        "LABEL_STUDIO_URL", "Where Label Studio answers", "http://127.0.0.1:8080", must.address
    )
    api_key: str = _setting(
        "LABEL_STUDIO_API_KEY",
        "A Label Studio token: personal access token or legacy token",
        "",
        must.one_word,
        is_secret=True,
    )
    secret: str = _setting(
        "EARMARK_SECRET",
        "What Label Studio shows the backend (Basic password and webhook header), 16 characters or "
        "more; without it one is made and kept in the data folder",
        "",
        must.one_line,
        is_secret=True,
    )
    data_dir: Path = _setting(
        "EARMARK_DATA", "Folder for the store, prepared clips and weights", Path(".earmark")
    )
    database_url: str = _setting(
        "EARMARK_DATABASE_URL",
        "SQLAlchemy address of the store; empty means SQLite in the data folder",
        "",
        must.store_address,
        is_secret=True,
    )
    project: int = _setting(
        "EARMARK_PROJECT",
        "Project that commands are about where none is named; 0 means none",
        0,
        must.between(0, _LARGEST_NUMBER),
    )
    host: str = _setting("EARMARK_HOST", "Address the backend listens on", "127.0.0.1", must.host)
    port: int = _setting(
        "EARMARK_PORT", "Port the backend listens on", 9090, must.between(1, 65_535)
    )
    public_url: str = _setting(
        "EARMARK_URL",
        "Where Label Studio reaches the backend; empty means host and port. "
        "The host needs a dot, or Label Studio creates no webhook",
        "",
        must.address,
    )
    pages_address: str = _setting(
        "EARMARK_PAGES_URL",
        "Where people's browsers reach the backend's pages; empty means `EARMARK_URL`",
        "",
        must.address,
    )
    studio_pages_address: str = _setting(
        "EARMARK_STUDIO_PAGES_URL",
        "Where people's browsers reach Label Studio; empty means `LABEL_STUDIO_URL`",
        "",
        must.address,
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
        must.hosts,
    )
    embedder: str = _setting(
        "EARMARK_EMBEDDER",
        "mn04, mn10, mn20, mn40 or melstats",
        EMBEDDERS[0],
        must.one_of(EMBEDDERS),
    )
    weights: Path | None = _setting(
        "EARMARK_WEIGHTS",
        "File or folder of weights; empty means download and cache",
        None,
        must.existing,
    )
    strategy: str = _setting(
        "EARMARK_STRATEGY",
        "Query strategy: " + ", ".join(STRATEGIES),
        STRATEGIES[0],
        must.one_of(STRATEGIES),
    )
    names: str = _setting(
        "EARMARK_NAMES",
        "What class names mean to AudioSet, where Earmark guesses wrong: "
        "`siren=Siren\\|Police car (siren);hum=`",
        "",
        must.class_names,
    )
    audit_share: float = _setting(
        "EARMARK_AUDIT_SHARE",
        "Share of the clips that are drawn at random, labeled to measure and not trained on",
        0.07,
        must.between(0, 0.5),
    )
    threshold: str = _setting(
        "EARMARK_THRESHOLD",
        "What classes are predicted for: `f1`; `balanced` (balanced accuracy: most of a rare class "
        "is found, and much is taken for it); or `precision:0.9` (9 of 10 predictions are right)",
        "f1",
        must.objective,
    )
    head_size: int = _setting(
        "EARMARK_HEAD_SIZE",
        "How many clips a round publishes at once",
        50,
        must.between(1, _LARGEST_NUMBER),
    )
    debounce_s: float = _setting(
        "EARMARK_DEBOUNCE_S",
        "How long a project must be quiet before a round, in s",
        0.3,
        must.seconds(0),
    )
    poll_s: float = _setting(
        "EARMARK_POLL_S",
        "How often a project is checked although no event came, in s",
        60.0,
        must.seconds(0.1),
    )
    quiet_s: float = _setting(
        "EARMARK_QUIET_S",
        "How long it must be quiet before the rest is published, in s",
        20.0,
        must.seconds(0.1),
    )

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] | None = None, *, env_file: Path | None = None
    ) -> "Settings":
        """Read the settings from the environment, and from an env file where one lies.

        Parameters
        ----------
        environ : mapping, optional
            Instead of the environment and any file.
        env_file : Path, optional
            The file to read, if it is there, instead of the one that is looked for.

        Raises
        ------
        SettingsError
            If a value cannot be what its setting needs.

        Examples
        --------
        >>> Settings.from_env({"EARMARK_PORT": "9191"}).port
        9191
        """
        filed: Mapping[str, str] = {}
        source = None
        if environ is None:
            environ = os.environ
            source, filed = _from_file(env_file)
        given = {**filed, **environ}
        known = {entry.metadata["name"] for entry in fields(cls)} | {"EARMARK_ENV_FILE"}
        must.check_names(given, known)
        values = {}
        for entry in fields(cls):
            name = entry.metadata["name"]
            if text := given.get(name, "").strip():
                where = f" (in {source})" if name in filed and name not in environ else ""
                values[entry.name] = must.read_value(entry, text, where)
        return cls(**values)

    def to_env(self) -> dict[str, str]:
        """Write down every value that there is, paths so that they hold in any folder.

        Examples
        --------
        >>> Settings(audio_hosts=("a.test", "b.test")).to_env()["EARMARK_AUDIO_HOSTS"]
        'a.test,b.test'
        """
        written = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, Path):
                value = value.absolute()
            if value not in (None, "", ()):
                text = ",".join(value) if isinstance(value, tuple) else str(value)
                written[entry.metadata["name"]] = text
        return written

    @property
    def store_url(self) -> str:
        """Return the store's SQLAlchemy address."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'earmark.db'}"

    @property
    def backend_url(self) -> str:
        """Return the address at which Label Studio reaches the backend."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def pages_url(self) -> str:
        """Return the address at which browsers reach the backend's pages."""
        return self.pages_address.rstrip("/") or self.backend_url

    @property
    def studio_pages_url(self) -> str:
        """Return the address at which browsers reach Label Studio."""
        return (self.studio_pages_address or self.label_studio_url).rstrip("/")


def read_secret(settings: Settings) -> str:
    """Return the secret that Label Studio shows the backend; made once where none is set.

    The one that is made lies in the data folder, readable by its owner alone.

    Raises
    ------
    SettingsError
        If the secret that is set or kept is too short to be one.
    """
    if settings.secret:
        return check_secret(settings.secret, "EARMARK_SECRET")
    return keep_secret(settings.data_dir / "secret")


def find_secret(settings: Settings) -> str:
    """Return the secret as far as it is known here, and make none: empty where there is none."""
    is_known = settings.secret or (settings.data_dir / "secret").is_file()
    return read_secret(settings) if is_known else ""


def read_session_key(settings: Settings) -> str:
    """Return the key that visitors' cookies are signed with; made once, kept as the secret is.

    It is another than the secret: whoever holds a cookie could try secrets against it.
    """
    return keep_secret(settings.data_dir / "session_key")


def _from_file(env_file: Path | None) -> tuple[Path | None, dict[str, str]]:
    if env_file is not None:
        return env_file, read_env_file(env_file) if env_file.exists() else {}
    chosen = os.environ.get("EARMARK_ENV_FILE")
    for name in [chosen] if chosen else ENV_FILES:
        path = Path(name)
        if path.exists():
            return path, read_env_file(path)
    if chosen:
        raise SettingsError(f"EARMARK_ENV_FILE names {chosen}, and there is no such file.")
    return None, {}
