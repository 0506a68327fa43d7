"""Options that several commands have, and how they are read."""

import re
from pathlib import Path
from typing import Annotated

import typer

from ml_backend.errors import SettingsError
from ml_backend.settings import ENV_FILES, Settings

Labels = Annotated[
    str, typer.Option("--labels", help="Labels to choose from, separated by commas.")
]
_LINK = re.compile(r"(?:https?://\S+?)?/?projects/(\d{1,9})(?:[/?#]\S*)?", re.ASCII)


def project_number(said: str | int) -> int:
    """Read a project's number, or a link to it in Label Studio.

    Examples
    --------
    >>> project_number("7"), project_number("http://127.0.0.1:8080/projects/7/data?tab=2")
    (7, 7)
    """
    text = str(said).strip()
    if re.fullmatch(r"\d{1,9}", text, re.ASCII):
        return int(text)
    if link := _LINK.fullmatch(text):
        return int(link[1])
    raise typer.BadParameter(
        f"{text[:80]!r} names no project; give its number, or its link in Label Studio."
    )


Project = Annotated[
    int,
    typer.Option(
        "--project",
        parser=project_number,
        metavar="N",
        help="The project's number, or its link in Label Studio; default: EARMARK_PROJECT.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def read_settings() -> Settings:
    """Read the settings of a command that speaks to what is set up already.

    Raises
    ------
    SettingsError
        If a setting makes no sense, or nothing is set up here.
    """
    settings = Settings.from_env()
    if not (settings.api_key or settings.secret or settings.data_dir.exists()):
        raise SettingsError(
            f"Nothing is set up here: there is no {' or '.join(ENV_FILES)}, no folder "
            f"{settings.data_dir} and no LABEL_STUDIO_API_KEY. Begin with 'earmark demo', or set "
            "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY and run 'earmark serve'."
        )
    return settings


def choose_project(settings: Settings, chosen: int) -> int:
    """Return which project a command is about.

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
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: is no text in UTF-8.") from None
