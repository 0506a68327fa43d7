"""Find: from a folder or a table to the clips it names."""

import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from importer.file_finder import FileFinder
from importer.table import TABLE_SUFFIXES, Value, clean_text, read_table
from importer.windows import MAX_WINDOWS, check_windows, windows
from ml_backend.audio.reading import duration_of
from ml_backend.errors import AudioError, SourceError

AUDIO_SUFFIXES = (
    ".wav", ".flac", ".ogg", ".mp3", ".aiff", ".m4a", ".aif", ".aifc", ".wave", ".oga", ".opus",
    ".mp2", ".mp4", ".aac", ".ac3", ".wma", ".amr", ".3gp", ".webm", ".mka", ".caf", ".au", ".snd",
    ".w64", ".rf64", ".mov", ".mkv",
)  # fmt: skip
FILE_COLUMNS = (
    "file", "filename", "file_name", "filepath", "file_path", "path", "audio", "audio_file",
    "audio_filename", "audio_path", "wav", "wav_file", "sound", "slice_file_name", "recording",
    "clip",
)  # fmt: skip
LABEL_COLUMNS = ("label", "labels", "class", "classID", "class_id", "target", "category")
RECORDING_COLUMN = "recording_id"


@dataclass(frozen=True)
class Clip:
    """A piece of a recording to be labeled.

    ``duration_s`` is None for a whole recording, ``file`` is its name as people know it, and
    clips with the same ``recording_id`` come from the same recording.
    """

    path: Path
    file: str
    recording_id: str
    onset_s: float = 0.0
    duration_s: float | None = None
    metadata: Mapping[str, Value] = field(default_factory=dict)

    @property
    def span(self) -> str:
        """The piece of the recording in words, such as `` 4–8 s``; empty for a whole one."""
        if self.duration_s is None:
            return ""
        return f" {self.onset_s:g}–{round(self.onset_s + self.duration_s, 3):g} s"


@dataclass(frozen=True)
class Refusal:
    """A clip that cannot be imported, and why."""

    file: str
    reason: str


def scan(
    source: Path,
    *,
    root: Path | None = None,
    takes_any_path: bool = False,
    file_column: str | None = None,
    recording_column: str | None = None,
    exclude_columns: Collection[str] = LABEL_COLUMNS,
    window_s: float | None = None,
    hop_s: float | None = None,
) -> list[Clip | Refusal]:
    """Find the clips of a folder (and the folders in it) or a table, in a fixed order.

    Parameters
    ----------
    source : Path
        A folder, or a CSV, TSV, JSON Lines or Parquet table with one row per recording.
    root : Path, optional
        The folder that holds a table's recordings, which no path may leave; the table's own
        unless given. Bare file names are also looked for in the folders below it.
    takes_any_path : bool
        Whether a table's absolute paths may lead anywhere: only for a table of the user's own.
    file_column, recording_column : str, optional
        The table's columns that name the file, and the recording it is a piece of; found by
        name unless given. Without the second each file is a recording of its own.
    exclude_columns : collection of str
        The table's columns to leave out: those that give the answer away.
    window_s, hop_s : float, optional
        Cut recordings into windows of this length, this far apart, in s; one after the other
        unless ``hop_s`` is given.

    Raises
    ------
    SourceError
        If the source is missing, of no known kind, without audio or without its columns.
    """
    check_windows(window_s, hop_s)
    check_source(source)
    if source.is_dir():
        found = _scan_folder(source)
    else:
        finder = FileFinder(root or source.parent, takes_any_path)
        found = _scan_table(source, finder, file_column, recording_column, exclude_columns)
    if window_s is None:
        return list(found)
    return [piece for clip in found for piece in _cut(clip, window_s, hop_s or window_s)]


def check_source(source: Path) -> None:
    """Raise SourceError if it is neither a folder nor a table."""
    try:
        source.stat()
    except FileNotFoundError:
        raise SourceError(f"{source}: there is no such folder or table.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{shown(str(source))}: cannot be read ({reason}).") from None
    is_table = source.suffix.lower() in TABLE_SUFFIXES and source.is_file()
    if not is_table and not source.is_dir():
        raise SourceError(
            f"{source}: is neither a folder nor a table ({', '.join(TABLE_SUFFIXES)})."
        )


def _scan_folder(folder: Path) -> Iterator[Clip | Refusal]:
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in AUDIO_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )
    if not paths:
        raise SourceError(
            f"{folder}: holds no audio files ({', '.join(AUDIO_SUFFIXES[:6])} and others)."
        )
    for path in paths:
        file = shown(path.relative_to(folder).as_posix())
        yield Clip(path, file, recording_id=file)


def _scan_table(
    table: Path,
    finder: FileFinder,
    file_column: str | None,
    recording_column: str | None,
    exclude_columns: Collection[str],
) -> Iterator[Clip | Refusal]:
    names, rows = read_table(table)
    files = _file_column(table, names, file_column)
    recordings = _recording_column(table, names, recording_column)
    hidden = {name.lower() for name in exclude_columns}
    kept = [
        name
        for name in names
        if name != files
        and name.lower() not in hidden
        and not name == recordings == RECORDING_COLUMN  # it has a place of its own in a task
    ]
    for number, row in enumerate(rows, start=1):
        if files not in row:
            yield Refusal(f"{table.name}, row {number}", f"its column {files!r} names no file.")
            continue
        named = str(row[files])
        path = finder.find(named)
        if isinstance(path, str):
            yield Refusal(shown(named), path)
            continue
        yield Clip(
            path,
            shown(named),
            recording_id=shown(str(row.get(recordings, named))),
            metadata={name: row[name] for name in kept if name in row},
        )


def _file_column(table: Path, names: Sequence[str], chosen: str | None) -> str:
    if chosen is not None:
        return _existing_column(table, names, chosen)
    by_lower = {name.lower(): name for name in reversed(names)}
    for candidate in FILE_COLUMNS:
        if candidate in by_lower:
            return by_lower[candidate]
    raise SourceError(
        f"{table}: no column names the file (such as file, filename, path or audio); "
        f"it has {', '.join(names)}. Say which one it is with --file-column."
    )


def _recording_column(table: Path, names: Sequence[str], chosen: str | None) -> str:
    if chosen is not None:
        return _existing_column(table, names, chosen)
    return RECORDING_COLUMN


def _existing_column(table: Path, names: Sequence[str], chosen: str) -> str:
    if chosen not in names:
        raise SourceError(f"{table}: has no column {chosen!r}; it has {', '.join(names)}.")
    return chosen


def _cut(clip: Clip | Refusal, window_s: float, hop_s: float) -> list[Clip | Refusal]:
    if isinstance(clip, Refusal):
        return [clip]
    try:
        duration_s = duration_of(clip.path)
    except AudioError as error:
        return [Refusal(clip.file, reason_of(error, clip.path))]
    if duration_s / hop_s > MAX_WINDOWS:
        return [
            Refusal(
                clip.file,
                f"its header promises {duration_s / 86_400:.0f} days, more than {MAX_WINDOWS} "
                "windows. If that is true, split it into several files.",
            )
        ]
    return [
        replace(clip, onset_s=onset_s, duration_s=length_s)
        for onset_s, length_s in windows(duration_s, window_s, hop_s)
    ]


def reason_of(error: AudioError, path: Path) -> str:
    """Return an error's reason without the path that a refusal names anyway."""
    return str(error).removeprefix(f"{path}: ")


def shown(name: str) -> str:
    """Return a file's name as it is shown: composed umlauts, no undecodable bytes."""
    return unicodedata.normalize("NFC", clean_text(name))
