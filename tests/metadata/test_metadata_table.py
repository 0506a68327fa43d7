import math
from datetime import UTC, datetime

import numpy as np
import pytest

from ml_backend.clip import Task
from ml_backend.metadata.table import N_CATEGORIES, lay_out_sheet


def sheet_of(values, name="seen"):
    """The sheet of one column of metadata."""
    tasks = [Task(number, f"k{number}", "/a.wav") for number in range(1, len(values) + 1)]
    data = {task.task_id: {name: value} for task, value in zip(tasks, values, strict=True)}
    columns = {column.name: column for column in lay_out_sheet(tasks, data)}
    return columns.get(f"meta:{name}")


def texts(column):
    return [None if code < 0 else column.names[code] for code in column.values]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, None], "number"),
        ([1, 2.5, math.nan], "number"),
        ([True, False, None], "boolean"),
        (["rain", "sun", "rain"], "category"),
        (["rain", 1, True], "category"),
        (["2024-05-01", "2024-05-02T20:15", None], "date"),
        (["2024-05-01", "yesterday"], "category"),
        (["2024-13-41"], "category"),
        (["20:15", "08:00"], "category"),
    ],
)
def test_all_values_of_a_column_decide_what_it_is(values, kind):
    assert sheet_of(values).kind == kind


@pytest.mark.parametrize("values", [[None, None], [math.nan], ["", ""], [[1], {"a": 2}]])
def test_a_column_that_says_nothing_is_left_out(values):
    column = sheet_of(values)
    assert column is None


def test_what_is_missing_is_missing_whatever_it_was():
    numbers = sheet_of([1.5, None, math.nan, math.inf, -math.inf])
    assert numbers.values[0] == 1.5
    assert np.isnan(numbers.values[1:]).all()
    assert texts(sheet_of(["a", None, math.nan])) == ["a", None, None]


def test_a_date_is_what_the_clock_showed_whatever_its_offset():
    written = ["2024-05-01T20:15:00", "2024-05-01T20:15:00+02:00", "2024-05-01 20:15"]
    column = sheet_of(written)
    assert column.kind == "date"
    assert {datetime.fromtimestamp(second, UTC).hour for second in column.values} == {20}
    assert sheet_of(["2024-05-01"]).values.tolist() == [1714521600.0]


def test_a_missing_date_is_nan():
    assert np.isnan(sheet_of(["2024-05-01", None]).values[1])


def test_five_thousand_distinct_values_are_text_with_a_dictionary():
    values = [f"site {number % 5_000}" for number in range(6_000)]
    column = sheet_of(values)
    assert column.kind == "text"
    assert len(column.names) == 5_000
    assert texts(column) == values


@pytest.mark.parametrize(
    ("n_names", "n_each", "kind"),
    [
        (N_CATEGORIES, 2, "category"),
        (N_CATEGORIES + 1, 2, "text"),
        (N_CATEGORIES, 1, "text"),
        (20, 1, "category"),
    ],
)
def test_few_values_that_come_again_are_categories(n_names, n_each, kind):
    assert sheet_of([f"v{number}" for number in range(n_names)] * n_each).kind == kind


def test_names_with_html_stay_as_they_are():
    assert texts(sheet_of(["<b>rain</b>", "&lt;"], "<i>name</i>")) == ["<b>rain</b>", "&lt;"]


def test_a_task_says_its_clip_and_its_recording():
    tasks = [Task(3, "a", "/a", "r2"), Task(5, "b", "/b", None), Task(9, "c", "/c", "r1")]
    data = {3: {"clip": "x.wav", "recording_id": "r2"}, 9: {"clip": 7, "spectrogram": "/s.png"}}
    columns = lay_out_sheet(tasks, data)
    assert [column.name for column in columns] == ["task_id", "recording", "clip"]
    assert columns[0].values.tolist() == [3, 5, 9]
    assert texts(columns[1]) == ["r2", None, "r1"]
    assert texts(columns[2]) == ["x.wav", None, "7"]
    assert [column.kind for column in columns] == ["number", "category", "text"]


def test_no_tasks_are_an_empty_sheet():
    (column,) = lay_out_sheet([], {})
    assert (column.name, column.values.tolist()) == ("task_id", [])
