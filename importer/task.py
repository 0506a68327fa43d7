"""Describe: from a prepared clip to the Label Studio task that shows it.

Task data holds the fields in ``RESERVED`` and every metadata column with its type, so that the
Data Manager filters and sorts by it; ``meta`` is what annotators see as a table. The names of
folders often give the answer away, so ``clip`` is the file's bare name.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from xml.etree.ElementTree import fromstring

from importer.prepare import PreparedClip
from importer.table import Value
from ml_backend.clip import MODEL_COLUMNS
from ml_backend.errors import LabelConfigError
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.metadata.iso_time import is_iso_time

RESERVED = frozenset(
    (
        "audio", "spectrogram", "clip", "recording_id", "onset_s", "duration_s", "content_hash",
        "meta", "id", *MODEL_COLUMNS,
    )
)  # fmt: skip
PREFIX = "meta_"


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


@dataclass(frozen=True)
class Fields:
    """The fields of task data that a label config shows, and the one that holds the sound."""

    audio: str = "audio"
    shown: tuple[str, ...] = ()


def fields_shown(label_config: str, names: Collection[str]) -> Fields:
    """Return which fields of task data a label config shows.

    Parameters
    ----------
    names : collection of str
        What the metadata columns are called in task data.

    Raises
    ------
    LabelConfigError
        If it cannot be learned, or shows a field that no clip has.

    Examples
    --------
    >>> fields_shown(
    ...     '<View><Audio name="a" value="$sound"/><Text name="t" value="$weather"/>'
    ...     '<Choices name="c" toName="a"><Choice value="x"/><Choice value="y"/></Choices></View>',
    ...     ["weather"],
    ... )
    Fields(audio='sound', shown=('sound', 'weather'))
    """
    audio = parse_label_config(label_config).audio_field
    values = [tag.get("value", "") for tag in fromstring(label_config).iter() if tag.get("name")]
    shown = dict.fromkeys(re.split(r"[.\[]", v[1:])[0] for v in values if v.startswith("$"))
    unknown = [name for name in shown if name not in {audio, *RESERVED, *names}]
    if unknown:
        raise LabelConfigError(
            f"The project's label config shows ${', $'.join(unknown)}, and no clip has that. "
            f"There are {', '.join(sorted({*RESERVED, *names} - {'id'}))}. "
            "Import a table that has the column, or take it out of the label config."
        )
    return Fields(audio, tuple(shown))


def column_types(rows: Iterable[Mapping[str, Value]]) -> dict[str, str]:
    """Return which of the Data Manager's types each metadata column of task data is.

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
    return "Datetime" if is_iso_time(value) else "String"


def build_task(
    prepared: PreparedClip,
    *,
    audio: str,
    spectrogram: str,
    names: Mapping[str, str],
    fields: Fields = Fields(),
) -> dict[str, Any]:
    """Describe a prepared clip as a task to import.

    Parameters
    ----------
    audio, spectrogram : str
        The addresses at which Label Studio finds the two files.
    names : mapping of str to str
        What each metadata column is called in task data; see ``data_names``.
    fields : Fields
        What the label config shows; what a clip lacks of it is an empty text.
    """
    clip = prepared.clip
    name = PurePosixPath(clip.file.replace("\\", "/")).name + clip.span
    return {
        "data": {
            **dict.fromkeys(fields.shown, ""),
            "audio": audio,
            "spectrogram": spectrogram,
            "clip": name,
            "recording_id": clip.recording_id,
            "onset_s": clip.onset_s,
            "duration_s": prepared.duration_s,
            "content_hash": prepared.content_hash,
            "meta": {"clip": name, **{c: _in_words(v) for c, v in clip.metadata.items()}},
            **{names[column]: value for column, value in clip.metadata.items()},
            fields.audio: audio,
        }
    }


def _in_words(value: Value) -> Value:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value
