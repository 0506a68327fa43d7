"""Who is signed in: what visitors' sessions and tickets hold, sealed, until they expire."""

from sqlalchemy import Engine, delete, select

from ml_backend.store.dialect import upsert
from ml_backend.store.schema import session


class Sessions:
    """Sealed words, found by a key that does not tell how to open them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, key: str, sealed: str, *, expires_at: float, now: float) -> None:
        """Keep something sealed until it expires; what has expired goes."""
        row = {"key": key, "sealed": sealed, "expires_at": expires_at}
        with self._engine.begin() as connection:
            connection.execute(delete(session).where(session.c.expires_at <= now))
            upsert(connection, session, [row], update=False)

    def find(self, key: str, *, now: float) -> str | None:
        """Return what is kept under a key; None where there is nothing, or nothing any more."""
        statement = select(session.c.sealed).where(session.c.key == key, session.c.expires_at > now)
        with self._engine.connect() as connection:
            return connection.scalar(statement)

    def take(self, key: str, *, now: float) -> str | None:
        """Return what is kept under a key, and forget it: of two who ask, one gets it."""
        sealed = self.find(key, now=now)
        return sealed if self.drop(key) else None

    def drop(self, key: str) -> bool:
        """Forget what is kept under a key; tell whether there was anything."""
        with self._engine.begin() as connection:
            return connection.execute(delete(session).where(session.c.key == key)).rowcount == 1
