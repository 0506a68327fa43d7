"""The sheet of every project: the metadata of its tasks, one array per column."""

import json
from collections.abc import Sequence

import numpy as np
from sqlalchemy import Engine, Row, delete, select

from ml_backend.metadata.columns import Kind
from ml_backend.metadata.table import SheetColumn
from ml_backend.store.arrays import pack_arrays, unpack_arrays
from ml_backend.store.dialect import pieces
from ml_backend.store.schema import sheet
from ml_backend.store.stamps import stamp


class Sheets:
    """Columns by project and name; rows = tasks, sorted by number."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def replace(self, project_id: int, columns: Sequence[SheetColumn], made_from: str) -> None:
        """Replace a project's sheet by these columns, with a stamp of their input."""
        rows = [
            {
                "project_id": project_id,
                "place": place,
                "name": column.name,
                "kind": column.kind,
                "content": _pack(column),
            }
            for place, column in enumerate(columns)
        ]
        with self._engine.begin() as connection:
            connection.execute(delete(sheet).where(sheet.c.project_id == project_id))
            connection.execute(sheet.insert(), rows)
            stamp(connection, "sheet", project_id, made_from)

    def kinds(self, project_id: int) -> dict[str, Kind]:
        """Return the kind of every column by name, in the order of the sheet."""
        statement = (
            select(sheet.c.name, sheet.c.kind)
            .where(sheet.c.project_id == project_id)
            .order_by(sheet.c.place)
        )
        with self._engine.connect() as connection:
            return {row.name: row.kind for row in connection.execute(statement)}

    def read(self, project_id: int, names: Sequence[str]) -> dict[str, SheetColumn]:
        """Return columns by name; missing ones are left out."""
        mine = select(sheet).where(sheet.c.project_id == project_id)
        with self._engine.connect() as connection:
            return {
                row.name: _unpack(row)
                for piece in pieces(names)
                for row in connection.execute(mine.where(sheet.c.name.in_(piece)))
            }

    def forget(self, project_id: int) -> None:
        """Drop a project's sheet."""
        with self._engine.begin() as connection:
            connection.execute(delete(sheet).where(sheet.c.project_id == project_id))


def _pack(column: SheetColumn) -> bytes:
    names = np.frombuffer(json.dumps(column.names).encode(), dtype=np.uint8)
    return pack_arrays({"values": column.values, "names": names})


def _unpack(row: Row[tuple[object, ...]]) -> SheetColumn:
    arrays = unpack_arrays(row.content)
    names = tuple(json.loads(arrays["names"].tobytes()))
    return SheetColumn(row.name, row.kind, arrays["values"], names)
