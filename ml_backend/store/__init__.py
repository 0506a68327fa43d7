"""The store: Earmark's database, and all of its SQL.

It imports ``clip``, ``errors`` and ``metadata``. It never imports Label Studio, a classifier or the
loop.

A ``Store`` has eleven parts: ``agenda`` (projects that are due for a round), ``clips`` (tasks and
embeddings), ``labels`` (as last read), ``queue`` (requested clips), ``versions`` (classifiers,
rankings and rounds), ``facts`` (shared between processes), ``sessions`` (of visitors), the data of
pages: ``sheets`` (metadata), ``clip_scores`` and ``maps``; and ``task_columns`` (predictions in
Label Studio's task data). SQLite on one machine and PostgreSQL in compose share the code.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ml_backend.errors import StoreError
from ml_backend.store.agenda import Agenda
from ml_backend.store.clips import Clips
from ml_backend.store.facts import Facts
from ml_backend.store.labels import Labels
from ml_backend.store.maps import Maps
from ml_backend.store.queue import Queue
from ml_backend.store.scores import ClipScoreStore
from ml_backend.store.sessions import Sessions
from ml_backend.store.sheets import Sheets
from ml_backend.store.task_columns import TaskColumns
from ml_backend.store.versions import Versions

__all__ = ["Store", "open_store"]


@dataclass(frozen=True)
class Store:
    """The eleven parts of the store, over one database."""

    engine: Engine
    agenda: Agenda
    clips: Clips
    labels: Labels
    queue: Queue
    versions: Versions
    facts: Facts
    sessions: Sessions
    sheets: Sheets
    clip_scores: ClipScoreStore
    maps: Maps
    task_columns: TaskColumns

    def forget(self, project_id: int) -> None:
        """Drop a project that Label Studio no longer has; embeddings stay for other projects."""
        parts = (self.clips, self.labels, self.queue, self.versions, self.facts, self.agenda)
        for part in (*parts, self.sheets, self.clip_scores, self.maps, self.task_columns):
            part.forget(project_id)

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()


def open_store(url: str) -> Store:
    """Open the store at a SQLAlchemy address, and create or migrate its tables as needed.

    Raises
    ------
    StoreError
        If the address is not valid or the database cannot be opened.

    Examples
    --------
    >>> store = open_store("sqlite://")
    >>> store.agenda.project_ids()
    []
    """
    try:
        address = make_url(url)
    except ArgumentError:
        raise StoreError(
            "EARMARK_DATABASE_URL is not an address SQLAlchemy understands; "
            "write it like postgresql+psycopg://user:password@host/name."
        ) from None
    shown = address.render_as_string(hide_password=True)
    try:
        if address.get_backend_name() == "sqlite" and address.database:
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(address, pool_pre_ping=True, hide_parameters=True)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _set_up_sqlite)
        _bring_up(engine)
    except (SQLAlchemyError, ImportError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise StoreError(
            f"{shown}: the store cannot be opened ({reason}). "
            "Check EARMARK_DATABASE_URL and EARMARK_DATA.",
            plain="The store cannot be opened.",
        ) from None
    return Store(
        engine,
        Agenda(engine),
        Clips(engine),
        Labels(engine),
        Queue(engine),
        Versions(engine),
        Facts(engine),
        Sessions(engine),
        Sheets(engine),
        ClipScoreStore(engine),
        Maps(engine),
        TaskColumns(engine),
    )


def _set_up_sqlite(connection: object, _record: object) -> None:
    """Allow readers beside one writer, and make commits survive a killed process."""
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=15000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _bring_up(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config

    # Alembic logs at every start that there is nothing to do.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", "ml_backend.store:migrations")
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Several processes may start at once; one migrates, the others wait.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(20412)")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
