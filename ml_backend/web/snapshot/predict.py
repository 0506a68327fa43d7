"""Answers ``/predict``: one prediction per task, in the order asked, whatever the tasks are."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ml_backend.clip import Task, clip_key
from ml_backend.errors import LabelStudioError
from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.label_config import LabelConfig, parse_label_config
from ml_backend.learning.classifier import Classifier
from ml_backend.loop.publish import Edition
from ml_backend.similarity.vectors import normalize_rows
from ml_backend.store import Store
from ml_backend.web.snapshot.embedder import EarsOnDemand

log = logging.getLogger(__name__)

HEARING_LIMIT_S = 60.0
"""Label Studio waits 100 s for an answer; clips not embedded by then are answered without one."""
_BATCH = 16


class Predictor:
    """Predicts for tasks with the current version of their project."""

    def __init__(self, store: Store, label_studio: LabelStudio, ears: EarsOnDemand) -> None:
        self._store = store
        self._label_studio = label_studio
        self._lock = threading.Lock()
        self._ears = ears
        self._edition: tuple[tuple[int, str], Edition] | None = None

    def predict(
        self, project_id: int, tasks: Sequence[Any], label_config: str | None
    ) -> list[dict[str, object]]:
        """Give one prediction per task, in order.

        A clip that nobody has embedded yet is embedded now. What cannot be embedded, and every task
        of a project without a version that reads embeddings of the embedder at work, is answered
        with no choice and the last place in the queue.

        Raises
        ------
        LabelStudioNotFoundError
            If Label Studio has no such project.
        LabelConfigError
            If the label config asks for something Earmark cannot learn.
        """
        if project_id not in self._store.agenda.project_ids():
            self._label_studio.project(project_id)
            self._store.agenda.hint(project_id, now=time.time(), tasks=True)
        if not tasks:
            return []
        if not label_config:
            label_config = self._label_studio.project(project_id)["label_config"]
        config = parse_label_config(label_config)
        embedder_id = self._store.facts.embedder_at_work()
        edition = self._edition_of(project_id, config, embedder_id)
        asked = [_asked(task, config.audio_field) for task in tasks]
        answers = [_nothing(edition) for _ in asked]
        if edition is None:
            return answers
        vectors = self._embeddings(embedder_id, [task for task in asked if task is not None])
        embedded = [
            row for row, task in enumerate(asked) if task is not None and task.clip_key in vectors
        ]
        if embedded:
            chosen = [task for task in (asked[row] for row in embedded) if task is not None]
            rank_of = {int(task_id): rank for rank, task_id in enumerate(edition.order)}
            written = edition.write(
                [task.task_id for task in chosen],
                np.stack([vectors[task.clip_key] for task in chosen]),
                [rank_of.get(task.task_id, len(edition.order)) for task in chosen],
            )
            for row, prediction in zip(embedded, written, strict=True):
                answers[row] = prediction
        return answers

    def _edition_of(self, project_id: int, config: LabelConfig, embedder_id: str) -> Edition | None:
        """Open the current version, unless it was made for other labels or by another embedder."""
        progress = self._store.versions.progress(project_id)
        if progress is None or progress.embedder_id != embedder_id:
            return None
        made_from = project_id, self._store.facts.stamp("order", project_id)
        with self._lock:
            held = self._edition
        if held and held[0] == made_from:
            edition = held[1]
        else:
            opened = self._open(project_id, config)
            if opened is None:
                return None
            edition = opened
            with self._lock:
                self._edition = (made_from, edition)
        classifier = edition.classifier
        if classifier is not None and tuple(classifier.class_names) != config.class_names:
            self._store.agenda.hint(project_id, now=time.time())
            return None
        return replace(edition, config=config)

    def _open(self, project_id: int, config: LabelConfig) -> Edition | None:
        version = self._store.versions.current(project_id)
        if version is None or version.ranking is None:
            return None
        labeled = set(version.ranking["labeled_task_ids"].tolist())
        keys = [
            task.clip_key for task in self._store.clips.tasks(project_id) if task.task_id in labeled
        ]
        _, vectors = self._store.clips.embeddings(version.embedder_id, keys)
        classifier = Classifier.from_arrays(version.classifier) if version.classifier else None
        prior = None
        if classifier is not None and classifier.needs_prior:
            ears = self._ears.of(version.embedder_id)
            if ears is None or ears.tagger is None:
                return None
            prior = ears.tagger.prior(config.class_names)
        return Edition(
            version.model_version,
            config,
            classifier,
            version.ranking["task_ids"].astype(np.int64),
            normalize_rows(vectors),
            prior,
        )

    def _embeddings(
        self, embedder_id: str, tasks: Sequence[Task]
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Find the embeddings of tasks by clip key, embedding what is missing."""
        keys = sorted({task.clip_key for task in tasks})
        found, vectors = self._store.clips.embeddings(embedder_id, keys)
        missing = sorted(set(keys) - set(found))
        if missing:
            task_of = {task.clip_key: task for task in tasks}
            deadline = time.monotonic() + HEARING_LIMIT_S
            ears = self._ears.of(embedder_id)
            try:
                for start in range(0, len(missing), _BATCH):
                    left_s = deadline - time.monotonic()
                    if ears is None or left_s <= 0:
                        break
                    batch = [task_of[key] for key in missing[start : start + _BATCH]]
                    ears.clip_embedder.embed(batch, limit_s=left_s)
            except LabelStudioError as error:
                log.warning("some clips cannot be embedded now: %s", error)
            found, vectors = self._store.clips.embeddings(embedder_id, keys)
        return dict(zip(found, vectors, strict=True))


def _asked(task: Any, audio_field: str) -> Task | None:
    """Read a task as Label Studio sends it; None where it holds no audio to hear."""
    if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
        return None
    data, task_id = task["data"], task.get("id")
    audio = data.get(audio_field)
    if not isinstance(audio, str) or not isinstance(task_id, int):
        return None
    return Task(task_id, clip_key(data, audio), audio)


def _nothing(edition: Edition | None) -> dict[str, object]:
    answer: dict[str, object] = {"result": [], "score": 1.0}
    if edition is not None:
        answer["model_version"] = edition.model_version
    return answer
