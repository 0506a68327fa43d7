"""The clips that are requested first: one request per project, the last."""

from dataclasses import dataclass

from sqlalchemy import Engine, delete, select

from ml_backend.store.dialect import upsert
from ml_backend.store.schema import wanted
from ml_backend.store.stamps import stamp


@dataclass(frozen=True)
class Wanted:
    """A request: the clips that match a condition (``where.py``), or a list of tasks.

    One of the two is None. ``requested_by`` is an e-mail address, empty for a request with the
    secret.
    """

    where: str | None
    task_ids: tuple[int, ...] | None
    requested_by: str
    requested_at: float


class Queue:
    """The requests of every project."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def ask(self, project_id: int, request: Wanted) -> None:
        """Store a request instead of the previous one."""
        with self._engine.begin() as connection:
            upsert(connection, wanted, [{"project_id": project_id, **vars(request)}])
            stamp(connection, "queue", project_id)

    def wanted(self, project_id: int) -> Wanted | None:
        """Return the request, or None."""
        columns = (wanted.c.where, wanted.c.task_ids, wanted.c.requested_by, wanted.c.requested_at)
        statement = select(*columns).where(wanted.c.project_id == project_id)
        with self._engine.connect() as connection:
            row = connection.execute(statement).one_or_none()
        if row is None:
            return None
        task_ids = None if row.task_ids is None else tuple(row.task_ids)
        return Wanted(row.where, task_ids, row.requested_by, row.requested_at)

    def forget(self, project_id: int) -> None:
        """Drop the request."""
        with self._engine.begin() as connection:
            connection.execute(delete(wanted).where(wanted.c.project_id == project_id))
            stamp(connection, "queue", project_id)
