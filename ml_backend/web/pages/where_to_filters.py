"""A condition on metadata as filters of the map, where these say exactly the same.

Joined by ``and``, closed ranges of numbers, hours of the day, texts and booleans can be filters, as
``static/data/address.js`` reads them. Of all other conditions a link has to name the clips.
"""

import ast
from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

from ml_backend.clip import STATES
from ml_backend.metadata.columns import Kind
from ml_backend.metadata.table import META
from ml_backend.metadata.where import MIRRORED, parse
from ml_backend.web.pages.map_links import (
    LONGEST_ADDRESS,
    map_of_clips,
    map_of_filters,
    written_value,
)
from ml_backend.web.snapshot.queue_status import Asked

Range = tuple[float, float]
N_NAMED = 1_000
"""A link names no more clips than these: nobody labels more in one go."""
_HOUR = "@hour"
_NO_COLUMN = ("", "")


def map_of_left(project_id: int, asked: Asked, kinds: Mapping[str, Kind]) -> tuple[str, int]:
    """Give the map on the clips that are asked for and still to label, and how many it shows.

    A condition goes by filters where these show the same clips, so that clips that come later are
    on the map, too. Else the first ``N_NAMED`` clips are named.
    """
    if asked.wanted.where is not None:
        filters = as_filters(asked.wanted.where, kinds)
        if filters is not None:
            in_pool = {"state": written_value(STATES["pool"])}
            address = map_of_filters(project_id, filters | in_pool)
            if len(address) <= LONGEST_ADDRESS:
                return address, len(asked.left)
    named = asked.left[:N_NAMED]
    return map_of_clips(project_id, named), len(named)


def as_filters(expression: str, kinds: Mapping[str, Kind]) -> dict[str, str] | None:
    """Write a condition as filters by column; None where they cannot say it.

    Parameters
    ----------
    expression : str
        A condition that fits the columns (``where.py``).
    kinds : mapping of str to Kind
        Kind of every column of the sheet, by name (``table.py``).

    Examples
    --------
    >>> kinds = {"meta:salience": "number", "meta:recorded_at": "date"}
    >>> as_filters("salience == 1 and hour(recorded_at) >= 20", kinds)
    {'meta:salience': '1..1', 'meta:recorded_at@hour': '20..24'}
    >>> print(as_filters("salience == 1 or hour(recorded_at) >= 20", kinds))
    None
    """
    tree, quoted = parse(expression)
    ranges: dict[str, Range] = {}
    filters: dict[str, str] = {}
    for column, op, value in _parts(tree):
        key, kind = _find(column, quoted, kinds)
        limits = _limits(kind, op, value)
        text = _text(kind, op, value)
        if limits:
            low, high = ranges.get(key, (-inf, inf))
            ranges[key] = (max(low, limits[0]), min(high, limits[1]))
        elif text and key not in filters:
            filters[key] = text
        else:
            return None
    for key, (low, high) in ranges.items():
        # To the map, the hours 22..4 wrap around midnight, and a date without a time has hour 0.
        if key.endswith(_HOUR) and not 1 <= low < high:
            return None
        filters[key] = "..".join("" if abs(end) == inf else str(end) for end in (low, high))
    return filters


def _parts(tree: ast.expr) -> Iterator[tuple[ast.expr, ast.cmpop, Any]]:
    """Give what all has to hold, each as column, comparison and value; of the rest, ``is None``."""
    match tree:
        case ast.BoolOp(op=ast.And()):
            for part in tree.values:
                yield from _parts(part)
        case ast.Compare():
            sides = [tree.left, *tree.comparators]
            for left, op, right in zip(sides, tree.ops, sides[1:], strict=False):
                if isinstance(left, ast.Constant | ast.UnaryOp):
                    left, op, right = right, MIRRORED.get(type(op), type(op))(), left
                yield left, op, ast.literal_eval(right)
        case ast.Name():
            yield tree, ast.Eq(), True
        case _:
            yield tree, ast.Is(), None


def _find(
    column: ast.expr, quoted: Mapping[str, str], kinds: Mapping[str, Kind]
) -> tuple[str, str]:
    """Find the key of a filter, and the kind of what it speaks of."""
    match column:
        case ast.Name(id=name):
            found = quoted.get(name, name)
            key = found if found == "clip" else META + found
            return key, kinds.get(key, "")
        case ast.Call(func=ast.Name(id="hour"), args=[ast.Name() as times]):
            key, kind = _find(times, quoted, kinds)
            return key + _HOUR, "hour" if kind == "date" else ""
    return _NO_COLUMN


def _limits(kind: str, op: ast.cmpop, value: Any) -> Range | None:
    """Give a comparison as the range that a filter takes: of hours it is open to the right."""
    by_op: dict[type[ast.cmpop], Range] = {}
    if kind == "hour" and type(value) is int:
        by_op = {
            ast.Eq: (value, value + 1),
            ast.GtE: (value, 24),
            ast.Gt: (value + 1, 24),
            ast.LtE: (0, value + 1),
            ast.Lt: (0, value),
        }
    elif kind == "number" and type(value) in (int, float):
        by_op = {ast.Eq: (value, value), ast.GtE: (value, inf), ast.LtE: (-inf, value)}
    return by_op.get(type(op))


def _text(kind: str, op: ast.cmpop, value: Any) -> str | None:
    """Give a comparison with texts or booleans as the values that a filter lets through."""
    if kind == "boolean" and isinstance(op, ast.Eq):
        return str(value).lower()
    if kind in ("category", "text") and isinstance(op, ast.Eq | ast.In):
        names = [value] if isinstance(op, ast.Eq) else value
        if isinstance(names, list | tuple | set):
            return ",".join(written_value(name) for name in sorted(names))
    return None
