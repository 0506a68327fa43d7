"""Metadata as columns: what the tasks of a project say of their clips, one array per column.

A column is numbers, booleans or text, decided by all of its values; where they mix, it is text.
What is absent, null, empty text, NaN, a list or an object counts as missing.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["number", "boolean", "text", "category", "date", "empty"]
"""Kinds of columns: metadata is read as number, boolean, text or empty; the sheet finds categories
and dates among the texts and leaves empty columns out."""

_NOT_METADATA = frozenset({"audio", "spectrogram", "content_hash", "meta"})
EXACT_INTEGER = 2**53
_N_EXAMPLES = 5
_LONG = 30


@dataclass(frozen=True)
class Column:
    """One column of a table; rows = clips.

    Attributes
    ----------
    kind : Kind
        number, boolean or text; ``empty`` where every value is missing.
    values : ndarray, shape=(n_clips,)
        Numbers, and booleans as 0 and 1, with NaN where missing; else the place in ``names``
        (int64), -1 where missing.
    names : tuple of str
        The distinct values of text, sorted.
    """

    kind: Kind
    values: NDArray[np.float64] | NDArray[np.int64]
    names: tuple[str, ...] = ()

    @property
    def is_numeric(self) -> bool:
        """Check whether the values are numbers rather than places in ``names``."""
        return self.kind in ("number", "boolean")

    @property
    def is_missing(self) -> NDArray[np.bool_]:
        """Return where there is no value, ``(n_clips,)``."""
        return np.asarray(np.isnan(self.values) if self.is_numeric else self.values < 0)

    def examples(self) -> str:
        """Write down some of the values.

        Examples
        --------
        >>> Columns([{"salience": 2}, {"salience": 1}, {}])["salience"].examples()
        '1, 2'
        """
        if not self.is_numeric:
            shown = [n if len(n) <= _LONG else n[: _LONG - 1] + "…" for n in self.names]
            written = [f"'{name}'" for name in shown[: _N_EXAMPLES + 1]]
        else:
            distinct = np.unique(self.values[~self.is_missing])[: _N_EXAMPLES + 1].tolist()
            of_kind = (bool(one) if self.kind == "boolean" else f"{one:g}" for one in distinct)
            written = [str(one) for one in of_kind]
        return ", ".join(written[:_N_EXAMPLES]) + (", ..." if len(written) > _N_EXAMPLES else "")


class Columns(Mapping[str, Column]):
    """The columns of a project by name; each is read when it is first asked for.

    Parameters
    ----------
    rows : sequence of mapping
        What each task says of its clip (``clip.told``).

    Examples
    --------
    >>> columns = Columns([{"salience": 1, "clip": "a"}, {"salience": "", "clip": "b"}])
    >>> list(columns), columns["salience"].values.tolist(), columns["clip"].names
    (['salience', 'clip'], [1.0, nan], ('a', 'b'))
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = rows
        self._names = dict.fromkeys(
            name for row in rows for name in row if name not in _NOT_METADATA
        )
        self._read: dict[str, Column] = {}

    def __getitem__(self, name: str) -> Column:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._read:
            self._read[name] = read_column([row.get(name) for row in self._rows])
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    @property
    def n_clips(self) -> int:
        """Number of rows."""
        return len(self._rows)


def read_column(given: Sequence[Any]) -> Column:
    """Return values as a column of the kind that fits all of them.

    Examples
    --------
    >>> read_column([1, "1", None]).names
    ('1',)
    """
    values = [None if _is_missing(value) else value for value in given]
    kinds = {type(value) for value in values} - {type(None)}
    is_exact = all(abs(value) <= EXACT_INTEGER for value in values if type(value) is int)
    if kinds == {bool} or (kinds and kinds <= {int, float} and is_exact):
        numbers = np.array([math.nan if one is None else one for one in values], dtype=np.float64)
        return Column("boolean" if bool in kinds else "number", numbers)
    texts = [None if value is None else _text(value) for value in values]
    names = sorted({text for text in texts if text is not None})
    place_of: dict[str | None, int] = {None: -1}
    place_of.update((name, place) for place, name in enumerate(names))
    places = np.fromiter((place_of[text] for text in texts), dtype=np.int64, count=len(texts))
    return Column("text" if names else "empty", places, tuple(names))


def _is_missing(value: Any) -> bool:
    if isinstance(value, float):
        return math.isnan(value)
    return value == "" or not isinstance(value, str | bool | int)


def _text(value: str | bool | int | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
