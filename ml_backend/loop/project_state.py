"""The current state of a project, read from Label Studio and from the store.

The state does not depend on the event that caused a round. Annotations, embeddings and prior of the
last few projects are cached, so that a round reads only changes.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from ml_backend.clip import Task, TaskLabels, clip_key, told
from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.label_config import LabelConfig, parse_label_config
from ml_backend.learning.embedded_clips import EmbeddedClips
from ml_backend.learning.prior import Prior, Tagger
from ml_backend.loop.annotation_cache import Annotated
from ml_backend.loop.embedding_cache import Gatherer
from ml_backend.loop.requested_clips import RequestedFirst
from ml_backend.loop.stopwatch import Stopwatch
from ml_backend.metadata.sanitize import cleaned
from ml_backend.store import Store

_PROJECTS_HELD = 8


@dataclass(frozen=True)
class State:
    """The state of one project at the start of a round.

    ``first`` holds the tasks that are requested first, or None. ``is_news`` is whether the labels
    or the request differ from those of the last round.
    """

    project: dict[str, Any]
    config: LabelConfig
    labels: list[TaskLabels]
    is_news: bool
    clips: EmbeddedClips
    first: NDArray[np.int64] | None

    @property
    def project_id(self) -> int:
        """The project's number."""
        return int(self.project["id"])


@dataclass(frozen=True)
class _HeldPrior:
    clips: EmbeddedClips
    columns: tuple[tuple[int, ...], ...]
    logits: NDArray[np.float32]


class Reader:
    """Reads projects; safe to share between rounds of several.

    ``read_later``, if given, is called with a project whose tasks should be read later with
    ``read_tasks``; until then the stored tasks are used.
    """

    def __init__(
        self,
        store: Store,
        label_studio: LabelStudio,
        embedder_id: str,
        tagger: Tagger | None,
        read_later: Callable[[int], object] | None = None,
    ) -> None:
        self._read_later = read_later
        self._store = store
        self._label_studio = label_studio
        self._embedder_id = embedder_id
        self._tagger = tagger
        self._annotated = Annotated(store, label_studio, _PROJECTS_HELD)
        self._gatherer = Gatherer(store, _PROJECTS_HELD)
        self._requested_first = RequestedFirst(store)
        self._priors: LRUCache[int, _HeldPrior] = LRUCache(_PROJECTS_HELD)
        self._named: dict[int, dict[str, tuple[str, ...]] | None] = {}
        self._lock = threading.Lock()

    def read(self, project: dict[str, Any], *, tasks: bool, whole: bool, watch: Stopwatch) -> State:
        """Read a project; its tasks if ``tasks``, or if their number has changed.

        If ``whole``, all annotations are read again, not only known changes. Label Studio takes
        1.5 ms per task, so tasks are read later if possible.

        Raises
        ------
        LabelConfigError
            If the label config asks for something Earmark cannot learn.
        """
        project_id = int(project["id"])
        config = parse_label_config(project["label_config"])
        self._store.agenda.describe(
            project_id,
            title=project.get("title") or "",
            class_names=config.class_names,
            multi_label=config.multi_label,
            hotkeys=config.hotkeys,
        )
        with watch.step("tasks"):
            n_held = self._store.clips.n_tasks(project_id)
            n_tasks = project.get("task_number")
            if tasks or n_tasks != n_held:
                if self._read_later is not None and n_held and n_tasks:
                    self._read_later(project_id)
                else:
                    self.read_tasks(project_id, config)
        with watch.step("labels"):
            labels = self._annotated.read(project_id, config, whole=whole)
            is_news = self._store.labels.replace(project_id, labels)
        with watch.step("queue"):
            first, is_new_request = self._requested_first.task_ids(project_id)
        with watch.step("embeddings"):
            clips = self.clips(project_id)
        return State(project, config, labels, is_news or is_new_request, clips, first)

    def read_tasks(self, project_id: int, config: LabelConfig) -> bool:
        """Read and store all tasks of a project; return whether any changed."""
        rows = self._label_studio.tasks(project_id)
        found = [_task(row["id"], row["data"], config.audio_field) for row in rows]
        is_changed = self._store.clips.replace_tasks(project_id, found)
        if is_changed:
            self._requested_first.tasks_changed(project_id)
        return is_changed

    def clips(self, project_id: int) -> EmbeddedClips:
        """Return a project's embedded clips, reading only new embeddings."""
        return self._gatherer.clips(project_id, self._embedder_id)

    def is_embedding(self, project_id: int) -> bool:
        """Return whether some clips are neither embedded nor failed yet."""
        counts = self._store.clips.count(project_id, self._embedder_id)
        return counts["embedded"] + counts["failed"] < counts["clips"]

    def prior(self, config: LabelConfig) -> Prior | None:
        """Return the prior of a project's classes."""
        return self._tagger.prior(config.class_names) if self._tagger else None

    def logits(self, state: State, prior: Prior | None) -> NDArray[np.float32] | None:
        """Return a prior's logits, computed once for the same clips; store the matched names."""
        project_id = state.project_id
        class_names = state.config.class_names
        named = None if prior is None else dict(zip(class_names, prior.names, strict=True))
        if project_id not in self._named or self._named[project_id] != named:
            self._store.facts.write(f"names of project {project_id}", named)
            self._named[project_id] = named
        return self._logits(project_id, state.clips, prior)

    def logits_of(
        self, project_id: int, clips: EmbeddedClips, class_names: Sequence[str]
    ) -> NDArray[np.float32] | None:
        """Return the prior logits of some classes, computed once for the same clips."""
        prior = self._tagger.prior(class_names) if self._tagger else None
        return self._logits(project_id, clips, prior)

    def _logits(
        self, project_id: int, clips: EmbeddedClips, prior: Prior | None
    ) -> NDArray[np.float32] | None:
        if prior is None:
            return None
        with self._lock:
            held = self._priors.get(project_id)
        if held is None or held.clips is not clips or held.columns != prior.columns:
            held = _HeldPrior(clips, prior.columns, prior.logits(clips.embeddings))
        self._keep(project_id, held)
        return held.logits

    def _keep(self, project_id: int, kept: _HeldPrior) -> None:
        with self._lock:
            self._priors[project_id] = kept


def _task(task_id: int, raw: dict[str, Any], audio_field: str) -> Task:
    data = cleaned(raw)
    audio = data.get(audio_field)
    address = audio if isinstance(audio, str) else ""
    recording = data.get("recording_id")
    return Task(
        task_id,
        clip_key(data, address),
        address,
        None if recording is None else str(recording),
        told(data, audio_field),
    )
