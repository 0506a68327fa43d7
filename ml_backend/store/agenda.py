"""The agenda: the projects that have changed, and their leases.

An event only states that a project may have changed. Hints are counted, never lost: a round stores
the count when it takes a project, and a project is due again while the count of events exceeds that
of completed ones. A taken project is leased, so the project of a killed worker becomes due again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, and_, case, or_, select, update

from ml_backend.store.dialect import upsert
from ml_backend.store.schema import project
from ml_backend.store.stamps import stamp

MAX_PROJECT_ID = 2**31 - 1
"""Largest project number in Label Studio and in the databases."""
_FIRST_RETRY_S = 1.0
_LAST_RETRY_S = 60.0


@dataclass(frozen=True)
class Turn:
    """A project taken for one round, and its changes since the last one.

    Settings, labels and tasks are distinguished because most rounds need to read only one of them,
    at different cost. ``n_settings`` counts the hints about settings alone.
    """

    project_id: int
    labels_changed: bool
    tasks_changed: bool
    n_settings: int
    n_events: int
    n_label_events: int
    n_task_events: int
    n_failures: int = 0


class Agenda:
    """Hints, leases and failures of every project."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def hint(
        self,
        project_id: int,
        *,
        now: float,
        labels: bool = True,
        tasks: bool = False,
        single: bool = False,
        own: bool = False,
    ) -> None:
        """Note that a project may have changed: its labels, its tasks, or only its settings.

        In a project without a row yet, everything may have. If a ``single`` annotation changed, its
        task records the change, and a round need not wait until the project is quiet, unless a
        round is running: then more changes are likely. Earmark's ``own`` changes concern no
        annotation, but need a round. All other changes of labels set a new annotations stamp.
        """
        last_event_at = case((project.c.leased_until < now, 0.0), else_=now) if single else now
        change = {
            "n_events": project.c.n_events + 1,
            "n_label_events": project.c.n_label_events + int(labels),
            "n_task_events": project.c.n_task_events + int(tasks),
            "last_event_at": last_event_at,
            "waiting_since": case(
                (project.c.n_events == project.c.n_done, now), else_=project.c.waiting_since
            ),
        }
        row = {"last_event_at": now, "waiting_since": now}
        row |= dict.fromkeys(("n_events", "n_label_events", "n_task_events"), 1)
        statement = update(project).where(project.c.project_id == project_id).values(change)
        with self._engine.begin() as connection:
            if connection.execute(statement).rowcount == 0:
                upsert(connection, project, [{"project_id": project_id, **row}], update=False)
            if labels and not (single or own):
                stamp(connection, "annotations", project_id)

    def project_ids(self) -> list[int]:
        """List all known projects, sorted by number."""
        with self._engine.connect() as connection:
            return list(
                connection.scalars(select(project.c.project_id).order_by(project.c.project_id))
            )

    def is_known(self, project_id: int) -> bool:
        """Return whether a project is known."""
        statement = select(project.c.project_id).where(project.c.project_id == project_id)
        with self._engine.connect() as connection:
            return connection.scalar(statement) is not None

    def due(self, *, now: float, debounce_s: float, ceiling_s: float) -> list[int]:
        """List changed projects without an event for ``debounce_s``, or waiting ``ceiling_s``."""
        quiet = project.c.last_event_at <= now - debounce_s
        patient = project.c.waiting_since <= now - ceiling_s
        statement = (
            select(project.c.project_id)
            .where(
                project.c.n_events > project.c.n_done,
                project.c.leased_until < now,
                project.c.retry_at <= now,
                or_(quiet, patient),
            )
            .order_by(project.c.waiting_since, project.c.project_id)
        )
        with self._engine.connect() as connection:
            return list(connection.scalars(statement))

    def is_waiting(self, project_id: int) -> bool:
        """Return whether a project has an event that no round has processed."""
        statement = select(project.c.n_events > project.c.n_done).where(
            project.c.project_id == project_id
        )
        with self._engine.connect() as connection:
            return bool(connection.scalar(statement))

    def take(self, project_id: int, *, now: float, lease_s: float) -> Turn | None:
        """Take a project for one round; None if another process has it."""
        taken = and_(project.c.project_id == project_id, project.c.leased_until < now)
        with self._engine.begin() as connection:
            statement = update(project).where(taken).values(leased_until=now + lease_s)
            if connection.execute(statement).rowcount == 0:
                return None
            row = connection.execute(
                select(project).where(project.c.project_id == project_id)
            ).one()
        n_labels = row.n_label_events - row.n_done_labels
        return Turn(
            project_id,
            labels_changed=n_labels > 0,
            tasks_changed=row.n_task_events > row.n_done_tasks,
            n_settings=row.n_events - row.n_done - n_labels,
            n_events=row.n_events,
            n_label_events=row.n_label_events,
            n_task_events=row.n_task_events,
            n_failures=row.n_failures,
        )

    def has_more_labels(self, turn: Turn) -> bool:
        """Return whether a project's labels have changed since it was taken."""
        statement = select(project.c.n_label_events).where(project.c.project_id == turn.project_id)
        with self._engine.connect() as connection:
            return (connection.scalar(statement) or 0) > turn.n_label_events

    def release_all(self) -> None:
        """End all leases: the projects of a killed worker are due again."""
        with self._engine.begin() as connection:
            connection.execute(update(project).values(leased_until=0.0, retry_at=0.0))

    def extend(self, turn: Turn, *, now: float, lease_s: float) -> None:
        """Extend the lease of a project; one that has ended stays so."""
        kept = and_(project.c.project_id == turn.project_id, project.c.leased_until >= now)
        with self._engine.begin() as connection:
            connection.execute(update(project).where(kept).values(leased_until=now + lease_s))

    def finish(self, turn: Turn, *, now: float) -> None:
        """End the lease of a project: all events until it was taken are processed."""
        self._set(
            turn.project_id,
            n_done=turn.n_events,
            n_done_labels=turn.n_label_events,
            n_done_tasks=turn.n_task_events,
            waiting_since=now,
            leased_until=0.0,
            retry_at=0.0,
            n_failures=0,
            error="",
        )

    def fail(self, turn: Turn, error: str, *, now: float) -> None:
        """End the lease after a failure; the project is due again after a pause that doubles."""
        pause_s = min(_LAST_RETRY_S, _FIRST_RETRY_S * 2 ** min(turn.n_failures, 10))
        self._set(
            turn.project_id,
            error=error,
            leased_until=0.0,
            retry_at=now + pause_s,
            n_failures=turn.n_failures + 1,
        )

    def describe(
        self,
        project_id: int,
        *,
        title: str,
        class_names: Sequence[str],
        multi_label: bool = False,
        hotkeys: Sequence[str] = (),
    ) -> None:
        """Store a project's title, its classes with their keys, and whether clips have several."""
        self._set(
            project_id,
            title=title,
            class_names=list(class_names),
            multi_label=multi_label,
            hotkeys=list(hotkeys),
        )

    def description(self, project_id: int) -> dict[str, Any]:
        """Return the arguments of ``describe`` for a project, and the last ``error``.

        ``hotkeys`` has one key per class, "" for none; before the first round it is empty.
        """
        unknown = {
            "title": "", "class_names": [], "multi_label": False, "hotkeys": [], "error": "",
        }  # fmt: skip
        statement = select(*(project.c[name] for name in unknown)).where(
            project.c.project_id == project_id
        )
        with self._engine.connect() as connection:
            row = connection.execute(statement).one_or_none()
        return dict(row._mapping) if row else unknown

    def forget(self, project_id: int) -> None:
        """Drop a project."""
        with self._engine.begin() as connection:
            connection.execute(project.delete().where(project.c.project_id == project_id))

    def _set(self, project_id: int, **values: object) -> None:
        statement = update(project).where(project.c.project_id == project_id).values(**values)
        with self._engine.begin() as connection:
            connection.execute(statement)
