"""Read a table of clips whose labels are known, to replay the loop on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from importer.scan import RECORDING_COLUMN, Clip, Refusal, scan
from importer.table import read_table
from ml_backend.clip import content_hash
from ml_backend.errors import SourceError


@dataclass(frozen=True)
class LabeledClips:
    """Clips with one label each, as aligned columns; what had none was left out.

    ``recordings`` holds a number per recording. ``is_pool`` and ``is_test`` say on which side a
    clip is; both are all true where nothing was said.
    """

    paths: tuple[Path, ...]
    clip_keys: tuple[str, ...]
    labels: tuple[str, ...]
    recordings: tuple[int, ...]
    is_pool: tuple[bool, ...]
    is_test: tuple[bool, ...]
    left_out: tuple[Refusal, ...]


def read_labeled_table(
    table: Path,
    *,
    label_column: str,
    group_column: str | None,
    pool: str | None = None,
    test: str | None = None,
    root: Path | None = None,
    file_column: str | None = None,
) -> LabeledClips:
    """Read clips, labels and recordings from a table.

    Parameters
    ----------
    table : Path
        CSV, TSV, JSON Lines or Parquet, one row per clip.
    label_column, group_column : str
        The columns that name the label and the recording; without the second it is the column
        ``recording_id``, or else every clip is a recording of its own.
    pool, test : str, optional
        Which clips may be asked about, and which are measured on: ``column=value[,value]``.
    root, file_column
        As ``scan`` takes them.

    Raises
    ------
    SourceError
        If a column is not there, a condition matches no clip or both match the same one, or the
        same sound comes with two labels.
    """
    names, _ = read_table(table)
    conditions = [_condition(table, names, text) for text in (pool, test)]
    for name in (label_column, group_column):
        _check_column(table, names, name)
    clips: list[Clip] = []
    left_out: list[Refusal] = []
    for clip in scan(
        table,
        root=root,
        file_column=file_column,
        recording_column=group_column,
        exclude_columns=(),
    ):
        if isinstance(clip, Refusal):
            left_out.append(clip)
        elif not _value(clip, label_column):
            left_out.append(Refusal(clip.file, f"its column {label_column!r} is empty."))
        else:
            clips.append(clip)
    first_of: dict[str, Clip] = {}
    for clip in clips:
        try:
            key = content_hash(clip.path.read_bytes())
        except OSError as error:
            left_out.append(Refusal(clip.file, f"cannot be read ({error.strerror})."))
            continue
        twin = first_of.setdefault(key, clip)
        if twin is not clip:
            _check_twins(table, twin, clip, label_column)
            left_out.append(Refusal(clip.file, f"sounds the same as {twin.file}."))
    kept = list(first_of.values())
    sides = [_sides(table, kept, condition) for condition in conditions]
    return LabeledClips(
        paths=tuple(clip.path for clip in kept),
        clip_keys=tuple(first_of),
        labels=tuple(_value(clip, label_column) for clip in kept),
        recordings=_numbers([clip.recording_id for clip in kept]),
        is_pool=sides[0],
        is_test=sides[1],
        left_out=tuple(left_out),
    )


Condition = tuple[str, frozenset[str]]


def _condition(table: Path, names: Sequence[str], text: str | None) -> Condition | None:
    if text is None:
        return None
    column, _, values = text.partition("=")
    if not column or not values:
        raise SourceError(f"{text!r} is no choice of clips; write column=value or column=a,b.")
    _check_column(table, names, column.strip())
    return column.strip(), frozenset(value.strip() for value in values.split(","))


def _check_column(table: Path, names: Sequence[str], column: str | None) -> None:
    if column is not None and column not in names:
        raise SourceError(f"{table}: has no column {column!r}; it has {', '.join(names)}.")


def _check_twins(table: Path, one: Clip, other: Clip, label_column: str) -> None:
    labels = [_value(clip, label_column) for clip in (one, other)]
    if labels[0] != labels[1]:
        raise SourceError(
            f"{table}: {one.file} and {other.file} are the same sound, yet one is labeled "
            f"{labels[0]!r} and the other {labels[1]!r}. Correct the table or remove one."
        )


def _sides(table: Path, clips: Sequence[Clip], condition: Condition | None) -> tuple[bool, ...]:
    if condition is None:
        return (True,) * len(clips)
    column, values = condition
    is_in = tuple(_value(clip, column) in values for clip in clips)
    if not any(is_in):
        found = sorted({_value(clip, column) for clip in clips})
        raise SourceError(
            f"{table}: no clip has {column} = {' or '.join(sorted(values))}; "
            f"there are {', '.join(found[:10])}."
        )
    return is_in


def _value(clip: Clip, column: str) -> str:
    """Return what a clip's row says in a column, as text; nothing where it says nothing."""
    if column == RECORDING_COLUMN and column not in clip.metadata:
        return clip.recording_id
    return str(clip.metadata.get(column, ""))


def _numbers(recording_ids: Sequence[str]) -> tuple[int, ...]:
    numbers: dict[str, int] = {}
    return tuple(numbers.setdefault(name, len(numbers)) for name in recording_ids)
