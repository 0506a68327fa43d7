"""One round: make Label Studio's queue follow what is true in Label Studio now.

A round reads everything anew, so it does not matter which event, or how many, led to it; and
every step can be killed and done again. The same state gives the same model version, and a
round that finds it current already changes nothing.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.annotation import read_annotations
from ml_backend.asked_first import AskedFirst
from ml_backend.classifier import Classifier
from ml_backend.clip import Task, TaskLabels, clip_key, told
from ml_backend.embedded import EmbeddedClips, embedded_clips
from ml_backend.errors import LabelStudioError, LabelStudioNotFoundError
from ml_backend.gauge import Gauge
from ml_backend.label_config import LabelConfig, parse_label_config
from ml_backend.label_studio import LabelStudio
from ml_backend.prior import Prior, Tagger
from ml_backend.publish import Edition, publish_head
from ml_backend.query_strategy import get_strategy
from ml_backend.settings import Settings
from ml_backend.store import Store
from ml_backend.store.agenda import Turn
from ml_backend.store.versions import Progress, Round, Version
from ml_backend.training import Learned, learn, name_version

log = logging.getLogger(__name__)

FIRST_ORDER = 200
"""So many clips are heard before a project gets its first order, where it has as many."""
_PROJECTS_HELD = 8


@dataclass(frozen=True)
class _HeldPrior:
    clips: EmbeddedClips
    columns: tuple[tuple[int, ...], ...]
    logits: NDArray[np.float32]


class Reconciler:
    """Does rounds; keeps the embeddings of the last few projects in memory between them."""

    def __init__(
        self,
        store: Store,
        label_studio: LabelStudio,
        settings: Settings,
        embedder_id: str,
        clock: Callable[[], float] = time.time,
        tagger: Tagger | None = None,
    ) -> None:
        self._store = store
        self._label_studio = label_studio
        self._settings = settings
        self._embedder_id = embedder_id
        self._clock = clock
        self._tagger = tagger
        self._gauge = Gauge(store)
        self._asked_first = AskedFirst(store)
        self._priors: OrderedDict[int, _HeldPrior] = OrderedDict()
        self._held: OrderedDict[int, EmbeddedClips] = OrderedDict()
        self._lock = threading.Lock()
        self._asked: dict[int, tuple[object, ...]] = {}

    def reconcile(self, turn: Turn) -> str | None:
        """Do one round and give the model version that is current after it.

        None where there is nothing to rank yet, or the project is gone. What Label Studio or
        the label config refuse is raised, and nothing is half done that the next round would
        not mend.
        """
        project_id = turn.project_id
        asked = self._asked.pop(project_id, None)  # and not known again until the round is done
        timings_s: dict[str, float] = {}
        with _timed(timings_s, "project"):
            try:
                project = self._label_studio.project(project_id)
            except LabelStudioNotFoundError:
                self._store.forget(project_id)
                log.info("project %d is gone from Label Studio", project_id)
                return None
            progress = self._store.versions.progress(project_id)
            is_asking_anew = asked != _question(project)
            if not (turn.labels_changed or turn.tasks_changed or is_asking_anew) and (
                progress is not None and progress.model_version == project.get("model_version")
            ):
                self._asked[project_id] = _question(project)
                return progress.model_version
            config = parse_label_config(project["label_config"])
            self._store.agenda.describe(
                project_id, title=project.get("title") or "", class_names=list(config.class_names)
            )
        with _timed(timings_s, "tasks"):
            if turn.tasks_changed or is_asking_anew or self._has_other_tasks(project):
                self._read_tasks(project_id, config)
        with _timed(timings_s, "labels"):
            exported = self._label_studio.annotated_tasks(project_id)
            labels = read_annotations(exported, config)
            is_news = self._store.labels.replace(project_id, labels)
        with _timed(timings_s, "queue"):
            first, is_new_request = self._asked_first.task_ids(project_id)
            is_news = is_news or is_new_request
        with _timed(timings_s, "embeddings"):
            clips = self.clips(project_id)
        if not len(clips) or (not is_news and self._is_too_early(project_id, clips, progress)):
            self._asked[project_id] = _question(project)
            return None
        strategy = get_strategy(self._settings.strategy)
        with _timed(timings_s, "prior"):
            prior, logits = self._prior(project_id, clips, config)
        wanted = name_version(
            clips,
            labels,
            config,
            strategy,
            self._embedder_id,
            logits,
            self._settings.audit_share,
            first,
        )
        if progress is not None and progress.model_version == wanted:
            is_shown = project.get("model_version") == wanted
            if is_shown or not progress.n_ranked:
                self._asked[project_id] = _question(project)
                return wanted
        with _timed(timings_s, "learn"):
            learned = learn(
                clips,
                labels,
                config,
                strategy,
                embedder_id=self._embedder_id,
                n_head=self._settings.head_size,
                n_annotators_wanted=project.get("maximum_annotations") or 1,
                prior=logits,
                audit_share=self._settings.audit_share,
                first=first,
            )
        with _timed(timings_s, "publish"):
            self._publish(project_id, learned, labels, clips, config, prior)
        self._asked[project_id] = _question(project)
        timings_s["total"] = sum(timings_s.values())
        number = self._store.versions.add_round(
            project_id,
            Round(
                number=0,
                model_version=learned.model_version,
                finished_at=self._clock(),
                n_labeled=learned.n_labeled,
                n_pool=len(learned.order),
                timings_s={name: round(seconds, 4) for name, seconds in timings_s.items()},
            ),
        )
        log.info(
            "project %d: %s from %d labels, %d clips to ask, %.2f s",
            project_id,
            learned.model_version,
            learned.n_labeled,
            len(learned.order),
            timings_s["total"],
        )
        self._gauge.measure(project_id, number, learned, clips, config, logits)
        return learned.model_version

    def clips(self, project_id: int) -> EmbeddedClips:
        """Line a project's tasks up with their embeddings, reading only what is new."""
        tasks = self._store.clips.tasks(project_id)
        with self._lock:
            held = self._held.get(project_id)
        row_of = {key: row for row, key in enumerate(held.clip_keys)} if held else {}
        new = sorted({task.clip_key for task in tasks} - row_of.keys())
        keys, vectors = self._store.clips.embeddings(self._embedder_id, new)
        if held is not None and not keys and len(held) == len(tasks):
            same = np.array_equal(held.task_ids, [task.task_id for task in tasks])
            if same and held.clip_keys == tuple(task.clip_key for task in tasks):
                return held
        if row_of and held is not None:
            kept = list(row_of)
            old = held.embeddings[[row_of[key] for key in kept]]
            vectors = np.concatenate([old, vectors]) if keys else old
            keys = kept + keys
        clips = embedded_clips(tasks, keys, vectors)
        with self._lock:
            self._held[project_id] = clips
            self._held.move_to_end(project_id)
            while len(self._held) > _PROJECTS_HELD:
                self._held.popitem(last=False)
        return clips

    def edition(self, project_id: int, clips: EmbeddedClips) -> Edition | None:
        """Open the current version again, to publish the rest of its order."""
        version = self._store.versions.current(project_id)
        if version is None or version.ranking is None:
            return None
        project = self._label_studio.project(project_id)
        if project.get("model_version") != version.model_version:
            return None
        config = parse_label_config(project["label_config"])
        prior = self._tagger.prior(config.class_names) if self._tagger else None
        return open_edition(version, config, clips, prior)

    def _prior(
        self, project_id: int, clips: EmbeddedClips, config: LabelConfig
    ) -> tuple[Prior | None, NDArray[np.float32] | None]:
        """Give the prior of a project's classes and its logits, made once for the same clips."""
        prior = self._tagger.prior(config.class_names) if self._tagger else None
        if prior is None:
            return None, None
        with self._lock:
            held = self._priors.get(project_id)
        if held is None or held.clips is not clips or held.columns != prior.columns:
            held = _HeldPrior(clips, prior.columns, prior.logits(clips.embeddings))
            named = dict(zip(config.class_names, prior.names, strict=True))
            self._store.facts.write(f"names of project {project_id}", named)
        with self._lock:
            self._priors[project_id] = held
            self._priors.move_to_end(project_id)
            while len(self._priors) > _PROJECTS_HELD:
                self._priors.popitem(last=False)
        return prior, held.logits

    def _is_too_early(
        self, project_id: int, clips: EmbeddedClips, progress: Progress | None
    ) -> bool:
        """While clips are still being heard, order them anew only when they have doubled."""
        counts = self._store.clips.count(project_id, self._embedder_id)
        n_wanted = FIRST_ORDER if progress is None else 2 * progress.n_ranked
        is_hearing = counts["embedded"] + counts["unheard"] < counts["clips"]
        return is_hearing and len(clips) < n_wanted

    def _has_other_tasks(self, project: dict[str, Any]) -> bool:
        n_held = self._store.clips.count(project["id"], self._embedder_id)["clips"]
        return bool(project.get("task_number") != n_held)

    def _read_tasks(self, project_id: int, config: LabelConfig) -> None:
        rows = self._label_studio.tasks(project_id)
        tasks = [_task(row["id"], row["data"], config.audio_field) for row in rows]
        if self._store.clips.replace_tasks(project_id, tasks):
            self._asked_first.tasks_changed(project_id)

    def _publish(
        self,
        project_id: int,
        learned: Learned,
        labels: list[TaskLabels],
        clips: EmbeddedClips,
        config: LabelConfig,
        prior: Prior | None,
    ) -> None:
        labeled_ids = [one.task_id for one in labels if one.labels is not None]
        version = Version(
            learned.model_version,
            self._embedder_id,
            self._clock(),
            learned.classifier.to_arrays() if learned.classifier else None,
            {"task_ids": learned.order, "labeled_task_ids": np.array(labeled_ids, dtype=np.int64)},
        )
        edition = open_edition(version, config, clips, prior)
        self._store.versions.add(project_id, version)
        try:
            n_published = publish_head(
                self._label_studio, project_id, edition, clips, self._settings.head_size
            )
        except LabelStudioError:
            # One task deleted meanwhile makes Label Studio refuse them all: read the tasks anew.
            self._store.agenda.hint(project_id, now=self._clock(), tasks=True)
            raise
        self._store.versions.set_published(project_id, learned.model_version, n_published)


def open_edition(
    version: Version, config: LabelConfig, clips: EmbeddedClips, prior: Prior | None
) -> Edition:
    """Bring a stored version into the form that predictions are written from."""
    ranking = version.ranking or {}
    labeled = clips.rows(ranking["labeled_task_ids"].astype(np.int64))
    return Edition(
        version.model_version,
        config,
        Classifier.from_arrays(version.classifier) if version.classifier else None,
        ranking["task_ids"].astype(np.int64),
        clips.unit[labeled],
        prior,
    )


def _question(project: dict[str, Any]) -> tuple[object, ...]:
    """Name the settings of a project that a round depends on."""
    return project["label_config"], project.get("maximum_annotations")


def _task(task_id: int, data: dict[str, Any], audio_field: str) -> Task:
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


@contextmanager
def _timed(timings_s: dict[str, float], name: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    timings_s[name] = time.perf_counter() - began
