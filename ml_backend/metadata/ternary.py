"""Conditions on a column: where they are true, where false, and where there is no value to ask."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.metadata.columns import Column, read_column


@dataclass(frozen=True)
class Truth:
    """Where a condition is true and where it is false, ``(n_clips,)``; elsewhere it is neither.

    References
    ----------
    S. C. Kleene, "Introduction to Metamathematics", 1952, section 64: the strong connectives.

    Examples
    --------
    >>> salience = read_column([1, 2, None])
    >>> (~of_each(salience, str.isalpha, lambda values: values == 1)).yes.tolist()
    [False, True, False]
    """

    yes: NDArray[np.bool_]
    no: NDArray[np.bool_]

    def __invert__(self) -> "Truth":
        return Truth(self.no, self.yes)


def both(parts: Sequence[Truth]) -> Truth:
    """Return where all of one or more conditions are true, and where any of them is false."""
    return Truth(
        np.logical_and.reduce([part.yes for part in parts]),
        np.logical_or.reduce([part.no for part in parts]),
    )


def of_each(
    column: Column,
    of_name: Callable[[str], Any],
    of_numbers: Callable[[NDArray[Any]], Any],
) -> Truth:
    """Ask every value that there is; of text, each distinct one once."""
    if not column.is_numeric:
        return of_text(column, of_name)
    is_known = ~column.is_missing
    holds = np.asarray(of_numbers(column.values), dtype=bool)
    return Truth(is_known & holds, is_known & ~holds)


def of_text(column: Column, of_name: Callable[[str], Any]) -> Truth:
    """Ask every text that there is, each distinct one once."""
    is_known = ~column.is_missing
    # A missing value has place -1: the one that is put behind the names.
    holds = np.array([bool(of_name(name)) for name in column.names] + [False])[column.values]
    return Truth(is_known & holds, is_known & ~holds)


def derived(column: Column, read: Callable[[str], str | int | None]) -> Column | None:
    """Make a column of what is read in each text; None where nothing can be read in any value.

    Examples
    --------
    >>> derived(read_column(["20:15", None]), lambda text: int(text[:2])).values.tolist()
    [20.0, nan]
    """
    if column.kind == "empty":
        return column
    found = [read(name) for name in column.names]
    if all(one is None for one in found):
        return None
    distinct = read_column([*found, None])
    return Column(distinct.kind, distinct.values[column.values], distinct.names)
