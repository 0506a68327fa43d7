"""One writer at a time: the lock that a worker holds while it runs.

Two workers on one store would do every round twice and publish everything twice. The lock ends with
the process that holds it: for SQLite it is a file beside the database, locked by the operating
system; for PostgreSQL an advisory lock of a dedicated connection.
"""

import fcntl
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from ml_backend.errors import StoreError

_LOCK_NUMBER = 20413
# The server detects a lost machine within half a minute and frees its lock.
_KEEPALIVE = {"tcp_keepalives_idle": 10, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 3}


class Writer:
    """The exclusive right to work on a store's projects; always free for a database in memory."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._file: IO[str] | None = None
        self._connection: Connection | None = None

    def take(self) -> bool:
        """Take the lock; return False if another process holds it."""
        if self._engine.dialect.name == "postgresql":
            return self._take_advisory_lock()
        database = self._engine.url.database
        return database in (None, "", ":memory:") or self._take_file(Path(f"{database}.lock"))

    def check(self) -> None:
        """Check that the lock is still held.

        Raises
        ------
        StoreError
            If the database has closed its connection: another worker may hold it now.
        """
        if self._connection is None:
            return
        try:
            self._connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            raise StoreError(
                "The database ended the connection that made this worker the only one; "
                "it starts again."
            ) from None

    def give_back(self) -> None:
        """Release the lock."""
        if self._file is not None:
            self._file.close()
        if self._connection is not None:
            self._connection.invalidate()  # closed, not pooled: the lock goes with it
            self._connection.close()
        self._file = self._connection = None

    def _take_file(self, path: Path) -> bool:
        file = path.open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def _take_advisory_lock(self) -> bool:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if not connection.scalar(text(f"SELECT pg_try_advisory_lock({_LOCK_NUMBER})")):
            connection.close()
            return False
        for name, value in _KEEPALIVE.items():
            connection.execute(text(f"SET {name} = {value}"))
        self._connection = connection
        return True
