"""Stamps: a random token per part of a project that changes whenever the part changes.

Readers compare stamps instead of reading the part again.
"""

import secrets

from sqlalchemy import Connection

from ml_backend.store.dialect import upsert
from ml_backend.store.schema import fact


def stamp_name(what: str, project_id: int) -> str:
    """Return the name of a stamp's fact; ``Facts.forget`` finds it by its ending."""
    return f"{what} of project {project_id}"


def stamp(connection: Connection, what: str, project_id: int, word: str | None = None) -> None:
    """Set a new stamp of a part of a project, in the transaction that changes the part."""
    row = {"name": stamp_name(what, project_id), "value": word or secrets.token_hex(8)}
    upsert(connection, fact, [row])
