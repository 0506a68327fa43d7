"""Tasks and their embeddings, stored once per clip key and embedder."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Engine, Text, and_, case, cast, delete, or_, select
from sqlalchemy import func as sql

from ml_backend.clip import STATES, State, Task
from ml_backend.store.dialect import pieces, upsert
from ml_backend.store.schema import embedding, failure, label, task
from ml_backend.store.stamps import stamp

MAX_TASK_ID = 2**63 - 1


class Clips:
    """The tasks of every project, and the embedding of every clip key."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def replace_tasks(self, project_id: int, tasks: Iterable[Task]) -> bool:
        """Replace a project's tasks by these; return whether any changed."""
        wanted = {one.task_id: one for one in tasks}
        data = self.data(project_id)
        held = {
            one.task_id: replace(one, data=data.get(one.task_id)) for one in self.tasks(project_id)
        }
        gone = [task_id for task_id in held if task_id not in wanted]
        changed = [one for task_id, one in wanted.items() if held.get(task_id) != one]
        with self._engine.begin() as connection:
            for piece in pieces(gone):
                chosen = task.c.task_id.in_(piece)
                connection.execute(delete(task).where(task.c.project_id == project_id, chosen))
            upsert(connection, task, [{"project_id": project_id, **vars(one)} for one in changed])
            if gone or changed:
                stamp(connection, "tasks", project_id)
        return bool(gone or changed)

    def tasks(self, project_id: int) -> list[Task]:
        """List a project's tasks sorted by number, without their data."""
        statement = (
            select(task.c.task_id, task.c.clip_key, task.c.audio, task.c.recording_id)
            .where(task.c.project_id == project_id)
            .order_by(task.c.task_id)
        )
        with self._engine.connect() as connection:
            return [Task(*row) for row in connection.execute(statement)]

    def n_tasks(self, project_id: int) -> int:
        """Count a project's tasks."""
        statement = select(sql.count()).select_from(task).where(task.c.project_id == project_id)
        with self._engine.connect() as connection:
            return connection.scalar(statement) or 0

    def task_ids(self, project_id: int) -> NDArray[np.int64]:
        """List the numbers of a project's tasks, sorted."""
        # One joined text is five times as fast as a row for each.
        joined = sql.aggregate_strings(cast(task.c.task_id, Text), " ")
        statement = select(joined).where(task.c.project_id == project_id)
        with self._engine.connect() as connection:
            text = connection.scalar(statement) or ""
        return np.sort(np.fromstring(text, dtype=np.int64, sep=" "))

    def data(self, project_id: int) -> dict[int, dict[str, Any]]:
        """Return the metadata of each task, sorted by task number; 0.3 s for 100,000 tasks.

        Tasks without stored data, last read by an older version of Earmark, are left out.
        """
        statement = (
            select(task.c.task_id, cast(task.c.data, Text))
            .where(task.c.project_id == project_id, task.c.data.is_not(None))
            .order_by(task.c.task_id)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(statement).all()
        # Parsing one text is twice as fast as 100,000 texts, and shares the names in memory.
        data = json.loads(f"[{','.join([text for _, text in rows])}]")
        return {task_id: one for (task_id, _), one in zip(rows, data, strict=True)}

    def find(self, project_id: int, task_id: int) -> Task | None:
        """Return one task, with its data; None if the project has no such task."""
        if task_id > MAX_TASK_ID:
            return None
        columns = (
            task.c.task_id,
            task.c.clip_key,
            task.c.audio,
            task.c.recording_id,
            task.c.data,
        )
        mine = and_(task.c.project_id == project_id, task.c.task_id == task_id)
        with self._engine.connect() as connection:
            row = connection.execute(select(*columns).where(mine)).one_or_none()
        return None if row is None else Task(*row)

    def add_embeddings(
        self, embedder_id: str, clip_keys: Sequence[str], vectors: NDArray[np.float32]
    ) -> None:
        """Store embeddings ``(n_clips, embedding_dim)``, one row per key; known keys are kept."""
        rows = [
            {"embedder_id": embedder_id, "clip_key": key, "vector": vector.tobytes()}
            for key, vector in zip(clip_keys, vectors.astype("<f4"), strict=True)
        ]
        with self._engine.begin() as connection:
            upsert(connection, embedding, rows, update=False)
            for piece in pieces(clip_keys):
                chosen = failure.c.clip_key.in_(piece)
                connection.execute(
                    delete(failure).where(failure.c.embedder_id == embedder_id, chosen)
                )

    def embeddings(
        self, embedder_id: str, clip_keys: Sequence[str]
    ) -> tuple[list[str], NDArray[np.float32]]:
        """Return the keys that are embedded and their rows ``(n_found, embedding_dim)``."""
        found: list[str] = []
        vectors: list[bytes] = []
        with self._engine.connect() as connection:
            for piece in pieces(clip_keys):
                statement = select(embedding.c.clip_key, embedding.c.vector).where(
                    embedding.c.embedder_id == embedder_id, embedding.c.clip_key.in_(piece)
                )
                for key, vector in connection.execute(statement):
                    found.append(key)
                    vectors.append(vector)
        if not found:
            return [], np.empty((0, 0), dtype=np.float32)
        matrix = np.frombuffer(b"".join(vectors), dtype="<f4").reshape(len(found), -1)
        return found, matrix.astype(np.float32, copy=False)

    def missing(
        self, project_id: int, embedder_id: str, *, limit: int, tried_before: float
    ) -> list[Task]:
        """List clips without embedding, one per key; failed ones only if tried long ago."""
        statement = (
            select(
                sql.min(task.c.task_id),
                task.c.clip_key,
                sql.min(task.c.audio),
                sql.min(task.c.recording_id),
            )
            .outerjoin(embedding, _same_sound(embedding, embedder_id))
            .outerjoin(failure, _same_sound(failure, embedder_id))
            .where(
                task.c.project_id == project_id,
                embedding.c.clip_key.is_(None),
                or_(failure.c.clip_key.is_(None), failure.c.tried_at < tried_before),
            )
            .group_by(task.c.clip_key)
            .order_by(sql.min(task.c.task_id))
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [Task(*row) for row in connection.execute(statement)]

    def add_failed(self, embedder_id: str, clip_key: str, reason: str, *, now: float) -> None:
        """Store the reason why a clip could not be embedded."""
        row = {"embedder_id": embedder_id, "clip_key": clip_key, "reason": reason, "tried_at": now}
        with self._engine.begin() as connection:
            upsert(connection, failure, [row])

    def failed(
        self, project_id: int, embedder_id: str, *, limit: int | None = None
    ) -> list[tuple[int, str]]:
        """List tasks that could not be embedded, with the reason."""
        statement = (
            select(task.c.task_id, failure.c.reason)
            .join(failure, _same_sound(failure, embedder_id))
            .where(task.c.project_id == project_id)
            .order_by(task.c.task_id)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [(task_id, reason) for task_id, reason in connection.execute(statement)]

    def count(self, project_id: int, embedder_id: str) -> dict[str, int]:
        """Count ``clips``, those ``embedded`` and those ``failed``."""
        mine = task.c.project_id == project_id
        n_clips = select(sql.count()).select_from(task).where(mine)
        counts = {"clips": n_clips}
        for name, table in (("embedded", embedding), ("failed", failure)):
            counts[name] = n_clips.join(table, _same_sound(table, embedder_id))
        with self._engine.connect() as connection:
            return {name: connection.scalar(query) or 0 for name, query in counts.items()}

    def states(self, project_id: int, embedder_id: str) -> dict[State, int]:
        """Count a project's clips by state; the counts sum to all its clips."""
        state = case(
            (label.c.state.is_not(None), label.c.state),
            (failure.c.clip_key.is_not(None), "failed"),
            else_="pool",
        )
        is_its_label = and_(
            label.c.project_id == task.c.project_id, label.c.task_id == task.c.task_id
        )
        statement = (
            select(state, sql.count())
            .select_from(task)
            .outerjoin(label, is_its_label)
            .outerjoin(failure, _same_sound(failure, embedder_id))
            .where(task.c.project_id == project_id)
            .group_by(state)
        )
        with self._engine.connect() as connection:
            counts = {row[0]: row[1] for row in connection.execute(statement)}
        return {name: counts.get(name, 0) for name in STATES}

    def failures(self, embedder_id: str) -> str:
        """Return a stamp that changes whenever the set of failed clips changes."""
        statement = select(sql.count(), sql.max(failure.c.tried_at)).where(
            failure.c.embedder_id == embedder_id
        )
        with self._engine.connect() as connection:
            return "{} {}".format(*connection.execute(statement).one())

    def count_by_embedder(self) -> dict[str, int]:
        """Count the tasks of all projects that are embedded, by embedder."""
        statement = (
            select(embedding.c.embedder_id, sql.count())
            .join(task, task.c.clip_key == embedding.c.clip_key)
            .group_by(embedding.c.embedder_id)
        )
        with self._engine.connect() as connection:
            return {str(name): int(n) for name, n in connection.execute(statement)}

    def n_bytes(self, project_id: int, embedder_id: str) -> int:
        """Return the size of a project's embeddings, one row per task, without reading them."""
        statement = (
            select(sql.sum(sql.length(embedding.c.vector)))
            .join(task, _same_sound(embedding, embedder_id))
            .where(task.c.project_id == project_id)
        )
        with self._engine.connect() as connection:
            return int(connection.scalar(statement) or 0)

    def forget(self, project_id: int) -> None:
        """Drop a project's tasks."""
        with self._engine.begin() as connection:
            connection.execute(delete(task).where(task.c.project_id == project_id))


def _same_sound(table: object, embedder_id: str) -> ColumnElement[bool]:
    return and_(
        table.c.clip_key == task.c.clip_key,  # type: ignore[attr-defined]
        table.c.embedder_id == embedder_id,  # type: ignore[attr-defined]
    )
