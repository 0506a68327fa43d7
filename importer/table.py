"""Read a table of clips: CSV, TSV, JSON Lines or Parquet, with every column's type kept.

A column is whole numbers, numbers, booleans or text, decided by all of its values; where they
mix, it is text and nothing is lost. Dates become ISO text, which sorts as time does. What is
missing, NaN or infinite is absent from its row. Codes such as ``007`` stay text.
"""

import csv
import datetime
import decimal
import io
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ml_backend.errors import SourceError
from ml_backend.metadata.sanitize import read_json, read_whole_number

Value = str | int | float | bool
Row = dict[str, Value]

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
ABSENT = frozenset({"", "nan", "na", "n/a", "#n/a", "null", "none", "nat"})
BOOLEANS = {"true": True, "false": False}
EXACT_INTEGER = 2**53  # browsers and JSON readers round whole numbers beyond it

_INTEGER = re.compile(r"-?(0|[1-9]\d*)")
_NUMBER = re.compile(r"[-+]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][-+]?\d+)?")


def read_table(path: Path) -> tuple[tuple[str, ...], list[Row]]:
    """Read a table's column names and its rows.

    Raises
    ------
    SourceError
        If it cannot be read, or is no table.
    """
    readers = {".csv": _read_csv, ".tsv": _read_csv, ".parquet": _read_parquet}
    read = readers.get(path.suffix.lower(), _read_json_lines)
    try:
        columns = {clean_text(name).strip(): values for name, values in read(path).items()}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: cannot be read as a table: {error}.") from None
    n_rows = max((len(values) for values in columns.values()), default=0)
    if not n_rows:
        raise SourceError(f"{path}: has no rows. It needs one row per recording.")
    typed = {name: _typed(values) for name, values in columns.items()}
    rows = [
        {name: values[i] for name, values in typed.items() if values[i] is not None}
        for i in range(n_rows)
    ]
    return tuple(columns), rows  # type: ignore[return-value]


def clean_text(text: str) -> str:
    r"""Make a text that JSON and databases can hold: no NUL, no undecodable bytes.

    Examples
    --------
    >>> clean_text("caf\udce9 1\x00")
    'caf� 1'
    """
    decoded = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return decoded.replace("\x00", "")


def _read_csv(path: Path) -> dict[str, list[Any]]:
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")  # what Excel writes on Windows
    header = text.partition("\n")[0]
    separator = max(",;\t|", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    names = list(_unique(name.strip() for name in next(reader, [])))
    rows = [[_parse(cell) for cell in row] for row in reader if any(row)]
    return {
        name: [row[i] if i < len(row) else None for row in rows]
        for i, name in enumerate(names)
        if name  # the nameless row numbers that pandas writes
    }


def _read_json_lines(path: Path) -> dict[str, list[Any]]:
    rows: list[Mapping[str, Any]] = []
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = read_json(line)
            except ValueError:
                row = None
            if not isinstance(row, dict):
                raise SourceError(
                    f"{path}, line {number}: is no JSON object; each line needs one, "
                    'such as {"file": "a.wav", "weather": "rain"}.'
                )
            rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row if name)
    return {name: [row.get(name) for row in rows] for name in names}


def _read_parquet(path: Path) -> dict[str, list[Any]]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowException as error:
        raise SourceError(f"{path}: cannot be read as Parquet: {error}.") from None
    names = [name for name in table.column_names if not name.startswith("__index_level_")]
    return {name: table.column(name).to_pylist() for name in names}


def _unique(names: Iterator[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        number = 2
        candidate = name
        while candidate and candidate in seen:
            candidate, number = f"{name}_{number}", number + 1
        seen.add(candidate)
        yield candidate


class _Spelled(NamedTuple):
    """A CSV cell that is a number or a boolean, if its whole column is."""

    text: str
    value: Value


def _parse(cell: str) -> _Spelled | str | None:
    text = cell.strip()
    folded = text.lower()
    if folded in ABSENT:
        return None
    value: Value | None = BOOLEANS.get(folded)
    if _INTEGER.fullmatch(text):
        value = read_whole_number(text)
    elif _NUMBER.fullmatch(text):
        value = float(text)
    return text if value is None else _Spelled(text, value)


def _typed(values: list[Any]) -> list[Value | None]:
    """Convert all values of a column to one type; a whole column of mixed ones is text."""
    plain = [_plain(value) for value in values]
    read = [value.value if isinstance(value, _Spelled) else value for value in plain]
    kinds = {type(value) for value in read if value is not None}
    is_exact = all(abs(v) <= EXACT_INTEGER for v in read if type(v) is int)
    if kinds <= {bool} or kinds <= {str} or (kinds <= {int, float} and is_exact):
        return [_absent_if_infinite(value) for value in read]
    return [None if value is None else _text(value) for value in plain]


def _plain(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, _Spelled) or value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return clean_text(value) if value else None
    if isinstance(value, decimal.Decimal):
        return _plain(float(value))
    if isinstance(value, list | dict):
        return clean_text(json.dumps(value, default=str, ensure_ascii=False))
    return clean_text(str(value))


def _text(value: Value | _Spelled) -> str:
    if isinstance(value, _Spelled):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _absent_if_infinite(value: Value | None) -> Value | None:
    return None if isinstance(value, float) and not math.isfinite(value) else value
