"""Small facts that processes share, such as the embedder in use."""

from typing import Any

from sqlalchemy import Engine, delete, select

from ml_backend.store.dialect import upsert
from ml_backend.store.schema import fact
from ml_backend.store.stamps import stamp_name


class Facts:
    """Named values of JSON."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def write(self, name: str, value: Any) -> None:
        """Store a value under a name."""
        with self._engine.begin() as connection:
            upsert(connection, fact, [{"name": name, "value": value}])

    def read(self, name: str) -> Any:
        """Return the value under a name, or None."""
        with self._engine.connect() as connection:
            return connection.scalar(select(fact.c.value).where(fact.c.name == name))

    def embedder_at_work(self) -> str:
        """Return the id of the embedder that the worker uses; empty before it has started."""
        return (self.read("embedder") or {}).get("embedder_id") or ""

    def stamp(self, what: str, project_id: int) -> str:
        """Return the stamp of a part of a project (``stamps.py``); empty before the first."""
        return str(self.read(stamp_name(what, project_id)) or "")

    def forget(self, project_id: int) -> None:
        """Drop the facts whose names end with "of project" and this number."""
        mine = fact.c.name.like(f"% of project {project_id}")
        with self._engine.begin() as connection:
            connection.execute(delete(fact).where(mine))
