"""Labels and judgments as columns, by the rows of a project's sheet."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.clip import STATES, TaskLabels
from ml_backend.judged import Judged
from ml_backend.web.packed import PackedColumn, category, fraction

NONE_OF_THEM = "none of them"


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
    names = list(class_names)
    code_of: dict[str, int] = {name: code for code, name in enumerate(names)}
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
            name = joined(one.labels, class_names)
            if name not in code_of:
                code_of[name] = len(names)
                names.append(name)
            codes[row] = code_of[name]
    return {
        "label": category("label", codes, names),
        "state": category("state", states, list(STATES.values())),
        "skipped": PackedColumn(
            "skipped", "boolean", (states == place_of["skipped"]).astype(np.uint8)
        ),
    }


def joined(labels: frozenset[str], class_names: tuple[str, ...]) -> str:
    """Write several labels of a clip as one, in the order of the classes."""
    if not labels:
        return NONE_OF_THEM
    place_of = {name: place for place, name in enumerate(class_names)}
    return ", ".join(sorted(labels, key=lambda name: (place_of.get(name, len(place_of)), name)))


def judged_columns(
    judged: Judged | None, rows: NDArray[np.int64], class_names: tuple[str, ...]
) -> dict[str, PackedColumn]:
    """Give what the classifier makes of clips.

    Parameters
    ----------
    judged : Judged or None
    rows : ndarray of int64
        Row of each clip among the judged ones, -1 where it is none of them.
    class_names : tuple of str
        Of the project, where nothing was judged.
    """

    def lined_up(values: NDArray[Any] | None) -> NDArray[np.float64]:
        if values is None or not len(values):
            return np.full(len(rows), np.nan)
        return np.where(rows < 0, np.nan, values[rows])

    rank = np.zeros(len(rows)) if judged is None else np.nan_to_num(lined_up(judged.rank))
    is_ranked = rank > 0
    ranks = np.where(is_ranked, rank, 2**32 - 1).astype(np.uint32)
    columns = [
        _predicted(judged, rows, class_names),
        fraction("entropy", lined_up(judged.entropy if judged else None)),
        fraction("disagreement", lined_up(judged.disagreement if judged else None)),
        fraction("coverage", lined_up(judged.coverage if judged else None), 2.0),
        PackedColumn("rank", "number", ranks),
    ]
    return {column.name: column for column in columns}


def _predicted(
    judged: Judged | None, rows: NDArray[np.int64], class_names: tuple[str, ...]
) -> PackedColumn:
    chosen = judged.predicted() if judged else None
    if judged is None or chosen is None:
        return category("predicted", np.full(len(rows), -1), class_names)
    names = list(judged.class_names)
    if judged.multi_label:
        sets, places = np.unique(chosen, axis=0, return_inverse=True)
        code_of = {name: code for code, name in enumerate(names)}
        codes_of_sets = []
        for one in sets:
            of_clip = np.array(judged.class_names)[one].tolist()
            name = joined(frozenset(of_clip), judged.class_names)
            if name not in code_of:
                code_of[name] = len(names)
                names.append(name)
            codes_of_sets.append(code_of[name])
        codes = np.array(codes_of_sets, dtype=np.int64)[places.ravel()]
    else:
        codes = chosen.argmax(axis=1)
    return category("predicted", np.where(rows < 0, -1, codes[rows]), names)
