"""Describe: from a prepared clip to the Label Studio task that shows it.

Task data holds the fields in ``RESERVED`` and every metadata column with its type, so that the
Data Manager filters and sorts by it; ``meta`` is what annotators see as a table. The names of
folders often give the answer away, so ``clip`` is the file's bare name.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from importer.prepare import PreparedClip
from importer.table import Value

RESERVED = frozenset(
    (
        "audio", "spectrogram", "clip", "recording_id", "onset_s", "duration_s", "content_hash",
        "meta", "id",
    )
)  # fmt: skip
PREFIX = "meta_"
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?")


def data_names(columns: Iterable[str]) -> dict[str, str]:
    """Name each metadata column as it is called in task data, clear of the reserved names.

    Examples
    --------
    >>> data_names(["weather", "id", "audio", "meta_audio"])
    {'weather': 'weather', 'id': 'meta_id', 'audio': 'meta_meta_audio', 'meta_audio': 'meta_audio'}
    """
    columns = list(columns)
    names: dict[str, str] = {}
    for column in columns:
        name = column
        while name in RESERVED or (name != column and name in columns):
            name = PREFIX + name
        names[column] = name
    return names


def column_types(rows: Iterable[Mapping[str, Value]]) -> dict[str, str]:
    """Tell which of the Data Manager's types each metadata column of task data is.

    Parameters
    ----------
    rows : iterable of mapping
        The metadata of every clip.

    Examples
    --------
    >>> column_types([{"salience": 1, "at": "2026-05-01T20:15:00", "wet": True, "id": "a"}])
    {'salience': 'Number', 'at': 'Datetime', 'wet': 'Boolean', 'meta_id': 'String'}
    """
    kinds: dict[str, set[str]] = {}
    for row in rows:
        for column, value in row.items():
            kinds.setdefault(column, set()).add(_type_of(value))
    names = data_names(kinds)
    return {
        names[column]: kind.pop() if len(kind) == 1 else "String" for column, kind in kinds.items()
    }


def _type_of(value: Value) -> str:
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int | float):
        return "Number"
    return "Datetime" if _ISO_DATE.fullmatch(value) else "String"


def build_task(
    prepared: PreparedClip, *, audio: str, spectrogram: str, names: Mapping[str, str]
) -> dict[str, Any]:
    """Describe a prepared clip as a task to import.

    Parameters
    ----------
    audio, spectrogram : str
        The addresses at which Label Studio finds the two files.
    names : mapping of str to str
        What each metadata column is called in task data; see ``data_names``.
    """
    clip = prepared.clip
    name = PurePosixPath(clip.file.replace("\\", "/")).name + clip.span
    return {
        "data": {
            "audio": audio,
            "spectrogram": spectrogram,
            "clip": name,
            "recording_id": clip.recording_id,
            "onset_s": clip.onset_s,
            "duration_s": prepared.duration_s,
            "content_hash": prepared.content_hash,
            "meta": {"clip": name, **{c: _in_words(v) for c, v in clip.metadata.items()}},
            **{names[column]: value for column, value in clip.metadata.items()},
        }
    }


def _in_words(value: Value) -> Value:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value
