"""Files of ``NAME=value`` lines that stand in for exported variables.

They are read by python-dotenv's parser; its ``dotenv_values`` skips lines that cannot be read. A
line may begin with ``export``, a value may stand in single or double quotes, and ``#`` opens a
comment. A ``$`` is a plain character.
"""

import io
import os
import re
from collections.abc import Mapping
from pathlib import Path

from ml_backend.errors import SettingsError

_PLAIN = re.compile(r"[\w@%+=:;,./|~-]*", re.ASCII)


def read_env_file(path: Path) -> dict[str, str]:
    """Read the variables of a file.

    Raises
    ------
    SettingsError
        If it cannot be read, or a line of it cannot.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: is no text in UTF-8.") from None
    return parse_env_file(text, str(path))


def parse_env_file(text: str, name: str = "the env file") -> dict[str, str]:
    r"""Read the variables in a text.

    Parameters
    ----------
    name : str
        What to call the file in messages.

    Raises
    ------
    SettingsError
        If a line is none of ``NAME=value``. The line itself is not shown: it may be a secret.

    Examples
    --------
    >>> parse_env_file("# here\nexport EARMARK_PORT=9191  # free\nEARMARK_NAMES='hum='\n")
    {'EARMARK_PORT': '9191', 'EARMARK_NAMES': 'hum='}
    """
    from dotenv.parser import parse_stream

    found = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or (binding.key and binding.value is None):
            skipped = binding.original.string
            line = binding.original.line + skipped[: len(skipped) - len(skipped.lstrip())].count(
                "\n"
            )
            raise SettingsError(f"{name}, line {line}: cannot be read; write NAME=value.")
        if binding.key and binding.value is not None:
            found[binding.key] = binding.value
    return found


def write_env_file(path: Path, values: Mapping[str, object]) -> None:
    """Write variables, readable by this user alone; the file is there as a whole or as it was.

    ``dotenv.set_key`` writes one variable at a time: ended in between, it leaves a part of them.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_env_file(Path(folder) / "a.env", {"EARMARK_DATA": "/it's here/#1"})
    ...     read_env_file(Path(folder) / "a.env")
    {'EARMARK_DATA': "/it's here/#1"}
    """
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(beside, flags, 0o600), "w", encoding="utf-8") as file:
        file.writelines(f"{name}={_quoted(str(value))}\n" for name, value in values.items())
    beside.replace(path)


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
