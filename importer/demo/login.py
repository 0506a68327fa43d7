"""The login of the one user that an embedded Label Studio is born with: made once, and kept."""

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ml_backend.errors import SettingsError, StudioError
from ml_backend.settings.secret_file import check_secret, keep_once

USERNAME = "annotator@earmark.local"


@dataclass(frozen=True)
class Credentials:
    """A user's name, password and legacy token."""

    username: str
    password: str = field(repr=False)
    token: str = field(repr=False)

    @property
    def session_key(self) -> str:
        """What Label Studio signs its sessions with, the same at every start.

        One of its own making is not read back where it begins with ``$``: everybody would have to
        log in again after every start.
        """
        return hashlib.sha256(f"sessions {self.token}".encode()).hexdigest()


def read_login(path: Path) -> Credentials:
    """Read a login; where there is none, make one that this user alone can read.

    Raises
    ------
    StudioError
        If the file is damaged.
    """
    if not path.exists():
        made = Credentials(USERNAME, secrets.token_urlsafe(12), secrets.token_hex(20))
        keep_once(path, json.dumps(asdict(made), indent=2))
    try:
        kept = Credentials(**json.loads(path.read_text(encoding="utf-8")))
        check_secret(kept.password, "the password")
        check_secret(kept.token, "the token")
    except (ValueError, TypeError, SettingsError):
        raise StudioError(f"{path} is damaged; restore it, or begin with a new folder.") from None
    return kept
