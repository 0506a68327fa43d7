"""The labels of each task, as last read from Label Studio, which is the source of truth."""

from collections.abc import Iterable

from sqlalchemy import Engine, delete, select

from ml_backend.clip import TaskLabels
from ml_backend.store.dialect import pieces, upsert
from ml_backend.store.schema import label
from ml_backend.store.stamps import stamp


class Labels:
    """The labels of every project as last read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def replace(self, project_id: int, labels: Iterable[TaskLabels]) -> bool:
        """Replace a project's labels by these, writing differences; return whether any differs."""
        wanted = {one.task_id: one for one in labels}
        held = {one.task_id: one for one in self.read(project_id)}
        gone = [task_id for task_id in held if task_id not in wanted]
        rows = [
            {
                "project_id": project_id,
                "task_id": one.task_id,
                "labels": None if one.labels is None else sorted(one.labels),
                "state": one.state,
                "n_annotators": one.n_annotators,
            }
            for one in wanted.values()
            if held.get(one.task_id) != one
        ]
        if not gone and not rows:
            return False
        with self._engine.begin() as connection:
            for piece in pieces(gone):
                chosen = label.c.task_id.in_(piece)
                connection.execute(delete(label).where(label.c.project_id == project_id, chosen))
            upsert(connection, label, rows)
            stamp(connection, "labels", project_id)
        return True

    def read(self, project_id: int) -> list[TaskLabels]:
        """List a project's labels sorted by task number."""
        columns = (label.c.task_id, label.c.labels, label.c.state, label.c.n_annotators)
        statement = (
            select(*columns).where(label.c.project_id == project_id).order_by(label.c.task_id)
        )
        with self._engine.connect() as connection:
            return [
                TaskLabels(
                    row.task_id,
                    None if row.labels is None else frozenset(row.labels),
                    row.state,
                    row.n_annotators,
                )
                for row in connection.execute(statement)
            ]

    def forget(self, project_id: int) -> None:
        """Drop a project's labels; Label Studio still has them."""
        with self._engine.begin() as connection:
            connection.execute(delete(label).where(label.c.project_id == project_id))
