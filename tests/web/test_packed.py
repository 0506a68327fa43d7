import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.web.snapshot.packed import (
    DTYPES,
    PackedColumn,
    category,
    fraction,
    number,
    pack,
    unpack,
)

SIZES = {"u1": "B", "u2": "H", "u4": "I", "i4": "i", "f4": "f", "f8": "d"}
NAMES = st.text(max_size=8)
COLUMNS = st.integers(0, 9).flatmap(
    lambda n: st.lists(
        st.tuples(
            NAMES,
            st.sampled_from(DTYPES),
            st.lists(st.integers(0, 200), min_size=n, max_size=n),
            st.none() | st.lists(NAMES, max_size=3),
        ),
        unique_by=lambda one: one[0],
        max_size=4,
    )
)


def decode_slowly(packed):
    """Read the packed form number by number, as its description says."""
    (length,) = struct.unpack_from("<I", packed)
    header = json.loads(packed[4 : 4 + length].decode())
    columns = {}
    for entry in header.pop("columns"):
        letter = SIZES[entry["dtype"]]
        assert entry["offset"] % 8 == 0
        values = []
        for row in range(header["n"]):
            at = entry["offset"] + row * struct.calcsize(letter)
            (value,) = struct.unpack_from(f"<{letter}", packed, at)
            is_missing = value != value or (
                letter in "BHI" and value == 2 ** (8 * struct.calcsize(letter)) - 1
            )
            values.append(None if is_missing else value * entry.get("scale", 1))
        if entry.get("names") is not None and entry["kind"] in ("category", "text"):
            values = [None if code is None else entry["names"][code] for code in values]
        columns[entry["name"]] = values
    return header, columns


@given(COLUMNS)
def test_what_is_packed_is_unpacked_again(drawn):
    columns = [
        PackedColumn(name, "number", np.array(values, dtype=dtype), 0.5, names and tuple(names))
        for name, dtype, values, names in drawn
    ]
    told, found = unpack(pack(columns, title="<b>Straße</b>"))
    assert told == {"n": len(columns[0].stored) if columns else 0, "title": "<b>Straße</b>"}
    assert list(found) == [column.name for column in columns]
    for column in columns:
        again = found[column.name]
        assert again.stored.dtype == column.stored.dtype
        assert again.stored.tolist() == column.stored.tolist()
        assert (again.kind, again.scale, again.names or ()) == ("number", 0.5, column.names or ())


def test_a_slow_reader_finds_the_same_numbers():
    columns = [
        PackedColumn("task_id", "number", np.array([7, 8, 2**31 - 1], dtype=np.int32)),
        fraction("entropy", np.array([0.0, np.nan, 0.25])),
        fraction("coverage", np.array([2.0, 1.0, np.nan]), 2.0),
        category("label", np.array([1, -1, 0]), ["bark", "<i>siren</i>"]),
        number("salience", np.array([np.nan, 1, 2])),
        number("level_db", np.array([np.nan, -3.25, 1e12])),
    ]
    header, found = decode_slowly(pack(columns, revision="r"))
    assert header == {"n": 3, "revision": "r"}
    assert found["task_id"] == [7, 8, 2**31 - 1]
    assert found["entropy"] == pytest.approx([0.0, None, 0.25], abs=1e-5)
    assert found["coverage"] == pytest.approx([2.0, 1.0, None], abs=1e-5)
    assert found["label"] == ["<i>siren</i>", None, "bark"]
    assert found["salience"] == [None, 1, 2]
    assert found["level_db"] == [None, -3.25, 1e12]


@pytest.mark.parametrize(("n_names", "n_bytes"), [(255, 1), (256, 2), (65_535, 2), (65_536, 4)])
def test_codes_take_as_few_bytes_as_leave_one_for_missing(n_names, n_bytes):
    column = category("clip", np.array([n_names - 1, -1]), [str(i) for i in range(n_names)])
    assert column.stored.itemsize == n_bytes
    assert column.stored.tolist() == [n_names - 1, 2 ** (8 * n_bytes) - 1]


@pytest.mark.parametrize(
    ("largest", "n_bytes"), [(254, 1), (255, 2), (65_534, 2), (65_535, 4), (2**32 - 1, 8)]
)
def test_whole_numbers_take_as_few_bytes_as_leave_one_for_missing(largest, n_bytes):
    column = number("n", np.array([0.0, largest, np.nan]))
    assert column.stored.itemsize == n_bytes
    assert column.stored[1] == largest


def test_nothing_is_packed_as_nothing():
    assert decode_slowly(pack([], n_labeled=0)) == ({"n": 0, "n_labeled": 0}, {})


@pytest.mark.parametrize("stored", [np.zeros(2), np.zeros(3, dtype=np.int64), np.zeros((3, 1))])
def test_a_column_that_does_not_fit_is_named(stored):
    with pytest.raises(ValueError, match="the column odd holds"):
        pack([number("even", np.zeros(3)), PackedColumn("odd", "number", stored)])


def test_half_a_character_is_a_question_mark():
    names = ("a", "\ud800b")
    packed = pack([category("place", np.array([1, 0]), names)], title="\udfff")
    told, columns = unpack(packed)
    assert (told["title"], columns["place"].names) == ("?", ("a", "?b"))
