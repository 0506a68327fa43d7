"""The scores of every clip of a project, as last computed."""

from typing import Any

from numpy.typing import NDArray
from sqlalchemy import Engine, delete, select

from ml_backend.store.arrays import pack_arrays, unpack_arrays
from ml_backend.store.dialect import upsert
from ml_backend.store.schema import clip_scores


class ClipScoreStore:
    """One set of named arrays per project, with a stamp of their input."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def write(
        self, project_id: int, model_version: str, arrays: dict[str, NDArray[Any]], made_from: str
    ) -> None:
        """Store the scores of a model version instead of the previous ones."""
        row = {
            "project_id": project_id,
            "stamp": made_from,
            "model_version": model_version,
            "content": pack_arrays(arrays),
        }
        with self._engine.begin() as connection:
            upsert(connection, clip_scores, [row])

    def read(self, project_id: int) -> tuple[str, dict[str, NDArray[Any]]] | None:
        """Return the model version and the arrays; None before the first."""
        statement = select(clip_scores).where(clip_scores.c.project_id == project_id)
        with self._engine.connect() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else (row.model_version, unpack_arrays(row.content))

    def stamp(self, project_id: int) -> str:
        """Return the stamp of the scores' input; empty before the first."""
        statement = select(clip_scores.c.stamp).where(clip_scores.c.project_id == project_id)
        with self._engine.connect() as connection:
            return connection.scalar(statement) or ""

    def forget(self, project_id: int) -> None:
        """Drop a project's scores."""
        with self._engine.begin() as connection:
            connection.execute(delete(clip_scores).where(clip_scores.c.project_id == project_id))
