"""Visitors' sessions and tickets: their encrypted content, until it expires."""

from sqlalchemy import Engine, delete, select

from ml_backend.store.dialect import upsert
from ml_backend.store.schema import session


class Sessions:
    """Encrypted texts by a key that does not decrypt them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, key: str, sealed: str, *, expires_at: float, now: float) -> None:
        """Store an encrypted text until it expires, and delete expired ones."""
        row = {"key": key, "sealed": sealed, "expires_at": expires_at}
        with self._engine.begin() as connection:
            connection.execute(delete(session).where(session.c.expires_at <= now))
            upsert(connection, session, [row], update=False)

    def find(self, key: str, *, now: float) -> str | None:
        """Return the text under a key; None if there is none or it has expired."""
        statement = select(session.c.sealed).where(session.c.key == key, session.c.expires_at > now)
        with self._engine.connect() as connection:
            return connection.scalar(statement)

    def take(self, key: str, *, now: float) -> str | None:
        """Return and delete the text under a key: of two concurrent calls, one gets it."""
        sealed = self.find(key, now=now)
        return sealed if self.drop(key) else None

    def drop(self, key: str) -> bool:
        """Delete the text under a key; return whether there was one."""
        with self._engine.begin() as connection:
            return connection.execute(delete(session).where(session.c.key == key)).rowcount == 1
