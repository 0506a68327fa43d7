"""Stamps: a word per project and thing, another one whenever the thing has changed.

Who shows something compares stamps instead of reading all of it again.
"""

import secrets

from sqlalchemy import Connection

from ml_backend.store.dialect import upsert
from ml_backend.store.schema import fact


def stamp_name(what: str, project_id: int) -> str:
    """Name the fact that holds a stamp; ``Facts.forget`` knows it by its ending."""
    return f"{what} of project {project_id}"


def stamp(connection: Connection, what: str, project_id: int, word: str | None = None) -> None:
    """Note that something of a project has changed, in the transaction that changes it."""
    row = {"name": stamp_name(what, project_id), "value": word or secrets.token_hex(8)}
    upsert(connection, fact, [row])
