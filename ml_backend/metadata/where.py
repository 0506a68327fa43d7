r"""The language of ``earmark queue --where``: conditions on the metadata of clips.

It looks like Python and is read with Python's own parser, but nothing is ever run: every form
that is not named here is refused.

    salience == 1 and hour(recorded_at) >= 20
    weather in ["rain", "snow"] and not "test" in clip
    1 <= salience < 3 and date(recorded_at) >= "2024-05-01" or missing(`wind speed`)

- ``==  !=  <  <=  >  >=``, also chained: a column and a value of its kind; text has its case
- ``in``, ``not in``: a column and a list of values, or a word and a text column (in any case)
- ``and``, ``or``, ``not``, parentheses; a column of booleans is a condition by itself
- ``hour(column)``: 0 to 23, as written in an ISO time; ``date(column)``: its date as text
- ``missing(column)``; no other condition is true of a missing value, and no ``not`` makes it so
- names that are no Python names go in backticks
"""

import ast
import difflib
import keyword
import math
import operator
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.errors import ExpressionError
from ml_backend.metadata.columns import EXACT_INTEGER, Column, Columns
from ml_backend.metadata.iso_time import date_of, hour_of
from ml_backend.metadata.ternary import Truth, both, derived, of_each, of_text

MAX_LENGTH = 2_000
MAX_DEPTH = 30

_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`([^`]*)`|(`)""")
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
MIRRORED = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}
_WANTED = {"number": "a number", "boolean": "True or False", "text": "a text in quotes"}
_EXAMPLE = 'such as: salience == 1 and hour(recorded_at) >= 20 and not "test" in clip'


def matching(expression: str, columns: Columns) -> NDArray[np.bool_]:
    """Find the clips that an expression is true of.

    Returns
    -------
    ndarray of bool, shape=(n_clips,)

    Raises
    ------
    ExpressionError
        If it cannot be read, names a column that is not there, or compares what cannot be.

    Examples
    --------
    >>> columns = Columns([{"salience": 1}, {"salience": 2}, {}])
    >>> matching("not salience == 1", columns).tolist()
    [False, True, False]
    """
    tree, quoted = parse(expression)
    return _Reader(columns, quoted).truth(tree).yes


def parse(expression: str) -> tuple[ast.expr, dict[str, str]]:
    """Read the syntax; backticked names are replaced, and given by what stands in their place."""
    if len(expression) > MAX_LENGTH:
        raise ExpressionError(
            f"The expression has {len(expression)} characters; at most {MAX_LENGTH} are read."
        )
    stem = "_quoted"
    while stem in expression:
        stem += "_"
    quoted_by: dict[str, str] = {}

    def replaced(found: re.Match[str]) -> str:
        if found[2]:
            raise ExpressionError(f"A backtick is not closed in: {_shortened(expression)}")
        if found[1] is None:
            return found[0]
        return f" {quoted_by.setdefault(found[1], f'{stem}{len(quoted_by)}_')} "

    text = _QUOTED.sub(replaced, expression).strip()
    quoted = {stand_in: name for name, stand_in in quoted_by.items()}
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ExpressionError(
            f"This cannot be read: {_shortened(expression)} Write it {_EXAMPLE}. "
            "Equality is ==, and names with blanks or odd characters go in `backticks`."
        ) from None
    level: list[ast.AST] = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    if level:
        raise ExpressionError(f"The expression is nested more than {MAX_DEPTH} deep.")
    return tree, quoted


def _shortened(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"


@dataclass(frozen=True)
class _Operand:
    """A column, or what a function makes of one, and how it was written."""

    written: str
    column: Column
    is_date: bool = False

    def told(self) -> str:
        return f"{self.written} is a {self.column.kind} column ({self.column.examples()})"


class _Reader:
    """Evaluates a syntax tree over columns, whole columns at a time."""

    def __init__(self, columns: Columns, quoted: dict[str, str]) -> None:
        self._columns = columns
        self._quoted = quoted

    def truth(self, node: ast.expr) -> Truth:
        """Return where a condition holds."""
        match node:
            case ast.BoolOp(op=ast.And()):
                return both([self.truth(part) for part in node.values])
            case ast.BoolOp(op=ast.Or()):
                return ~both([~self.truth(part) for part in node.values])
            case ast.UnaryOp(op=ast.Not()):
                return ~self.truth(node.operand)
            case ast.Compare():
                sides = [node.left, *node.comparators]
                pairs = zip(sides, node.ops, sides[1:], strict=False)
                return both([self._pair(*pair) for pair in pairs])
            case ast.Call(func=ast.Name(id="missing")):
                is_missing = self._argument(node).column.is_missing
                return Truth(is_missing, ~is_missing)
            case ast.Name():
                operand = self._operand(node)
                if operand.column.kind in ("boolean", "empty"):
                    return self._compared(operand, ast.Eq(), True)
                raise ExpressionError(f"{operand.told()}: compare it with {self._wish(operand)}.")
        raise ExpressionError(f"{self._written(node)} is no condition. Write one {_EXAMPLE}.")

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Truth:
        if isinstance(op, ast.NotIn):
            return ~self._pair(left, ast.In(), right)
        if isinstance(op, ast.In):
            return self._is_in(left, right)
        if type(op) not in _COMPARE:
            raise ExpressionError("'is' is not known here: write ==, or missing(column).")
        if _is_literal(left) == _is_literal(right):
            raise ExpressionError(
                f"{self._written(left)} and {self._written(right)} cannot be compared: "
                "one side has to be a column, the other a value."
            )
        if _is_literal(left):
            left, op, right = right, MIRRORED.get(type(op), type(op))(), left
        return self._compared(self._operand(left), op, _value(right))

    def _compared(self, operand: _Operand, op: ast.cmpop, value: Any) -> Truth:
        self._check(operand, value)
        if operand.column.kind == "boolean" and not isinstance(op, ast.Eq | ast.NotEq):
            raise ExpressionError(f"{operand.told()}: it is compared with == or !=.")
        compare = _COMPARE[type(op)]
        return of_each(
            operand.column,
            lambda name: compare(name, value),
            lambda values: compare(values, value),
        )

    def _is_in(self, left: ast.expr, right: ast.expr) -> Truth:
        if _is_literal(left) and not _is_literal(right):
            return self._contains(self._operand(right), _value(left))
        if _is_literal(left) or not isinstance(right, ast.List | ast.Tuple | ast.Set):
            raise ExpressionError(
                f"{self._written(left)} in {self._written(right)}: 'in' wants a column and a list, "
                'such as weather in ["rain", "snow"], or a word and a column: "rain" in weather.'
            )
        operand = self._operand(left)
        values: list[Any] = [_value(one) for one in right.elts]
        for value in values:
            self._check(operand, value)
        return of_each(
            operand.column, set(values).__contains__, lambda column: np.isin(column, values)
        )

    def _contains(self, operand: _Operand, word: Any) -> Truth:
        if operand.column.kind not in ("text", "empty") or not isinstance(word, str):
            raise ExpressionError(f"{operand.told()}: 'in' looks for words, in columns of text.")
        folded = word.casefold()
        return of_text(operand.column, lambda name: folded in name.casefold())

    def _check(self, operand: _Operand, value: Any) -> None:
        if value is None:
            raise ExpressionError(f"Where there is no value: missing({operand.written}).")
        kind = operand.column.kind
        is_one = {
            "number": isinstance(value, int | float) and not isinstance(value, bool),
            "boolean": isinstance(value, bool),
            "text": isinstance(value, str),
            "empty": True,
        }[kind]
        if is_one and operand.is_date:
            is_one = date_of(str(value)) == value
        if not is_one:
            raise ExpressionError(
                f"{operand.told()}: compare it with {self._wish(operand)}, "
                f"not with {_shortened(repr(value))}."
            )

    def _wish(self, operand: _Operand) -> str:
        return 'a date like "2024-05-01"' if operand.is_date else _WANTED[operand.column.kind]

    def _operand(self, node: ast.expr) -> _Operand:
        match node:
            case ast.Name():
                name = self._find(node.id)
                return _Operand(self._written(node), self._columns[name])
            case ast.Call(func=ast.Name(id="hour" | "date" as function)):
                times = self._argument(node)
                read = hour_of if function == "hour" else date_of
                made = derived(times.column, read)
                if made is None:
                    raise ExpressionError(
                        f"{times.told()}: {function}() reads times written like "
                        "2024-05-01T20:15:00."
                    )
                return _Operand(self._written(node), made, is_date=function == "date")
        raise ExpressionError(
            f"{self._written(node)} is neither a column nor a value. Columns are written by their "
            "names; the functions are hour(), date() and missing()."
        )

    def _argument(self, node: ast.Call) -> _Operand:
        if len(node.args) != 1 or node.keywords or not isinstance(node.args[0], ast.Name):
            raise ExpressionError(f"{self._written(node)}: it takes the name of one column.")
        return self._operand(node.args[0])

    def _find(self, identifier: str) -> str:
        name = self._quoted.get(identifier, identifier)
        if name in self._columns:
            return name
        # Python's parser gives names in their compatible form (NFKC).
        for column in self._columns:
            if unicodedata.normalize("NFKC", column) == identifier:
                return column
        near = difflib.get_close_matches(name, list(self._columns), n=3)
        guess = f" Is it {' or '.join(near)}?" if near else ""
        names = ", ".join(_in_backticks(column) for column in self._columns) or "none at all"
        raise ExpressionError(f"There is no column {name!r}.{guess} The columns are: {names}.")

    def _written(self, node: ast.expr) -> str:
        text = ast.unparse(node)
        for stand_in, name in self._quoted.items():
            text = text.replace(stand_in, f"`{name}`")
        return _shortened(text)


def _in_backticks(name: str) -> str:
    is_plain = name.isidentifier() and not keyword.iskeyword(name)
    return name if is_plain else f"`{name}`"


def _is_literal(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return isinstance(node, ast.Constant | ast.List | ast.Tuple | ast.Set)


def _value(node: ast.expr) -> str | float | bool | None:
    """Read a value: text, number, boolean or None."""
    match node:
        case ast.Constant(value=bool() | str() | None as value):
            return value
        case ast.Constant(value=int() | float() as number):
            return _number(number)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            if not isinstance(number, bool):
                return -_number(number)
    raise ExpressionError(f"{_shortened(ast.unparse(node))} is no text, number or boolean.")


def _number(number: float) -> float:
    # Beyond, the comparison of arrays would be one of objects, or none.
    if isinstance(number, float) or abs(number) <= EXACT_INTEGER:
        return number
    return math.inf
