"""Differences between databases: the syntax of upserts, and the number of values per statement.

A statement accepts 999 values in an older SQLite, 32,766 in a newer one, 65,535 in PostgreSQL:
callers with long lists query them in ``pieces``.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")

_PIECE = 900


def pieces(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Split a list into pieces that fit one statement, with room for a few more values.

    Examples
    --------
    >>> [len(piece) for piece in pieces(range(2000))]
    [900, 900, 200]
    """
    for start in range(0, len(values), _PIECE):
        yield values[start : start + _PIECE]


def upsert(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], *, update: bool = True
) -> None:
    """Insert rows; if a primary key exists already, update the row or keep it."""
    if not rows:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    keys = [column.name for column in table.primary_key]
    insert: Any = dialect.insert(table)
    changed = [name for name in rows[0] if name not in keys]
    if update and changed:
        insert = insert.on_conflict_do_update(
            index_elements=keys, set_={name: insert.excluded[name] for name in changed}
        )
    else:
        insert = insert.on_conflict_do_nothing(index_elements=keys)
    connection.execute(insert, list(rows))
