"""The login of the one user that an embedded Label Studio is born with: made once, and kept."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ml_backend.errors import StudioError

USERNAME = "annotator@earmark.local"


@dataclass(frozen=True)
class Credentials:
    """A user's name, password and legacy token."""

    username: str
    password: str = field(repr=False)
    token: str = field(repr=False)


def read_login(path: Path) -> Credentials:
    """Read a login; where there is none, make one that this user alone can read.

    Raises
    ------
    StudioError
        If the file is damaged.
    """
    if not path.exists():
        made = Credentials(USERNAME, secrets.token_urlsafe(12), secrets.token_hex(20))
        _write_private(path, json.dumps(asdict(made), indent=2))
    try:
        return Credentials(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise StudioError(f"{path} is damaged; restore it, or begin with a new folder.") from None


def _write_private(path: Path, text: str) -> None:
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    beside.replace(path)
