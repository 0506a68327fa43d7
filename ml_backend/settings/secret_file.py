"""Secrets: long enough to be one, and kept in a file that many processes may make at once.

An empty secret would open every door that it is to close, so none is accepted from anywhere.
"""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from ml_backend.errors import SettingsError

FEWEST_CHARACTERS = 16


def check_secret(secret: str, name: str) -> str:
    """Return a secret that is long enough.

    Parameters
    ----------
    name : str
        What the secret is called in the error; the secret itself is not shown.

    Raises
    ------
    SettingsError
        If it has fewer than ``FEWEST_CHARACTERS`` characters.

    Examples
    --------
    >>> check_secret("0123456789abcdef", "EARMARK_SECRET")
    '0123456789abcdef'
    """
    if len(secret) < FEWEST_CHARACTERS:
        raise SettingsError(
            f"{name} has {len(secret)} characters; a secret needs at least {FEWEST_CHARACTERS}. "
            "`openssl rand -hex 16` makes one."
        )
    return secret


def keep_secret(path: Path) -> str:
    """Return the secret in a file; where there is no file, make one that its owner alone may read.

    Raises
    ------
    SettingsError
        If the file cannot be written or read, or holds no secret.
    """
    try:
        if not path.is_file():
            keep_once(path, secrets.token_urlsafe(24))
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SettingsError(f"{path}: the secret cannot be kept there ({reason}).") from None
    if len(secret) < FEWEST_CHARACTERS:
        raise SettingsError(
            f"{path}: holds no secret ({len(secret)} characters; at least {FEWEST_CHARACTERS} are "
            "needed). Remove it: the next start makes a new one, and 'earmark setup' tells "
            "Label Studio."
        )
    return secret


def keep_once(path: Path, text: str) -> None:
    """Write a private file, whole or not at all; one that is there already stays as it is.

    Of several processes that come at once, one wins. A file that cannot be written whole (the disk
    is full) raises OSError and leaves nothing behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
