"""Options that several commands have, and how they are read."""

from pathlib import Path
from typing import Annotated

import typer

from ml_backend.errors import SettingsError
from ml_backend.settings import Settings

Labels = Annotated[
    str, typer.Option("--labels", help="Labels to choose from, separated by commas.")
]
Project = Annotated[
    int, typer.Option("--project", help="The project's number; default: EARMARK_PROJECT.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def choose_project(settings: Settings, chosen: int) -> int:
    """Tell which project a command is about.

    Raises
    ------
    SettingsError
        If none is named, neither by option nor by setting.
    """
    project_id = chosen or settings.project
    if not project_id:
        raise SettingsError("Which project? Give --project N; 'earmark setup' tells its number.")
    return project_id


def split(text: str) -> tuple[str, ...]:
    """Read names that commas separate.

    Examples
    --------
    >>> split("siren, other,siren,")
    ('siren', 'other')
    """
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def read_text(path: Path | None) -> str | None:
    """Read a file that an option names, if it names one.

    Raises
    ------
    SettingsError
        If it cannot be read.
    """
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}).") from None
