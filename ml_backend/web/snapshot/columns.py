"""Labels and scores as columns, by the rows of a project's sheet."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.clip import STATES, TaskLabels
from ml_backend.label_studio.labeling_page import NONE_OF_THEM
from ml_backend.loop.clip_scores import ClipScores
from ml_backend.metadata.table import SheetColumn
from ml_backend.web.snapshot.packed import PackedColumn, category, fraction, number


def id_column(task_ids: NDArray[np.int64]) -> PackedColumn:
    """Give the tasks' numbers, exactly, in a type that browsers read."""
    is_small = task_ids.max(initial=0) < 2**31
    return PackedColumn("task_id", "number", task_ids.astype(np.int32 if is_small else np.float64))


def places(wanted: NDArray[np.int64], held: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find where each of some ascending numbers stands among others; -1 where it does not."""
    if not len(held):
        return np.full(len(wanted), -1, dtype=np.int64)
    found = np.minimum(np.searchsorted(held, wanted), len(held) - 1)
    return np.where(held[found] == wanted, found, -1)


class _Sets:
    """Numbers sets of labels: first the classes alone, then whatever else is met."""

    def __init__(self, class_names: tuple[str, ...]) -> None:
        self._class_names = class_names
        self._code_of = {frozenset({name}): code for code, name in enumerate(class_names)}

    def code(self, labels: frozenset[str]) -> int:
        """Give the code of a set: two sets never have the same."""
        return self._code_of.setdefault(labels, len(self._code_of))

    def column(self, name: str, codes: NDArray[np.integer[Any]]) -> PackedColumn:
        """Give codes as a column; where there are sets of other than one class, with their classes.

        No two sets have one name, and none that of a class.
        """
        names: list[str] = []
        for labels in self._code_of:
            written = write_set(in_order(labels, self._class_names))
            while written in names:
                written = f"({written})"
            names.append(written)
        column = category(name, codes, names)
        if len(names) == len(self._class_names):
            return column
        members = tuple(tuple(in_order(labels, self._class_names)) for labels in self._code_of)
        return replace(column, members=members)


def label_columns(
    task_ids: NDArray[np.int64],
    labels: dict[int, TaskLabels],
    failed: Iterable[int],
    class_names: tuple[str, ...],
) -> dict[str, PackedColumn]:
    """Give what people said: ``label``, where several labels are one category, and the ``state``.

    ``skipped`` is one of the states, as a column of its own; ``failed`` are the tasks whose audio
    cannot be embedded.
    """
    sets = _Sets(class_names)
    codes = np.full(len(task_ids), -1, dtype=np.int32)
    place_of = {state: place for place, state in enumerate(STATES)}
    states = np.full(len(task_ids), place_of["pool"], dtype=np.int32)
    failed_rows = places(np.array(list(failed), dtype=np.int64), task_ids)
    states[failed_rows[failed_rows >= 0]] = place_of["failed"]
    rows = places(np.array(list(labels), dtype=np.int64), task_ids)
    for row, one in zip(rows.tolist(), labels.values(), strict=True):
        if row < 0:
            continue
        states[row] = place_of[one.state]
        if one.labels is not None:
            codes[row] = sets.code(one.labels)
    return {
        "label": sets.column("label", codes),
        "state": category("state", states, list(STATES.values())),
        "skipped": PackedColumn(
            "skipped", "boolean", (states == place_of["skipped"]).astype(np.uint8)
        ),
    }


def in_order(labels: frozenset[str], class_names: tuple[str, ...]) -> list[str]:
    """List several labels of a clip in the order of the classes."""
    place_of = {name: place for place, name in enumerate(class_names)}
    return sorted(labels, key=lambda name: (place_of.get(name, len(place_of)), name))


def write_set(names: Sequence[str]) -> str:
    """Write the labels of a clip as one; among several, a name that holds a comma is quoted.

    Examples
    --------
    >>> write_set(["bell, church", "dog"])
    '“bell, church”, dog'
    """
    if len(names) < 2:
        return names[0] if names else NONE_OF_THEM
    return ", ".join(f"“{name}”" if "," in name else name for name in names)


def score_columns(
    scores: ClipScores | None, rows: NDArray[np.int64], class_names: tuple[str, ...]
) -> dict[str, PackedColumn]:
    """Give what the classifier makes of clips.

    Parameters
    ----------
    scores : ClipScores or None
    rows : ndarray of int64
        Row of each clip among the scores ones, -1 where it is none of them.
    class_names : tuple of str
        Of the project, where nothing was scores.
    """

    def lined_up(values: NDArray[Any] | None) -> NDArray[np.float64]:
        if values is None or not len(values):
            return np.full(len(rows), np.nan)
        return np.where(rows < 0, np.nan, values[rows])

    rank = np.zeros(len(rows)) if scores is None else np.nan_to_num(lined_up(scores.rank))
    is_ranked = rank > 0
    ranks = np.where(is_ranked, rank, 2**32 - 1).astype(np.uint32)
    columns = [
        _predicted(scores, rows, class_names),
        fraction("entropy", lined_up(scores.entropy if scores else None)),
        fraction("disagreement", lined_up(scores.disagreement if scores else None)),
        fraction("coverage", lined_up(scores.coverage if scores else None), 2.0),
        PackedColumn("rank", "number", ranks),
    ]
    return {column.name: column for column in columns}


def _predicted(
    scores: ClipScores | None, rows: NDArray[np.int64], class_names: tuple[str, ...]
) -> PackedColumn:
    chosen = scores.predicted() if scores else None
    if scores is None or chosen is None:
        return category("predicted", np.full(len(rows), -1), class_names)
    if not scores.multi_label:
        codes = chosen.argmax(axis=1)
        return category("predicted", np.where(rows < 0, -1, codes[rows]), scores.class_names)
    sets = _Sets(scores.class_names)
    distinct, place = np.unique(chosen, axis=0, return_inverse=True)
    names = np.array(scores.class_names)
    of_sets = np.array([sets.code(frozenset(names[one].tolist())) for one in distinct])
    codes = of_sets[place.ravel()]
    return sets.column("predicted", np.where(rows < 0, -1, codes[rows]))


def as_packed(column: SheetColumn) -> PackedColumn:
    """Return a column of the sheet in the packed form."""
    if column.kind in ("category", "text"):
        return category(column.name, column.values, column.names, column.kind)
    if column.kind == "boolean":
        codes = np.where(np.isnan(column.values), -1, column.values).astype(np.int64)
        stored = np.where(codes < 0, 255, codes).astype(np.uint8)
        return PackedColumn(column.name, "boolean", stored)
    if column.kind == "date":
        return PackedColumn(column.name, "date", column.values.astype(np.float64))
    return number(column.name, column.values)
