"""How the values of settings are read, and what they must be.

Each check gives the rule that is broken, or None. The rule follows the name and the value in a
message: ``EARMARK_PORT is 70000; <rule>``.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import Field
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ml_backend.errors import SettingsError

Check = Callable[[Any], str | None]

_HOST = re.compile(r"\[?[\w.:-]{1,253}\]?", re.ASCII)
_LONGEST_LABEL = 63
_PREFIX = "EARMARK_"
_NEARLY = 0.8
_LONGEST_SHOWN = 80


def read_value(entry: Field[Any], text: str, where: str) -> Any:
    """Read and check the value of a setting.

    Parameters
    ----------
    entry : Field
        The setting; its metadata holds ``name`` and ``check``, and secrets are not in its repr.
    where : str
        Tells, behind the name, which file it stands in.

    Raises
    ------
    SettingsError
        If the value breaks the rule, which is told.
    """
    value, rule = _parse(str(entry.type), text)
    rule = rule or (entry.metadata["check"](value) if entry.metadata["check"] else None)
    if rule is None:
        return value
    shown = re.sub(r"//[^/]*@", "//***@", text)  # a login in an address
    shown = repr(shown if len(shown) <= _LONGEST_SHOWN else shown[:_LONGEST_SHOWN] + "...")
    said = f" is {shown}" if entry.repr else ""
    raise SettingsError(f"{entry.metadata['name']}{where}{said}; {rule}")


def _parse(kind: str, text: str) -> tuple[Any, str | None]:
    """Return the value, or the rule that the text breaks."""
    if "Path" in kind:
        return Path(text).expanduser(), None
    if "tuple" in kind:
        return tuple(part.strip() for part in text.split(",") if part.strip()), None
    try:
        if "int" in kind:
            return int(text), None
        if "float" in kind:
            return float(text), None
    except ValueError:
        return None, "it must be a whole number." if "int" in kind else "it must be a number."
    return text, None


def check_names(given: Iterable[str], known: Set[str]) -> None:
    """Refuse a variable whose name is nearly that of a setting.

    Raises
    ------
    SettingsError
        With the name that was probably meant.
    """
    ours = {name.removeprefix(_PREFIX): name for name in known if name.startswith(_PREFIX)}
    for name in sorted(set(given) - known):
        rest = name.removeprefix(_PREFIX)
        near = [] if rest == name else get_close_matches(rest, ours, n=1, cutoff=_NEARLY)
        if near:
            raise SettingsError(f"{name} is no setting; did you mean {ours[near[0]]}?")


def one_of(names: Sequence[str]) -> Check:
    """Accept these names."""
    return lambda name: None if name in names else f"choose one of {', '.join(names)}."


def between(low: float, high: float) -> Check:
    """Accept numbers from ``low`` to ``high``; NaN is none of them.

    Examples
    --------
    >>> between(0, 0.5)(1.5), between(0, 0.5)(0.07)
    ('it must be between 0 and 0.5.', None)
    """
    return lambda n: None if low <= n <= high else f"it must be between {low:g} and {high:g}."


def seconds(low: float) -> Check:
    """Accept a finite time of ``low`` s or more."""
    return lambda s: None if low <= s < math.inf else f"it must be a time in s, from {low:g} s on."


def address(text: str) -> str | None:
    """Accept an http(s) address without a login, and nothing at all.

    Examples
    --------
    >>> address("http://127.0.0.1:8080"), address("127.0.0.1:8080")
    (None, 'it must start with http:// or https://.')
    """
    if not text:
        return None
    if not text.startswith(("http://", "https://")):
        return "it must start with http:// or https://."
    try:
        parts = urlsplit(text)
        is_whole = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_whole = False
    if not is_whole or re.search(r"\s", text):
        return "it must be an address such as http://127.0.0.1:8080."
    if "@" in parts.netloc:
        return "it must hold no login."
    if parts.query or parts.fragment:
        return "it must end before '?' and '#'."
    return None


def host(text: str) -> str | None:
    """Accept the name or number of a machine.

    Examples
    --------
    >>> host("0.0.0.0"), host("http://here")
    (None, 'it must be the name or number of a machine alone, such as 127.0.0.1.')
    """
    if _HOST.fullmatch(text) and max(map(len, text.split("."))) <= _LONGEST_LABEL:
        return None
    return "it must be the name or number of a machine alone, such as 127.0.0.1."


def hosts(names: Sequence[str]) -> str | None:
    """Accept names or numbers of machines, with a port or without."""
    if all(host(name) is None for name in names):
        return None
    return "it must be hosts alone, such as sounds.example.org,192.168.0.7:9000."


def one_line(text: str) -> str | None:
    """Accept what fits into a header: printable ASCII."""
    return None if text.isascii() and text.isprintable() else "it must be printable ASCII."


def one_word(text: str) -> str | None:
    """Accept printable ASCII without spaces."""
    return "it must have no spaces." if re.search(r"\s", text) else one_line(text)


def objective(text: str) -> str | None:
    """Accept what a class may be predicted for.

    Examples
    --------
    >>> objective("precision:0.9"), objective("precision:2")
    (None, 'it must be f1, balanced, or a precision between 0 and 1 such as precision:0.9.')
    """
    kind, colon, share = text.partition(":")
    if text in ("f1", "balanced"):
        return None
    if kind == "precision" and colon and re.fullmatch(r"0?\.\d{1,4}", share) and float(share) > 0:
        return None
    return "it must be f1, balanced, or a precision between 0 and 1 such as precision:0.9."


def store_address(text: str) -> str | None:
    """Accept what may be an address of a database; SQLAlchemy knows more."""
    if not text or re.match(r"[\w+]+://", text):
        return None
    return "write it like postgresql+psycopg://user:password@host/name."


def existing(path: Path | None) -> str | None:
    """Accept a file or folder that is there."""
    try:
        is_there = path is None or path.exists()
    except OSError:
        is_there = False
    return None if is_there else "there is no such file or folder."


def class_names(text: str) -> str | None:
    """Accept what ``parse_names`` reads."""
    try:
        parse_names(text)
    except SettingsError:
        return "write it like 'siren=Siren|Police car (siren);hum='."
    return None


def parse_names(text: str) -> dict[str, tuple[str, ...]]:
    """Read ``class=AudioSet name|another;class=...``; nothing behind ``=`` means no name.

    Raises
    ------
    SettingsError
        If a part has no ``=``.

    Examples
    --------
    >>> parse_names("siren=Siren|Police car (siren);hum=")
    {'siren': ('Siren', 'Police car (siren)'), 'hum': ()}
    """
    said = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        class_name, equals, names = part.partition("=")
        if not equals or not class_name.strip():
            raise SettingsError(
                f"EARMARK_NAMES has the part {part!r}; write 'class=AudioSet name|another;...'."
            )
        wanted = (name.strip() for name in names.split("|"))
        said[class_name.strip()] = tuple(name for name in wanted if name)
    return said
