"""The sheet of a project: what its tasks say of their clips, as typed columns for pages.

Rows are tasks, in the order of their numbers. The first columns are ``task_id``, ``recording`` and
``clip`` (the display name); metadata follows as ``meta:<its name>``. A column of text whose values
are all ISO dates or times holds dates; one with few distinct values holds categories.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.clip import Task
from ml_backend.metadata.columns import Column, Columns, Kind, read_column
from ml_backend.metadata.iso_time import seconds_of

META = "meta:"
N_CATEGORIES = 100
"""With more distinct values a column is text: too many to pick from."""
_N_ANYWAY = 20
_SHOWN_ELSEWHERE = ("clip", "recording_id")


@dataclass(frozen=True)
class SheetColumn:
    """One column; rows = tasks.

    Attributes
    ----------
    name : str
    kind : Kind
        number, category, text, date or boolean.
    values : ndarray, shape=(n_tasks,)
        Numbers, NaN where missing: booleans are 0 and 1, dates seconds since 1970. Of categories
        and text the place in ``names`` (int32), -1 where missing.
    names : tuple of str
        The distinct values of categories and text, sorted.
    """

    name: str
    kind: Kind
    values: NDArray[Any]
    names: tuple[str, ...] = ()


def lay_out_sheet(
    tasks: Sequence[Task], data: Mapping[int, Mapping[str, Any]]
) -> list[SheetColumn]:
    """Lay out what tasks say.

    Parameters
    ----------
    tasks : sequence of Task
        In the order of their numbers.
    data : mapping of int to mapping
        What each task says of its clip (``clip.told``), by task; a task may be missing.

    Examples
    --------
    >>> tasks = [Task(1, "a", "/a.wav", "r"), Task(2, "b", "/b.wav", "r")]
    >>> columns = lay_out_sheet(tasks, {1: {"salience": 2}, 2: {"salience": None}})
    >>> [(column.name, column.kind, column.values.tolist()) for column in columns]
    [('task_id', 'number', [1, 2]), ('recording', 'category', [0, 0]), ('meta:salience', 'number',
    [2.0, nan])]
    """
    rows = [data.get(task.task_id) or {} for task in tasks]
    columns = Columns(rows)
    task_ids = np.array([task.task_id for task in tasks], dtype=np.int64)
    laid_out = [SheetColumn("task_id", "number", task_ids)]
    recording = read_column([task.recording_id for task in tasks])
    if recording.kind != "empty":
        laid_out.append(_of_text("recording", "category", recording))
    if "clip" in columns:
        clip = read_column([_in_words(row.get("clip")) for row in rows])
        laid_out.append(_of_text("clip", "text", clip))
    shown = [name for name in columns if name not in _SHOWN_ELSEWHERE]
    typed = (_typed(META + name, columns[name]) for name in shown)
    return laid_out + [column for column in typed if column is not None]


def _typed(name: str, column: Column) -> SheetColumn | None:
    """Return a column of metadata with its kind; None if every value is missing."""
    if column.kind == "number":
        known = np.where(np.isfinite(column.values), column.values, np.nan)
        return SheetColumn(name, "number", known)
    if column.kind == "boolean":
        return SheetColumn(name, "boolean", column.values)
    if column.kind == "empty":
        return None
    seconds = [seconds_of(text) for text in column.names]
    if not any(math.isnan(one) for one in seconds):
        return SheetColumn(name, "date", np.array([*seconds, math.nan])[column.values])
    n_known = int((column.values >= 0).sum())
    n_names = len(column.names)
    is_few = n_names <= N_CATEGORIES and (n_names <= _N_ANYWAY or 2 * n_names <= n_known)
    return _of_text(name, "category" if is_few else "text", column)


def _of_text(name: str, kind: Kind, column: Column) -> SheetColumn:
    return SheetColumn(name, kind, column.values.astype(np.int32), column.names)


def _in_words(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else str(value)
