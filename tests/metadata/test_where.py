"""The filter language: read one clip at a time in plain Python it says the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.errors import ExpressionError
from ml_backend.metadata.columns import Columns
from ml_backend.metadata.where import MAX_LENGTH, matching
from tests.counting import n_calls

ROWS = [
    {"salience": 1, "recorded_at": "2024-05-01T20:15:00", "clip": "Siren 1.wav", "wet": True},
    {"salience": 2, "recorded_at": "2024-05-02 08:00:00+02:00", "clip": "dog.wav", "wet": False},
    {"salience": 1, "recorded_at": "2024-04-30T23:59:59Z", "clip": "dog 2.wav", "wind speed": 3.5},
    {"salience": "", "recorded_at": None, "clip": "rain.wav", "wind speed": -1, "class": "x"},
]
NUMBERS = (-1, 0, 0.5, 1, 2, 3)
WORDS = ("rain", "Rain", "dog", "o", "", "-", "2024-05-01", "2024-05-01T20:15:00", "it's `so`\\")


def found(expression, rows=ROWS):
    return np.flatnonzero(matching(expression, Columns(rows))).tolist()


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("salience == 1", [0, 2]),
        ("salience != 1", [1]),
        ("not salience == 1", [1]),
        ("not salience != 1", [0, 2]),
        ("1 < salience", [1]),
        ("0 < salience <= 1", [0, 2]),
        ("3 > salience > 1", [1]),
        ("salience in [1, 7]", [0, 2]),
        ("salience not in (1, 7)", [1]),
        ("salience in []", []),
        ("missing(salience)", [3]),
        ("not missing(salience)", [0, 1, 2]),
        ("salience == 1 or missing(salience)", [0, 2, 3]),
        ("salience == 1 or clip == 'rain.wav'", [0, 2, 3]),
        ("salience == 1 and clip != 'rain.wav'", [0, 2]),
        ("hour(recorded_at) >= 20", [0, 2]),
        ("8 <= hour(recorded_at) < 20", [1]),
        ("hour(recorded_at) in [8, 23]", [1, 2]),
        ("salience == 1 and hour(recorded_at) >= 20", [0, 2]),
        ('date(recorded_at) >= "2024-05-01"', [0, 1]),
        ('date(recorded_at) == "2024-05-02"', [1]),
        ('recorded_at >= "2024-05-01"', [0, 1]),
        ('"siren" in clip', [0]),
        ('"DOG" in clip', [1, 2]),
        ('"dog" not in clip', [0, 3]),
        ('"08" in recorded_at', [1]),
        ('clip in {"dog.wav", "none"}', [1]),
        ('clip > "dog"', [1, 2, 3]),
        ("wet", [0]),
        ("not wet", [1]),
        ("wet == False", [1]),
        ("`wind speed` > 0", [2]),
        ("missing(`wind speed`) and not wet", [1]),
        ("`wind speed` == -1", [3]),
        ('`class` == "x"', [3]),
        ("`salience`==1 or`wind speed`>0", [0, 2]),
        ("  (salience == 2)  # quieter", [1]),
    ],
)
def test_an_expression_finds_its_clips(expression, rows):
    assert found(expression) == rows


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("saliense == 1", ["'saliense'", "Is it salience?", "salience, recorded_at", "`class`"]),
        ("`no such` == 1", ["'no such'", "`wind speed`"]),
        ('salience == "1"', ["salience is a number column (1, 2)", "a number", "'1'"]),
        ("salience == True", ["a number", "True"]),
        ("salience in [1, 'x']", ["salience", "'x'"]),
        ("clip == 3", ["clip is a text column ('Siren 1.wav', 'dog 2.wav', ", "in quotes", "3"]),
        ("wet == 1", ["wet is a boolean column (False, True)", "True or False"]),
        ("wet < True", ["==", "!="]),
        ("salience == None", ["missing(salience)"]),
        ("salience is None", ["missing"]),
        ("`wind speed` != None", ["missing(`wind speed`)"]),
        ("salience", ["number column", "compare it"]),
        ('"x" in salience', ["salience is a number column", "words"]),
        ("salience in clip", ["'in' wants"]),
        ("1 in [1]", ["1 in [1]", "'in' wants"]),
        ("salience in 3", ["'in' wants"]),
        ("3 == 3", ["3 and 3", "a column, the other a value"]),
        ("salience == `wind speed`", ["salience and `wind speed`", "the other a value"]),
        ("hour(salience) > 3", ["salience is a number column", "hour()"]),
        ("date(clip) > '2024-05-01'", ["clip is a text column", "date()"]),
        ('date(recorded_at) > "May"', ["a date like", "'May'"]),
        ('hour(recorded_at) == "20"', ["hour(recorded_at) is a number column (8, 20, 23)"]),
        ("hour('recorded_at') > 3", ["hour('recorded_at')", "name of one column"]),
        ("missing(salience, clip)", ["name of one column"]),
        ("missing(column=clip)", ["name of one column"]),
        ("minute(recorded_at) > 3", ["minute(recorded_at)", "hour(), date() and missing()"]),
        ("salience = 1", ["salience = 1", "=="]),
        ("salience == 1 AND wet", ["cannot be read"]),
        ("class == 'x'", ["backticks"]),
        ("", ["cannot be read"]),
        ("True", ["no condition"]),
        ("`wind speed > 3", ["backtick", "not closed"]),
        ("salience + 1 == 2", ["salience + 1", "neither"]),
        ("-salience == 2", ["-salience", "neither"]),
        ("salience == 1j", ["1j"]),
        ("clip == b'x'", ["b'x'"]),
        ("clip == f'{clip}'", ["the other a value"]),
        ("salience == -True", ["-True"]),
        ("clip.upper == 'X'", ["neither"]),
        ("clip[0] == 'X'", ["neither"]),
        ("(lambda: 1)() == 1", ["neither"]),
        ("__import__('os').system('true')", ["no condition"]),
        ("[wet for wet in clip]", ["no condition"]),
        ("(x := 1) == wet", ["the other a value"]),
        ("salience == 1\x00", ["cannot be read"]),
        ("wet or " * 1_000 + "wet", [f"at most {MAX_LENGTH}"]),
        ("not " * 400 + "wet", ["nested"]),
        ("salience == " + "-" * 1_900 + "1", []),
        ("(" * 900 + "wet" + ")" * 900, []),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_told_in_words(expression, words):
    with pytest.raises(ExpressionError) as caught:
        found(expression)
    for word in words:
        assert word in str(caught.value)
    assert len(str(caught.value)) < 500
    assert "_quoted" not in str(caught.value)


@pytest.mark.parametrize("number", ["9" * 1_000, "-" + "9" * 400, "1e999", str(2**60)])
def test_a_number_beyond_all_numbers_is_one(number):
    assert found(f"salience < {number}") == ([] if number[0] == "-" else [0, 1, 2])


def test_a_column_without_any_value_is_missing_whatever_it_is_compared_with():
    rows = [{"salience": None, "tags": ["a"]}, {"salience": ""}]
    for condition in ("salience == 1", "salience < 'a'", "'a' in salience", "salience", "tags < 3",
                      "hour(salience) > 3", "salience in [1]"):  # fmt: skip
        assert found(condition, rows) == []
        assert found(f"not ({condition})", rows) == []
        assert found(f"{condition} or missing(salience) and missing(tags)", rows) == [0, 1]


def test_where_kinds_mix_a_column_is_text():
    rows = [{"id": 1}, {"id": "a"}, {"id": True}, {"id": 2**60}, {}]
    assert [found(f"id == '{text}'", rows) for text in ("1", "a", "true", str(2**60))] == [
        [0], [1], [2], [3],
    ]  # fmt: skip


def test_numbers_that_no_float_holds_are_told_apart_as_text():
    assert found(f"id == '{2**60}'", [{"id": 2**60}, {"id": 2**60 + 1}]) == [0]


def test_a_column_may_be_called_like_what_stands_for_a_quoted_one():
    assert found("_quoted0_ == 2 and `wind speed` == 1", [{"_quoted0_": 2, "wind speed": 1}]) == [0]


def test_a_name_that_python_would_write_otherwise_is_found_as_it_is():
    assert found("ﬁeld_µ == 1 and `ﬁeld_µ` == 1", [{"ﬁeld_µ": 1}]) == [0]


def test_no_clips_have_no_columns():
    with pytest.raises(ExpressionError, match="none at all"):
        found("salience == 1", [])


# By another road: one row at a time


def cell(name, row):
    value = row.get(name)
    return None if value == "" else value


OPERATORS = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def compared(name, operator, value, is_mirrored):
    written = f"{value!r} {operator} {name}" if is_mirrored else f"{name} {operator} {value!r}"

    def ask(row):
        own = cell(name.strip("`"), row)
        if own is None:
            return None
        return OPERATORS[operator](*((value, own) if is_mirrored else (own, value)))

    return written, ask


def listed(name, values, is_not):
    written = f"{name} {'not ' * is_not}in {values!r}"
    return written, lambda row: asked(cell(name.strip("`"), row), lambda own: own in values, is_not)


def contained(word, is_not):
    written = f"{word!r} {'not ' * is_not}in `where it was`"
    return written, lambda row: asked(
        cell("where it was", row), lambda own: word.lower() in own.lower(), is_not
    )


def hours(operator, value):
    def ask(row):
        own = cell("at", row)
        return None if own is None or len(own) < 13 else OPERATORS[operator](int(own[11:13]), value)

    return f"hour(at) {operator} {value}", ask


def asked(own, ask, is_not):
    return None if own is None else ask(own) != is_not


def joined(word, parts):
    def ask(row):
        answers = [part(row) for _, part in parts]
        decisive = word == "or"
        if decisive in answers:
            return decisive
        return None if None in answers else not decisive

    return "(" + f" {word} ".join(written for written, _ in parts) + ")", ask


def denied(part):
    def ask(row):
        answer = part[1](row)
        return None if answer is None else not answer

    return f"not {part[0]}", ask


LEAVES = st.one_of(
    st.builds(compared, st.just("n"), st.sampled_from(list(OPERATORS)), st.sampled_from(NUMBERS),
              st.booleans()),
    st.builds(compared, st.just("`where it was`"), st.sampled_from(list(OPERATORS)),
              st.sampled_from(WORDS), st.booleans()),
    st.builds(compared, st.just("wet"), st.sampled_from(["==", "!="]), st.booleans(),
              st.booleans()),
    st.builds(listed, st.just("n"), st.lists(st.sampled_from(NUMBERS)), st.booleans()),
    st.builds(listed, st.just("`where it was`"), st.lists(st.sampled_from(WORDS)), st.booleans()),
    st.builds(contained, st.sampled_from(WORDS), st.booleans()),
    st.builds(hours, st.sampled_from(list(OPERATORS)), st.integers(0, 24)),
    st.just(("missing(n)", lambda row: cell("n", row) is None)),
    st.just(("wet", lambda row: cell("wet", row))),
)  # fmt: skip
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.builds(joined, st.sampled_from(["and", "or"]), st.lists(parts, min_size=2, max_size=3)),
        st.builds(denied, parts),
    ),
    max_leaves=6,
)
FULL = {"n": 1, "where it was": "rain", "wet": True, "at": "2024-05-01T20:15:00"}  # fixes the kinds
TABLES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "n": st.sampled_from((*NUMBERS, None, "")),
            "where it was": st.sampled_from((*WORDS, None)),
            "wet": st.sampled_from([True, False, None]),
            "at": st.sampled_from(["2024-05-01T07:00:00", "2024-05-01T21:30:00Z", "2024", None]),
        },
    ),
    max_size=8,
)


@given(TABLES, EXPRESSIONS)
def test_columns_say_what_every_row_says_by_itself(rows, expression):
    written, ask = expression
    rows = [FULL, *rows]
    assert found(written, rows) == [place for place, row in enumerate(rows) if ask(row)]


def test_an_expression_takes_a_few_steps_a_clip():
    rng = np.random.default_rng(0)
    rows = [
        {"salience": int(rng.integers(3)), "clip": f"clip {n}.wav", "wet": n % 3 == 0,
         "recorded_at": f"2024-05-{n % 28 + 1:02d}T{n % 24:02d}:{n % 60:02d}:00"}
        for n in range(2_000)
    ]  # fmt: skip
    expression = 'salience == 1 and hour(recorded_at) >= 20 and not "99" in clip or wet'
    columns = Columns(rows)
    matching(expression, columns)  # reads the columns that it asks for, once
    assert n_calls(lambda: matching(expression, columns)) < 10 * len(rows)  # 5: texts have no loop
