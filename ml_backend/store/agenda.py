"""The agenda: which projects have changed, and who is looking after them.

An event only says that a project may have changed. Hints are counted, never lost: a round
notes how far it has read when it takes a project, and a project is due again as long as more
has been noted than was done. Taking is a lease, so a killed worker's project comes back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, and_, case, or_, select, update

from ml_backend.store.dialect import upsert
from ml_backend.store.schema import project
from ml_backend.store.stamps import stamp

MAX_PROJECT_ID = 2**31 - 1
"""Label Studio has no larger numbers, nor do databases here find anything under them."""
_FIRST_RETRY_S = 1.0
_LAST_RETRY_S = 60.0


@dataclass(frozen=True)
class Turn:
    """A project taken for one round, and what changed in it since the last one.

    Settings, labels and tasks cost more to read one than the other, and most rounds need one.
    ``n_settings`` hints told of settings alone.
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
        """Record that a project may have changed: its labels, its tasks, or only its settings.

        Of a project not known before, everything may have. Where a ``single`` annotation has,
        its task tells so, and the project need not be quiet for a round, unless one is going on:
        then more is to come. What Earmark does of its ``own`` accord changes no annotation, but
        wants a round. Else the stamp of its annotations is another one.
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
        """List every known project, in the order of their numbers."""
        with self._engine.connect() as connection:
            return list(
                connection.scalars(select(project.c.project_id).order_by(project.c.project_id))
            )

    def is_known(self, project_id: int) -> bool:
        """Check whether a project is known."""
        statement = select(project.c.project_id).where(project.c.project_id == project_id)
        with self._engine.connect() as connection:
            return connection.scalar(statement) is not None

    def due(self, *, now: float, debounce_s: float, ceiling_s: float) -> list[int]:
        """List projects that have changed and are quiet, or have waited long enough."""
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
        """Check whether a project changed since the last round took it."""
        statement = select(project.c.n_events > project.c.n_done).where(
            project.c.project_id == project_id
        )
        with self._engine.connect() as connection:
            return bool(connection.scalar(statement))

    def take(self, project_id: int, *, now: float, lease_s: float) -> Turn | None:
        """Take a project for one round, or None where somebody else has it."""
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
        """Check whether a project's labels changed again since it was taken."""
        statement = select(project.c.n_label_events).where(project.c.project_id == turn.project_id)
        with self._engine.connect() as connection:
            return (connection.scalar(statement) or 0) > turn.n_label_events

    def release_all(self) -> None:
        """Release every project undone: what a killed worker had taken is due again."""
        with self._engine.begin() as connection:
            connection.execute(update(project).values(leased_until=0.0, retry_at=0.0))

    def extend(self, turn: Turn, *, now: float, lease_s: float) -> None:
        """Keep a project that takes longer than thought; one given back stays so."""
        kept = and_(project.c.project_id == turn.project_id, project.c.leased_until >= now)
        with self._engine.begin() as connection:
            connection.execute(update(project).where(kept).values(leased_until=now + lease_s))

    def finish(self, turn: Turn, *, now: float) -> None:
        """Release a project: every change up to when it was taken is dealt with."""
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
        """Release a project undone; it is due again after a pause that doubles each time."""
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
        """Remember what a project is called, its labels and their keys, and if clips have many."""
        self._set(
            project_id,
            title=title,
            class_names=list(class_names),
            multi_label=multi_label,
            hotkeys=list(hotkeys),
        )

    def description(self, project_id: int) -> dict[str, Any]:
        """Return what ``describe`` stored of a project, and the last ``error``.

        Of ``hotkeys`` there is one per class, "" for none; or none at all, before the first round.
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
