"""The one statement that SQLite and PostgreSQL spell in their own dialects: insert or update."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], *, update: bool = True
) -> None:
    """Insert rows; where the primary key is there already, update the row or leave it be."""
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
