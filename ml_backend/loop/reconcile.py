"""One round: update Label Studio's queue to the current state of the project.

A round does not depend on the kind or number of its events: it updates the caches, and sometimes
reads everything again. Every step can be interrupted and repeated. The same state results in the
same model version, and a round whose version is already current changes nothing.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml_backend.errors import LabelStudioNotFoundError
from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.learning.embedded_clips import EmbeddedClips
from ml_backend.learning.prior import Tagger
from ml_backend.learning.round_input import RoundInput
from ml_backend.learning.training import Learned, train_and_rank
from ml_backend.loop.echoes import Echoes
from ml_backend.loop.pinned_version import find_pinned
from ml_backend.loop.project_state import Reader, State
from ml_backend.loop.publish import FIRST, Edition, open_edition
from ml_backend.loop.round_metrics import RoundMetrics
from ml_backend.loop.round_publisher import RoundPublisher
from ml_backend.loop.standing import Standing
from ml_backend.loop.stopwatch import Stopwatch
from ml_backend.loop.ties import Ties
from ml_backend.settings import Settings
from ml_backend.store import Store
from ml_backend.store.agenda import Turn
from ml_backend.store.versions import Round
from ml_backend.strategies.registry import get_strategy

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Held:
    """A project's settings after the last round, and the stamp of its annotations then."""

    project: dict[str, Any]
    stamp: str


class _Question(NamedTuple):
    """The settings of a project that a round depends on; the config selects the audio of tasks."""

    label_config: str
    n_annotators_wanted: int

    @classmethod
    def of(cls, project: dict[str, Any]) -> "_Question":
        return cls(project["label_config"], project.get("maximum_annotations") or 1)


class Reconciler:
    """Does rounds, one at a time for each project.

    ``read_later`` is that of ``project_state.Reader``. ``measure_later``, if given, is called with
    the project and a function that measures its last round; no queue depends on the result.
    """

    def __init__(
        self,
        store: Store,
        label_studio: LabelStudio,
        settings: Settings,
        embedder_id: str,
        clock: Callable[[], float] = time.time,
        tagger: Tagger | None = None,
        read_later: Callable[[int], object] | None = None,
        measure_later: Callable[[int, Callable[[], None]], object] | None = None,
    ) -> None:
        self._store = store
        self._label_studio = label_studio
        self._settings = settings
        self._embedder_id = embedder_id
        self._clock = clock
        self._reader = Reader(store, label_studio, embedder_id, tagger, read_later)
        self._metrics = RoundMetrics(store, embedder_id)
        self._measure_later = measure_later or _at_once
        self._held: dict[int, _Held] = {}
        self._echoes = Echoes()
        self._publisher = RoundPublisher(
            store, label_studio, settings, embedder_id, self._echoes, clock
        )
        self._ties = Ties(store, label_studio)

    def reconcile(self, turn: Turn) -> str | None:
        """Do one round and return the model version that is current after it.

        Returns None if there is nothing to rank yet, or the project was deleted.

        Raises
        ------
        LabelStudioError, LabelConfigError
            If Label Studio refuses a request or the label config cannot be used. The next round
            completes whatever is incomplete.
        """
        project_id = turn.project_id
        held = self._held.pop(project_id, None)  # cached again only after a complete round
        stamp = self._store.facts.stamp("annotations", project_id)
        is_doubted = held is None or held.stamp != stamp
        project, watch = held.project if held else None, Stopwatch()
        n_other = self._echoes.take(project_id, turn.n_settings, now=self._clock())
        if project is None or is_doubted or n_other or turn.tasks_changed:
            with watch.step("project"):
                try:
                    project = self._label_studio.project(project_id)
                except LabelStudioNotFoundError:
                    self._store.forget(project_id)
                    log.info("project %d was deleted in Label Studio", project_id)
                    return None
        asked = _Question.of(held.project) if held else None
        question = _Question.of(project)
        progress = self._store.versions.progress(project_id)
        is_shown = (
            progress is not None
            and progress.model_version == project.get("model_version")
            and (progress.n_published > 0 or not progress.n_ranked)
        )
        standing = Standing(progress, is_shown)
        if standing.is_untouched(turn, is_asking_anew=asked != question):
            version = standing.model_version
        else:
            is_other_config = asked is None or asked.label_config != question.label_config
            state = self._reader.read(
                project, tasks=turn.tasks_changed or is_other_config, whole=is_doubted, watch=watch
            )
            version = self._follow(turn, state, standing, watch)
            self._ties.reopen(project_id, state.labels, question.n_annotators_wanted)
        shown = {"model_version": version} if version else {}
        self._held[project_id] = _Held(project | shown, stamp)
        return version

    def read_tasks(self, project_id: int) -> None:
        """Read all tasks of a project, and request a round if any changed."""
        config = parse_label_config(self._label_studio.project(project_id)["label_config"])
        if self._reader.read_tasks(project_id, config):
            self._store.agenda.hint(project_id, now=self._clock())

    def clips(self, project_id: int) -> EmbeddedClips:
        """Return a project's embedded clips, reading only new embeddings."""
        return self._reader.clips(project_id)

    def logits(
        self, project_id: int, clips: EmbeddedClips, class_names: Sequence[str]
    ) -> NDArray[np.float32] | None:
        """Return the prior logits of some classes, by rows of ``clips``."""
        return self._reader.logits_of(project_id, clips, class_names)

    def is_embedding(self, project_id: int) -> bool:
        """Return whether some clips are neither embedded nor failed yet."""
        return self._reader.is_embedding(project_id)

    def is_blind(self, project_id: int) -> bool:
        """Return whether a project hides predictions from annotators, as of the last round."""
        held = self._held.get(project_id)
        project = held.project if held else self._label_studio.project(project_id)
        return not project.get("show_collab_predictions", True)

    def publishing(self, project_id: int) -> threading.Lock:
        """Return the lock for publishing, replacing and deleting a project's predictions."""
        return self._publisher.lock(project_id)

    def edition(self, project_id: int, clips: EmbeddedClips) -> Edition | None:
        """Return the edition of the current version, to publish the rest of its ranking.

        None if Label Studio's current version or the embedder is another one.
        """
        version = self._store.versions.current(project_id)
        if version is None or version.ranking is None or version.embedder_id != self._embedder_id:
            return None
        project = self._label_studio.project(project_id)
        if project.get("model_version") != version.model_version:
            return None
        config = parse_label_config(project["label_config"])
        return open_edition(version, config, clips, self._reader.prior(config))

    def _follow(self, turn: Turn, state: State, standing: Standing, watch: Stopwatch) -> str | None:
        """Train, rank and publish, unless the resulting version is already current.

        While a version is pinned, nothing is trained and so nothing measured.
        """
        if standing.is_too_early(
            state,
            lambda: self._count_left(state),
            lambda: self._reader.is_embedding(state.project_id),
        ):
            return None
        with watch.step("prior"):
            prior = self._reader.prior(state.config)
            logits = self._reader.logits(state, prior)
        pinned = find_pinned(
            self._store,
            state.project_id,
            state.config,
            self._embedder_id,
            has_prior=prior is not None,
        )
        given = RoundInput(
            state.clips,
            state.labels,
            state.config,
            get_strategy(self._settings.strategy),
            self._embedder_id,
            prior=logits,
            audit_share=self._settings.audit_share,
            pinned=pinned,
            first=state.first,
            n_annotators_wanted=_Question.of(state.project).n_annotators_wanted,
            objective=self._settings.threshold,
        )
        if standing.is_that_of(given.model_version):
            return given.model_version
        with watch.step("learn"):
            learned, ranking = train_and_rank(given, n_head=min(FIRST, self._settings.head_size))
        with watch.step("publish"):
            self._publisher.publish(turn, state, learned, ranking, prior)
        number = self._note(state.project_id, learned, watch)
        if pinned is None:
            measure = partial(
                self._metrics.measure, state.project_id, number, learned, state, logits
            )
            self._measure_later(state.project_id, measure)
        return learned.model_version

    def _count_left(self, state: State) -> int:
        version = self._store.versions.current(state.project_id)
        ranked = (version.ranking or {}).get("task_ids", ()) if version else ()
        return len(np.intersect1d(ranked, state.clips.task_ids))

    def _note(self, project_id: int, learned: Learned, watch: Stopwatch) -> int:
        """Store and log the round; return its number."""
        done = Round(
            number=0,
            model_version=learned.model_version,
            finished_at=self._clock(),
            n_labeled=learned.n_labeled,
            n_pool=len(learned.order),
            timings_s=watch.timings_s(),
        )
        log.info(
            "project %d: %s from %d labels, %d clips ranked, %.2f s",
            project_id,
            done.model_version,
            done.n_labeled,
            done.n_pool,
            done.timings_s["total"],
        )
        return self._store.versions.add_round(project_id, done)


def _at_once(project_id: int, measure: Callable[[], None]) -> None:
    measure()
