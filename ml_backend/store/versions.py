"""Model versions with their rankings, and the rounds that made them."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Engine, case, delete, select, true, update
from sqlalchemy import func as sql

from ml_backend.store.arrays import pack_arrays, unpack_arrays
from ml_backend.store.dialect import upsert
from ml_backend.store.schema import measured, round_, version
from ml_backend.store.stamps import stamp

_ROUNDS_KEPT = 1000


@dataclass(frozen=True)
class Version:
    """A model version: a classifier and its ranking.

    ``classifier`` holds named arrays, or None before one could be trained; ``ranking`` holds
    ``task_ids`` best first and ``answered_task_ids``, and is kept for the current version only.
    """

    model_version: str
    embedder_id: str
    created_at: float
    classifier: dict[str, NDArray[np.generic]] | None
    ranking: dict[str, NDArray[np.generic]] | None


@dataclass(frozen=True)
class Progress:
    """The progress of publishing a version to Label Studio.

    ``n_published`` of ``n_ranked`` clips of the ranking, then ``n_answered_published`` of
    ``n_answered`` answered clips. The version is valid for embeddings of ``embedder_id`` only.
    """

    model_version: str
    created_at: float
    n_published: int
    n_ranked: int
    embedder_id: str
    n_answered_published: int = 0
    n_answered: int = 0

    @property
    def position(self) -> int:
        """Number of clips published, counted through the ranking and the answered clips."""
        return self.n_published + self.n_answered_published

    @property
    def is_whole(self) -> bool:
        """Whether Label Studio has a prediction of this version for every clip."""
        return self.position >= self.n_ranked + self.n_answered


@dataclass(frozen=True)
class Round:
    """One round of the loop: its time, its number of labels, and the duration of each step in s.

    ``figures`` are the measured performance of its classifier, None if it was not measured.
    """

    number: int
    model_version: str
    finished_at: float
    n_labeled: int
    n_pool: int
    timings_s: dict[str, float]
    figures: dict[str, Any] | None = None


class Versions:
    """The model versions and rounds of every project."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, project_id: int, new: Version) -> None:
        """Store a version as the current one, and delete the rankings of older ones."""
        row = {
            "project_id": project_id,
            "model_version": new.model_version,
            "embedder_id": new.embedder_id,
            "created_at": new.created_at,
            "classifier": None if new.classifier is None else pack_arrays(new.classifier),
            "ranking": None if new.ranking is None else pack_arrays(new.ranking),
            "n_ranked": 0 if new.ranking is None else len(new.ranking["task_ids"]),
            "n_published": 0,
            "n_answered": len((new.ranking or {}).get("answered_task_ids", ())),
            "n_answered_published": 0,
        }
        with self._engine.begin() as connection:
            connection.execute(
                update(version)
                .where(version.c.project_id == project_id, version.c.ranking.is_not(None))
                .values(ranking=None)
            )
            upsert(connection, version, [row])
            stamp(connection, "order", project_id)

    def set_order(self, project_id: int, of: Version, task_ids: NDArray[np.int64]) -> None:
        """Store another ranking of the same clips for an existing version."""
        mine = update(version).filter_by(project_id=project_id, model_version=of.model_version)
        ranking = pack_arrays({**(of.ranking or {}), "task_ids": task_ids})
        with self._engine.begin() as connection:
            connection.execute(mine.where(version.c.ranking.is_not(None)).values(ranking=ranking))
            stamp(connection, "order", project_id)

    def current(self, project_id: int) -> Version | None:
        """Return the newest version, or None before the first."""
        return self._find(project_id, version.c.ranking.is_not(None))

    def find(self, project_id: int, model_version: str) -> Version | None:
        """Return a version by its name; None if there is none."""
        return self._find(project_id, version.c.model_version == model_version)

    def _find(self, project_id: int, which: ColumnElement[bool]) -> Version | None:
        statement = (
            select(version)
            .where(version.c.project_id == project_id, which)
            .order_by(version.c.created_at.desc())
            .limit(1)
        )
        with self._engine.connect() as connection:
            row = connection.execute(statement).one_or_none()
        if row is None:
            return None
        return Version(
            row.model_version,
            row.embedder_id,
            row.created_at,
            None if row.classifier is None else unpack_arrays(row.classifier),
            None if row.ranking is None else unpack_arrays(row.ranking),
        )

    def progress(self, project_id: int) -> Progress | None:
        """Return the progress of publishing the newest version, without reading its arrays."""
        columns = (
            version.c.model_version,
            version.c.created_at,
            version.c.n_published,
            version.c.n_ranked,
            version.c.embedder_id,
            version.c.n_answered_published,
            version.c.n_answered,
        )
        statement = (
            select(*columns)
            .where(version.c.project_id == project_id, version.c.ranking.is_not(None))
            .order_by(version.c.created_at.desc())
            .limit(1)
        )
        with self._engine.connect() as connection:
            row = connection.execute(statement).one_or_none()
        return Progress(*row) if row else None

    def names(self, project_id: int) -> list[str]:
        """List the names of all versions, newest first."""
        statement = (
            select(version.c.model_version)
            .where(version.c.project_id == project_id)
            .order_by(version.c.created_at.desc())
        )
        with self._engine.connect() as connection:
            return list(connection.scalars(statement))

    def with_classifier(self, project_id: int) -> set[str]:
        """Return the names of the versions with a classifier."""
        statement = select(version.c.model_version).where(
            version.c.project_id == project_id, version.c.classifier.is_not(None)
        )
        with self._engine.connect() as connection:
            return set(connection.scalars(statement))

    def set_published(self, project_id: int, model_version: str, position: int) -> None:
        """Store the number of published clips, counted through the ranking, then the answered."""
        n_ranked = version.c.n_ranked
        is_beyond = n_ranked < position
        mine = update(version).filter_by(project_id=project_id, model_version=model_version)
        with self._engine.begin() as connection:
            connection.execute(
                mine.values(
                    n_published=case((is_beyond, n_ranked), else_=position),
                    n_answered_published=case((is_beyond, position - n_ranked), else_=0),
                )
            )

    def add_round(self, project_id: int, done: Round) -> int:
        """Store a round under the next number, which is returned, and drop very old ones."""
        mine = round_.c.project_id == project_id
        with self._engine.begin() as connection:
            last = connection.scalar(select(sql.max(round_.c.number)).where(mine)) or 0
            row = {**vars(done), "project_id": project_id, "number": last + 1}
            connection.execute(round_.insert(), row)
            connection.execute(delete(round_).where(mine, round_.c.number <= last - _ROUNDS_KEPT))
        return last + 1

    def rounds(self, project_id: int, *, limit: int = 20) -> list[Round]:
        """List the last rounds, newest first."""
        return self._rounds(project_id, limit, true())

    def measured_rounds(self, project_id: int, *, limit: int = 100) -> list[Round]:
        """List the last measured rounds, newest first."""
        return self._rounds(project_id, limit, round_.c.figures.is_not(None))

    def _rounds(self, project_id: int, limit: int, which: ColumnElement[bool]) -> list[Round]:
        statement = (
            select(*(round_.c[one.name] for one in fields(Round)))
            .where(round_.c.project_id == project_id, which)
            .order_by(round_.c.number.desc())
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [Round(*row) for row in connection.execute(statement)]

    def set_figures(
        self,
        project_id: int,
        number: int,
        figures: dict[str, Any],
        labels: dict[str, NDArray[np.generic]],
    ) -> None:
        """Store the measured performance of a round's classifier, and the labels it is based on.

        ``labels`` replaces the labels of the previous measurement.
        """
        mine = update(round_).filter_by(project_id=project_id, number=number)
        with self._engine.begin() as connection:
            connection.execute(mine.values(figures=figures))
            row = {"project_id": project_id, "content": pack_arrays(labels)}
            upsert(connection, measured, [row])

    def measured_labels(self, project_id: int) -> dict[str, NDArray[Any]] | None:
        """Return the labels of the last measurement; None if they were not stored."""
        statement = select(measured.c.content).where(measured.c.project_id == project_id)
        with self._engine.connect() as connection:
            content = connection.scalar(statement)
        return None if content is None else unpack_arrays(content)

    def forget(self, project_id: int) -> None:
        """Drop a project's versions and rounds."""
        with self._engine.begin() as connection:
            for table in (version, round_, measured):
                connection.execute(delete(table).where(table.c.project_id == project_id))
