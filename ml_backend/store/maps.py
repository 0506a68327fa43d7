"""Similarity maps: the position of each clip of a project, by embedder and locality."""

import secrets
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, delete, select, update

from ml_backend.store.arrays import pack_arrays, unpack_arrays
from ml_backend.store.dialect import upsert
from ml_backend.store.schema import map_


@dataclass(frozen=True)
class MapStanding:
    """The status of a map.

    Attributes
    ----------
    stamp : str
        Changes whenever the map changes; empty before the first.
    n_fitted : int
        Number of clips that the map was fitted to; later ones were placed on it.
    is_wanted : bool
        Whether somebody requested it.
    progress : float, range [0, 1]
        Progress of the current fit.
    state : str
        The progress in words.
    """

    stamp: str
    n_fitted: int
    is_wanted: bool
    progress: float
    state: str


class Maps:
    """The maps of every project."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def standing(self, project_id: int, embedder_id: str) -> dict[int, MapStanding]:
        """Return the status of a project's maps, by locality."""
        columns = [map_.c[name] for name in ("stamp", "n_fitted", "is_wanted", "progress", "state")]
        statement = select(map_.c.locality, *columns).where(
            map_.c.project_id == project_id, map_.c.embedder_id == embedder_id
        )
        with self._engine.connect() as connection:
            return {row[0]: MapStanding(*row[1:]) for row in connection.execute(statement)}

    def want(self, project_id: int, embedder_id: str, locality: int) -> None:
        """Request a map; a repeated request changes nothing."""
        self._upsert(project_id, embedder_id, locality, is_wanted=True)

    def tell(
        self, project_id: int, embedder_id: str, locality: int, progress: float, state: str
    ) -> None:
        """Store the progress of a map."""
        self._upsert(project_id, embedder_id, locality, progress=progress, state=state)

    def write(
        self,
        project_id: int,
        embedder_id: str,
        locality: int,
        task_ids: NDArray[np.int64],
        xy: NDArray[np.float32],
        *,
        n_fitted: int | None = None,
    ) -> None:
        """Store a map: positions ``(n_clips, 2)``, range [0, 1], one per task.

        ``n_fitted`` is None if clips were only added to the map.
        """
        content = pack_arrays({"task_ids": task_ids, "xy": xy.astype(np.float32)})
        values: dict[str, Any] = {"content": content, "stamp": secrets.token_hex(8)}
        if n_fitted is not None:
            values["n_fitted"] = n_fitted
        self._upsert(project_id, embedder_id, locality, **values)

    def read(
        self, project_id: int, embedder_id: str, locality: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
        """Return the tasks of a map and their positions; None before the first map."""
        statement = select(map_.c.content).where(*_key(project_id, embedder_id, locality))
        with self._engine.connect() as connection:
            content = connection.scalar(statement)
        if content is None:
            return None
        arrays = unpack_arrays(content)
        return arrays["task_ids"], arrays["xy"]

    def forget(self, project_id: int) -> None:
        """Drop a project's maps."""
        with self._engine.begin() as connection:
            connection.execute(delete(map_).where(map_.c.project_id == project_id))

    def _upsert(self, project_id: int, embedder_id: str, locality: int, **values: Any) -> None:
        row = {"project_id": project_id, "embedder_id": embedder_id, "locality": locality}
        statement = update(map_).where(*_key(project_id, embedder_id, locality)).values(**values)
        with self._engine.begin() as connection:
            if connection.execute(statement).rowcount == 0:
                upsert(connection, map_, [{**row, **values}])


def _key(project_id: int, embedder_id: str, locality: int) -> tuple[Any, ...]:
    return (
        map_.c.project_id == project_id,
        map_.c.embedder_id == embedder_id,
        map_.c.locality == locality,
    )
