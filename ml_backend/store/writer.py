"""One writer at a time: the lock that a worker holds for its life.

Two workers on one store would do every round twice and publish everything twice. The lock goes with
the process that holds it: of SQLite it is a file beside the database, locked by the operating
system; of PostgreSQL an advisory lock of a connection that is kept for nothing else.
"""

import fcntl
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from ml_backend.errors import StoreError

_LOCK_NUMBER = 20413
# A machine that is gone is noticed within half a minute, and its lock is free.
_KEEPALIVE = {"tcp_keepalives_idle": 10, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 3}


class Writer:
    """The right to look after a store's projects; a database in memory has no other writer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._file: IO[str] | None = None
        self._connection: Connection | None = None

    def take(self) -> bool:
        """Take the lock; False where another process holds it."""
        if self._engine.dialect.name == "postgresql":
            return self._take_advisory_lock()
        database = self._engine.url.database
        return database in (None, "", ":memory:") or self._take_file(Path(f"{database}.lock"))

    def check(self) -> None:
        """See that the lock is still held.

        Raises
        ------
        StoreError
            If the database has dropped the connection that held it: another worker may have it now.
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
        """Release the lock for another worker."""
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
