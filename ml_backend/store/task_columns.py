"""The predictions last written into Label Studio's task data, so that only changes are written."""

from typing import Any

from numpy.typing import NDArray
from sqlalchemy import Engine, delete, select

from ml_backend.store.arrays import pack_arrays, unpack_arrays
from ml_backend.store.dialect import upsert
from ml_backend.store.schema import task_columns


class TaskColumns:
    """One set of named arrays per project; rows = tasks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def write(self, project_id: int, arrays: dict[str, NDArray[Any]]) -> None:
        """Store these arrays instead of the previous ones."""
        row = {"project_id": project_id, "content": pack_arrays(arrays)}
        with self._engine.begin() as connection:
            upsert(connection, task_columns, [row])

    def read(self, project_id: int) -> dict[str, NDArray[Any]]:
        """Return the arrays; empty before the first write."""
        statement = select(task_columns.c.content).where(task_columns.c.project_id == project_id)
        with self._engine.connect() as connection:
            content = connection.scalar(statement)
        return {} if content is None else unpack_arrays(content)

    def forget(self, project_id: int) -> None:
        """Drop a project's arrays."""
        with self._engine.begin() as connection:
            connection.execute(delete(task_columns).where(task_columns.c.project_id == project_id))
