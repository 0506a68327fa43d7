"""The confusion matrix as rows of cells that lead to the clips they count."""

from dataclasses import dataclass
from math import ceil
from typing import Any

from ml_backend.web.pages.map_links import map_of_clips

_N_HEATS = 5


@dataclass(frozen=True)
class Cell:
    """One number: how much of its row it is (``heat`` 0 to 5), and where its clips are."""

    number: int
    heat: int
    is_right: bool
    words: str
    address: str | None


@dataclass(frozen=True)
class Matrix:
    """Rows of cells under names of columns, by the names of the classes."""

    title: str
    columns: list[str]
    rows: list[tuple[str, list[Cell]]]
    left_out: list[tuple[str, int, str | None]]
    """Classes with labels that nobody could judge, their number, and where these clips are."""
    n_aside: int
    """So many labels are in no cell since they are set aside to measure with."""


def lay_out_matrix(project_id: int, confusion: dict[str, Any], n_labeled: int) -> Matrix:
    """Lay the confusions of so many labels out as a table (``label_errors.count_confusions``).

    Classes by classes where a clip has one label; where it may have several, a row per class and
    what became of its yes and no.
    """
    if isinstance(confusion["counts"][0][0], list):
        return _class_by_class(project_id, confusion)
    names = confusion["class_names"]
    told = [*confusion["wrong"], *confusion.get("right", ())]  # figures of before have no "right"
    clips = {(one["label"], one["predicted"]): one["task_ids"] for one in told}
    rows = []
    for name, counts in zip(names, confusion["counts"], strict=True):
        cells = []
        for other, number in zip(names, counts, strict=True):
            address = _of_clips(project_id, clips.get((name, other)))
            words = f"clips labeled {name}, predicted as {other}"
            cells.append(_cell(number, counts, name == other, words, address))
        rows.append((name, cells))
    n_told = sum(map(sum, confusion["counts"]))
    left_out = [
        (one["label"], len(one["task_ids"]), _of_clips(project_id, one["task_ids"]))
        for one in confusion.get("left_out", ())
    ]
    n_aside = n_labeled - n_told - sum(number for _, number, _ in left_out)
    return Matrix(
        "Predicted class", names, rows, left_out, n_aside if "left_out" in confusion else 0
    )


def _class_by_class(project_id: int, confusion: dict[str, Any]) -> Matrix:
    clips = {(one["class"], one["label"]): one["task_ids"] for one in confusion["wrong"]}
    recognized = {one["class"]: one["task_ids"] for one in confusion.get("right", ())}
    rows = []
    for name, (no, yes) in zip(confusion["class_names"], confusion["counts"], strict=True):
        missed = _of_clips(project_id, clips.get((name, True)))
        claimed = _of_clips(project_id, clips.get((name, False)))
        known = _of_clips(project_id, recognized.get(name))
        cells = [
            _cell(yes[1], yes, True, f"clips labeled {name}, recognized", known),
            _cell(yes[0], yes, False, f"clips labeled {name}, missed", missed),
            _cell(no[1], no, False, f"clips predicted as {name}, not labeled so", claimed),
            _cell(no[0], no, True, f"clips neither labeled nor predicted as {name}", None),
        ]
        rows.append((name, cells))
    columns = ["true positive", "false negative", "false positive", "true negative"]
    return Matrix("Predictions of each class", columns, rows, [], 0)


def _cell(number: int, row: list[int], is_right: bool, words: str, address: str | None) -> Cell:
    heat = ceil(_N_HEATS * number / sum(row)) if number else 0
    return Cell(number, heat, is_right, words, address if number else None)


def _of_clips(project_id: int, task_ids: list[int] | None) -> str | None:
    return map_of_clips(project_id, task_ids) if task_ids else None
