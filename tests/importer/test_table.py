"""A table's values keep their types, and nothing in it is lost or made up."""

import datetime

import pytest

from importer.table import read_table
from ml_backend.errors import SourceError


@pytest.fixture
def csv_of(tmp_path):
    def write(text, name="clips.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


def column(path, name="x"):
    return [row.get(name) for row in read_table(path)[1]]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "-2", "30"], [1, -2, 30]),
        (["1", "2.5", "1e3", ".5"], [1, 2.5, 1000.0, 0.5]),
        (["true", "False"], [True, False]),
        (["rain", "sun"], ["rain", "sun"]),
        (["007", "008"], ["007", "008"]),
        (["1", "two", "3.50"], ["1", "two", "3.50"]),
        (["true", "1"], ["true", "1"]),
        (["1", "NaN", "", "n/a"], [1, None, None, None]),
        (["0.5", "inf", "nan"], ["0.5", "inf", None]),
        (["0.5", "1e999"], [0.5, None]),
        (["2023-05-01 20:15", "2023-05-02"], ["2023-05-01 20:15", "2023-05-02"]),
        (["9007199254740993", "1"], ["9007199254740993", "1"]),
        (["9" * 4301, "1"], ["9" * 4301, "1"]),
        ([" spaced ", "x"], ["spaced", "x"]),
    ],
)
def test_a_csv_column_has_the_type_that_all_its_values_have(csv_of, cells, expected):
    values = column(csv_of("file,x\n" + "".join(f"a.wav,{cell}\n" for cell in cells)))
    assert values == expected
    assert [type(value) for value in values] == [type(value) for value in expected]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_the_one_in_the_header(csv_of, separator):
    table = csv_of(f"file{separator}x\na.wav{separator}1\n")
    assert read_table(table) == (("file", "x"), [{"file": "a.wav", "x": 1}])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_umlauts_survive_what_spreadsheets_write(csv_of, encoding):
    table = csv_of("file,x\nBär.wav,Köln\n", encoding=encoding)
    assert read_table(table)[1] == [{"file": "Bär.wav", "x": "Köln"}]


def test_quoted_cells_may_hold_separators_and_lines(csv_of):
    assert column(csv_of('file,x\na.wav,"one, two\nthree"\n')) == ["one, two\nthree"]


def test_nameless_and_repeated_columns_do_not_hide_others(csv_of):
    table = csv_of(",file,x,x\n0,a.wav,1,2\n")
    assert read_table(table) == (("file", "x", "x_2"), [{"file": "a.wav", "x": 1, "x_2": 2}])


def test_short_rows_lack_their_last_values_and_blank_lines_say_nothing(csv_of):
    table = csv_of("file,x\na.wav\n\nb.wav,2\n")
    assert read_table(table)[1] == [{"file": "a.wav"}, {"file": "b.wav", "x": 2}]


def test_json_lines_keep_their_types_and_may_lack_values(csv_of):
    table = csv_of(
        '{"file": "a.wav", "x": 1.5, "wet": true, "site": "A", "more": [1, 2]}\n\n'
        '{"file": "b.wav", "x": NaN, "site": 3, "late": 1}\n',
        "clips.jsonl",
    )
    assert read_table(table)[1] == [
        {"file": "a.wav", "x": 1.5, "wet": True, "site": "A", "more": "[1, 2]"},
        {"file": "b.wav", "site": "3", "late": 1},
    ]


def test_a_number_of_more_digits_than_python_reads_stays_text(csv_of):
    table = csv_of(f'{{"file": "a.wav", "x": {"9" * 4301}}}\n{{"x": 1}}\n', "clips.jsonl")
    assert [row["x"] for row in read_table(table)[1]] == ["9" * 4301, "1"]


def test_parquet_keeps_numbers_booleans_and_dates(tmp_path):
    import pyarrow
    import pyarrow.parquet

    moment = datetime.datetime(2023, 5, 1, 20, 15)
    columns = {
        "file": ["a.wav", "b.wav"],
        "count": [1, None],
        "level": [float("nan"), -3.5],
        "wet": [True, False],
        "at": [moment, None],
        "day": [moment.date(), None],
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "clips.parquet")

    assert read_table(tmp_path / "clips.parquet")[1] == [
        {
            "file": "a.wav",
            "count": 1,
            "wet": True,
            "at": "2023-05-01T20:15:00",
            "day": "2023-05-01",
        },
        {"file": "b.wav", "level": -3.5, "wet": False},
    ]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("clips.csv", "", "has no rows"),
        ("clips.csv", "file,x\n", "has no rows"),
        ("clips.jsonl", '{"file": "a.wav"}\nfile: b.wav\n', "line 2: is no JSON object"),
        ("clips.jsonl", "[1]\n", "line 1: is no JSON object"),
        ("clips.jsonl", "[" * 100_000 + "\n", "line 1: is no JSON object"),
        ("clips.parquet", "file,x\na.wav,1\n", "cannot be read as Parquet"),
    ],
)
def test_what_is_no_table_is_refused_by_name(csv_of, name, text, reason):
    with pytest.raises(SourceError, match=rf"{name}.*{reason}"):
        read_table(csv_of(text, name))
