"""The packed form: columns of numbers as browsers read them, without a digit of text.

Bytes are, in this order: the length of the header (uint32), the header (JSON, padded so that what
follows starts at a multiple of 8), and the columns' buffers, each at a multiple of 8. Everything is
little-endian. The header names ``n`` rows, the buffers and whatever else the answer has to say:

    {"n": 3, ..., "columns": [{"name", "kind", "dtype", "offset", "scale"?, "names"?,
                              "members"?}]}

What is missing is NaN among floats and the largest integer among unsigned ones.
``static/data/packed.js`` reads it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.metadata.columns import Kind

DTYPES = ("u1", "u2", "u4", "i4", "f4", "f8")
_ALIGNED = 8
_SMALLEST = 2**16 - 2


@dataclass(frozen=True)
class PackedColumn:
    """One column as it is stored.

    Attributes
    ----------
    name : str
    kind : Kind
        number, category, text, date (seconds since 1970, UTC) or boolean.
    stored : ndarray, shape=(n_clips,)
        Of one of ``DTYPES``.
    scale : float, optional
        A stored integer means so many times itself; 1 where it is not given.
    names : tuple of str, optional
        Of a category or text: what the codes stand for.
    members : tuple of tuple of str, optional
        Of a category of sets: the classes of each, since names may hold commas themselves.
    """

    name: str
    kind: Kind
    stored: NDArray[Any]
    scale: float | None = None
    names: tuple[str, ...] | None = None
    members: tuple[tuple[str, ...], ...] | None = None


def pack(columns: Sequence[PackedColumn], **told: object) -> bytes:
    """Write columns, and what else the answer tells, in the packed form.

    Raises
    ------
    ValueError
        If the columns differ in length, or one is of a type that browsers do not read.

    Examples
    --------
    >>> packed = pack([PackedColumn("rank", "number", np.array([2, 1], dtype="u4"))], revision="a")
    >>> unpack(packed)[0]
    {'n': 2, 'revision': 'a'}
    """
    n_clips = len(columns[0].stored) if columns else 0
    described: list[dict[str, object]] = []
    buffers: list[bytes] = []
    size = 0
    for column in columns:
        dtype = column.stored.dtype.str[1:]
        if dtype not in DTYPES or column.stored.shape != (n_clips,):
            raise ValueError(
                f"the column {column.name} holds {column.stored.shape} numbers of type {dtype}; "
                f"wanted ({n_clips},) of {', '.join(DTYPES)}"
            )
        entry: dict[str, object] = {"name": column.name, "kind": column.kind, "dtype": dtype}
        entry["offset"] = size
        if column.scale is not None:
            entry["scale"] = column.scale
        if column.names is not None:
            entry["names"] = column.names
        if column.members is not None:
            entry["members"] = column.members
        described.append(entry)
        buffers.append(_padded(column.stored.astype(f"<{dtype}", copy=False).tobytes()))
        size += len(buffers[-1])
    header = _header({"n": n_clips, **told}, described)
    return b"".join([len(header).to_bytes(4, "little"), header, *buffers])


def unpack(packed: bytes) -> tuple[dict[str, Any], dict[str, PackedColumn]]:
    """Read the packed form: what else it tells, and the columns by name."""
    length = int.from_bytes(packed[:4], "little")
    told = json.loads(packed[4 : 4 + length])
    columns = {}
    for entry in told.pop("columns"):
        stored = np.frombuffer(packed, f"<{entry['dtype']}", told["n"], entry["offset"])
        names, members = entry.get("names"), entry.get("members")
        columns[entry["name"]] = PackedColumn(
            entry["name"],
            entry["kind"],
            stored,
            entry.get("scale"),
            None if names is None else tuple(names),
            None if members is None else tuple(map(tuple, members)),
        )
    return told, columns


def fraction(name: str, values: NDArray[np.floating], span: float = 1.0) -> PackedColumn:
    """Store numbers from 0 to ``span`` in two bytes each; NaN is missing.

    Examples
    --------
    >>> fraction("entropy", np.array([0.0, 1.0, np.nan])).stored.tolist()
    [0, 65534, 65535]
    """
    steps = np.rint(np.clip(values, 0.0, span) * (_SMALLEST / span))
    stored = np.where(np.isnan(steps), _SMALLEST + 1, steps).astype(np.uint16)
    return PackedColumn(name, "number", stored, scale=span / _SMALLEST)


def category(
    name: str, codes: NDArray[np.integer], names: Sequence[str] | None, kind: Kind = "category"
) -> PackedColumn:
    """Store codes, -1 = missing, in as few bytes as their number needs.

    ``names`` may be left out where there are too many of them to be read.

    Examples
    --------
    >>> category("label", np.array([1, -1]), ["bark", "siren"]).stored.tolist()
    [1, 255]
    """
    n_codes = int(codes.max(initial=-1)) + 1 if names is None else len(names)
    dtype = _unsigned(n_codes)
    stored = np.where(codes < 0, np.iinfo(dtype).max, codes).astype(dtype)
    return PackedColumn(name, kind, stored, names=None if names is None else tuple(names))


def number(name: str, values: NDArray[np.floating], kind: Kind = "number") -> PackedColumn:
    """Store numbers exactly, whole ones from 0 on in as few bytes as the largest needs.

    Examples
    --------
    >>> number("salience", np.array([1.0, np.nan])).stored
    array([  1, 255], dtype=uint8)
    >>> number("level_db", np.array([-3.5, np.nan])).stored
    array([-3.5,  nan])
    """
    is_known = ~np.isnan(values)
    known = values[is_known]
    is_whole = bool((known >= 0).all() and (known < 2**32 - 1).all() and (known % 1 == 0).all())
    if not is_whole:
        return PackedColumn(name, kind, values.astype(np.float64))
    dtype = _unsigned(int(known.max(initial=0)) + 1)
    stored = np.full(len(values), np.iinfo(dtype).max, dtype=dtype)
    stored[is_known] = known
    return PackedColumn(name, kind, stored)


def _unsigned(n_codes: int) -> type[np.unsignedinteger[Any]]:
    """Give the smallest type for codes below a number, and one more that says missing."""
    return np.uint8 if n_codes <= 255 else np.uint16 if n_codes <= 65535 else np.uint32


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % _ALIGNED)


def _header(told: Mapping[str, object], described: list[dict[str, object]]) -> bytes:
    """Write the header; where the buffers start depends on how long it is itself."""

    def written(start: int) -> bytes:
        shifted = [{**one, "offset": start + int(str(one["offset"]))} for one in described]
        return json.dumps({**told, "columns": shifted}, ensure_ascii=False).encode(
            "utf-8", "replace"
        )

    # Each offset is at most so many digits; what they do not need is padding.
    longest = len(written(10**12))
    start = 4 + longest + (-(4 + longest) % _ALIGNED)
    return written(start).ljust(start - 4)
