"""The schedule of the worker: rounds of changed projects, and chores beside them.

Rounds of several projects run at once. Each chore has its own thread, so that none waits for
another: reading all tasks after some were added or deleted, measuring, embedding (batch by batch,
project by project), publishing the rest of each ranking (of quiet projects only), precomputing the
data of pages, and fitting maps.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from ml_backend.embedders import Embedder
from ml_backend.errors import EarmarkError
from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.fetch import Fetcher
from ml_backend.learning.prior import find_tagger
from ml_backend.loop.background import BackgroundPublisher
from ml_backend.loop.chores import Chore
from ml_backend.loop.embed_clips import BATCH, ClipEmbedder
from ml_backend.loop.maps import MapUpdater
from ml_backend.loop.page_data import PageData
from ml_backend.loop.reconcile import Reconciler
from ml_backend.process.memory import tidy
from ml_backend.settings import Settings
from ml_backend.store import Store
from ml_backend.store.agenda import Turn

log = logging.getLogger(__name__)

TICK_S = 0.05
LOOK_S = 0.25
CEILING_S = 2.0
"""Longest wait of a project that is never quiet for its round, in s."""
TASKS_CEILING_S = 10.0
"""Longest wait of reading all tasks for rounds, in s."""
LEASE_S = 30.0
BEAT_S = 1.0
RETRY_CLIP_S = 600.0
_N_ROUNDS_AT_ONCE = 3
_N_BATCHES = 8


class Scheduler:
    """Runs rounds and chores of every project in the store until it is stopped."""

    def __init__(
        self, settings: Settings, store: Store, label_studio: LabelStudio, embedder: Embedder
    ) -> None:
        self._settings = settings
        self._store = store
        self._embedder_id = embedder.embedder_id
        tagger, why_no_names = find_tagger(
            embedder, settings.weights, settings.data_dir / "weights", settings.names
        )
        self._unread: dict[int, float] = {}  # since when
        self._unmeasured: dict[int, Callable[[], None]] = {}
        self._reconciler = Reconciler(
            store,
            label_studio,
            settings,
            embedder.embedder_id,
            tagger=tagger,
            read_later=lambda project_id: self._unread.setdefault(project_id, time.time()),
            measure_later=self._unmeasured.__setitem__,
        )
        self._rest = BackgroundPublisher(store, label_studio, settings, self._reconciler)
        fetcher = Fetcher(label_studio, settings.files_root, settings.audio_hosts)
        self._clip_embedder = ClipEmbedder(store, fetcher, embedder)
        map_updater = MapUpdater(store, embedder.embedder_id, settings.data_dir / "maps")
        self._page_data = PageData(store, self._reconciler, embedder.embedder_id, map_updater)
        self._unfinished: set[int] = set()
        self._rounds: dict[int, tuple[Turn, Future[None]]] = {}
        self._failure: Exception | None = None
        store.facts.write(
            "embedder",
            {
                "embedder_id": embedder.embedder_id,
                "warning": embedder.warning,
                "why_no_names": why_no_names,
            },
        )

    def run(self, stop: threading.Event, beat: Callable[[], None] = lambda: None) -> None:
        """Work until ``stop`` is set; running rounds are finished.

        ``beat`` is called about every second. If it raises, or a thread fails as a whole (the store
        cannot be reached), all threads end, ``stop`` is set, and the first error is raised: the
        parent process restarts the worker.
        """
        self._store.agenda.release_all()
        self._hint_all(tasks=True)
        others = [
            threading.Thread(target=self._to_the_end, args=(work, stop))
            for work in (*(one.keep_doing for one in self._chores()), self._tidy)
        ]
        for thread in others:
            thread.start()
        self._to_the_end(lambda stop: self._do_rounds(stop, beat), stop)
        for thread in others:
            thread.join()
        if self._failure is not None:
            raise self._failure

    def _to_the_end(self, work: Callable[[threading.Event], None], stop: threading.Event) -> None:
        """Run one thread's work until ``stop`` is set; a failure sets ``stop`` for all threads."""
        try:
            work(stop)
        except Exception as error:
            self._failure = self._failure or error
        finally:
            stop.set()

    def _do_rounds(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        polled_at = extended_at = time.time()
        beaten_at = float("-inf")
        with ThreadPoolExecutor(_N_ROUNDS_AT_ONCE, thread_name_prefix="round") as pool:
            while not stop.wait(TICK_S):
                if time.monotonic() - beaten_at >= BEAT_S:
                    beaten_at = time.monotonic()
                    beat()
                now = time.time()
                if now - polled_at >= self._settings.poll_s:
                    polled_at = now
                    self._hint_all(tasks=False)
                if now - extended_at >= LEASE_S / 3:
                    extended_at = now
                    for turn, _ in self._rounds.values():
                        self._store.agenda.extend(turn, now=now, lease_s=LEASE_S)
                self._start_rounds(pool, now)

    def _hint_all(self, *, tasks: bool) -> None:
        for project_id in self._store.agenda.project_ids():
            self._store.agenda.hint(project_id, now=time.time(), tasks=tasks)

    def _start_rounds(self, pool: ThreadPoolExecutor, now: float) -> None:
        done = [project_id for project_id, (_, job) in self._rounds.items() if job.done()]
        for project_id in done:
            del self._rounds[project_id]
        due = self._store.agenda.due(
            now=now, debounce_s=self._settings.debounce_s, ceiling_s=CEILING_S
        )
        for project_id in due:
            if project_id in self._rounds or len(self._rounds) >= _N_ROUNDS_AT_ONCE:
                continue
            turn = self._store.agenda.take(project_id, now=now, lease_s=LEASE_S)
            if turn is not None:
                self._rounds[project_id] = (turn, pool.submit(self._round, turn))

    def _round(self, turn: Turn) -> None:
        try:
            self._reconciler.reconcile(turn)
        except EarmarkError as error:
            log.warning("project %d: %s", turn.project_id, error)
            self._store.agenda.fail(turn, error.plain, now=time.time())
        except Exception as error:
            log.exception("project %d: a round failed", turn.project_id)
            kind = type(error).__name__
            self._store.agenda.fail(turn, f"a round failed ({kind})", now=time.time())
        else:
            self._store.agenda.finish(turn, now=time.time())
            self._unfinished.add(turn.project_id)

    def _chores(self) -> list[Chore]:
        every = self._store.agenda.project_ids
        return [
            Chore(
                "its tasks cannot be read",
                LOOK_S,
                lambda: self._unread,
                lambda project_id, _: self._read_tasks(project_id),
                # A round has the same failure, reports it, and requests the tasks again.
                lambda one: self._store.agenda.hint(one, now=time.time(), tasks=True),
            ),
            Chore(
                "its metrics cannot be measured",
                TICK_S,
                lambda: [one for one in list(self._unmeasured) if one not in self._rounds],
                lambda project_id, _: self._unmeasured.pop(project_id)(),
                retry_s=0.0,
            ),
            Chore(
                "its clips cannot be embedded",
                TICK_S,
                lambda: self._unfinished,
                lambda project_id, _: self._embed(project_id),
                # A round has the same failure, and reports it in the status.
                lambda one: self._store.agenda.hint(one, now=time.time(), labels=False),
            ),
            Chore(
                "the rest cannot be published",
                min(1.0, self._settings.quiet_s),
                every,
                self._publish_rest,
                retry_s=0.0,
            ),
            Chore(
                "the data of its pages cannot be computed",
                LOOK_S,
                self._shown_projects,
                lambda project_id, _: self._page_data.look(project_id),
            ),
            Chore(
                "its map cannot be fitted",
                1.0,
                every,
                self._page_data.fit_maps,  # one at a time; each takes seconds to minutes
                retry_s=10.0,
            ),
        ]

    def _read_tasks(self, project_id: int) -> None:
        """Read all tasks of a project that may have changed, beside the rounds.

        Waiting and running rounds come first for up to ``TASKS_CEILING_S``, so that new labels are
        used at once. Tasks that are not read before the worker ends are read at its next start.
        """
        is_patient = time.time() - self._unread[project_id] < TASKS_CEILING_S
        if is_patient and self._store.agenda.is_waiting(project_id):
            return
        del self._unread[project_id]
        self._reconciler.read_tasks(project_id)

    def _embed(self, project_id: int) -> None:
        """Embed a few batches of a project's clips without embedding."""
        self._unfinished.discard(project_id)
        missing = self._store.clips.missing(
            project_id,
            self._embedder_id,
            limit=_N_BATCHES * BATCH,
            tried_before=time.time() - RETRY_CLIP_S,
        )
        if missing:
            self._unfinished.add(project_id)
            try:
                self._clip_embedder.embed(missing)
            except EarmarkError:
                raise
            except Exception:
                self._unfinished.discard(project_id)  # until a round finds more of its clips
                raise
            self._page_data.embedded(project_id)
            self._store.agenda.hint(project_id, now=time.time(), own=True)

    def _publish_rest(self, project_id: int, stop: threading.Event) -> None:
        """Do the deferred work of a project piece by piece, while it is quiet."""
        while self._rest.go_on(project_id) and not stop.wait(self._rest.pause_s):
            pass

    def _shown_projects(self) -> list[int]:
        project_ids = self._store.agenda.project_ids()
        self._page_data.forget_all_but(project_ids)
        return project_ids

    def _tidy(self, stop: threading.Event) -> None:
        """Release memory to the system when idle."""
        tidy(lambda: bool(self._rounds or self._unfinished), stop)
