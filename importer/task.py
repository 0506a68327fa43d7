"""Describe: from a prepared clip to the Label Studio task that shows it.

Task data holds the fields in ``RESERVED`` and every metadata column with its type, so that the
Data Manager filters and sorts by it; ``meta`` is what annotators see as a table. The names of
folders often give the answer away, so ``clip`` is the file's bare name.
"""

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
