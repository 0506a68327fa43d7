"""The background: embeds new clips, does a round where something changed, publishes the rest.

Run as ``python -m ml_backend.loop.worker``; ``earmark serve`` starts it and starts it again should
it die. One worker at a time looks after a store; others wait. Several things go on beside each
other, so that none waits for another: rounds (several projects at once), reading all tasks where
some were added or deleted, embedding (batch after batch, projects in turn), the rest of each order
(only where it has been quiet for a while), what pages show, and maps.
"""

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

from ml_backend.embedders import Embedder, load_embedder
from ml_backend.errors import EarmarkError
from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.fetch import Fetcher
from ml_backend.learning.prior import find_tagger
from ml_backend.loop.background import BackgroundPublisher
from ml_backend.loop.embed_clips import BATCH, ClipEmbedder
from ml_backend.loop.embedder_guard import check_embedder
from ml_backend.loop.maps import MapUpdater
from ml_backend.loop.page_data import PageData
from ml_backend.loop.reconcile import Reconciler
from ml_backend.loop.worker_report import WAITING, WORKING, WorkerReport
from ml_backend.process.memory import keep_pages, tidy
from ml_backend.settings import Settings
from ml_backend.store import Store, open_store
from ml_backend.store.agenda import Turn
from ml_backend.store.writer import Writer

log = logging.getLogger(__name__)

TICK_S = 0.05
LOOK_S = 0.25
CEILING_S = 2.0
"""A project that never falls quiet gets its round after this long, in s."""
TASKS_CEILING_S = 10.0
"""So long reading all tasks waits for rounds, in s."""
LEASE_S = 30.0
BEAT_S = 1.0
_ASK_AGAIN_S = 0.5
RETRY_CLIP_S = 600.0
_N_ROUNDS_AT_ONCE = 3
_N_BATCHES = 8


class Worker:
    """Looks after every project in the store until it is told to stop."""

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
        """Work until ``stop`` is set; rounds that have begun are finished.

        ``beat`` is called every second or so. Should it raise, or one of the things that go on
        beside each other fail as a whole (the store cannot be reached), all end, ``stop`` is set,
        and what went wrong first is raised: who started the worker starts it again.
        """
        self._store.agenda.release_all()
        self._hint_all(tasks=True)
        others = [
            threading.Thread(target=self._to_the_end, args=(work, stop), name=work.__name__)
            for work in (
                self._read_tasks,
                self._measure,
                self._embed,
                self._do_rest,
                self._look,
                self._draw_maps,
                self._tidy,
            )
        ]
        for thread in others:
            thread.start()
        self._to_the_end(lambda stop: self._do_rounds(stop, beat), stop)
        for thread in others:
            thread.join()
        if self._failure is not None:
            raise self._failure

    def _to_the_end(self, work: Callable[[threading.Event], None], stop: threading.Event) -> None:
        """Do one thing until told to stop; if it ends by failing, the others end, too."""
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

    def _read_tasks(self, stop: threading.Event) -> None:
        """Read all tasks of projects where they may have changed, beside the rounds.

        A round that waits or is under way comes first, so that labels are learned from at once;
        but not for ever. What is not read before the worker ends is read when it starts again.
        """
        while not stop.wait(LOOK_S):
            for project_id, since in list(self._unread.items()):
                if stop.is_set():
                    break
                is_patient = time.time() - since < TASKS_CEILING_S
                if is_patient and self._store.agenda.is_waiting(project_id):
                    continue
                del self._unread[project_id]
                try:
                    self._reconciler.read_tasks(project_id)
                except EarmarkError as error:
                    log.warning("project %d: its tasks cannot be read: %s", project_id, error)
                    # A round meets the same trouble, tells of it, and asks for the tasks again.
                    self._store.agenda.hint(project_id, now=time.time(), tasks=True)
                    stop.wait(1.0)
                except Exception:
                    log.exception("project %d: its tasks cannot be read", project_id)
                    stop.wait(1.0)

    def _measure(self, stop: threading.Event) -> None:
        """Take the figures of projects' last rounds, while no other round of theirs goes on."""
        while not stop.wait(TICK_S):
            for project_id in list(self._unmeasured):
                if project_id in self._rounds:
                    continue
                measure = self._unmeasured.pop(project_id)
                try:
                    measure()
                except Exception:
                    log.exception("project %d: its figures cannot be taken", project_id)

    def _embed(self, stop: threading.Event) -> None:
        """Embed what is missing, a few batches of a project at a time."""
        while not stop.wait(TICK_S):
            for project_id in list(self._unfinished):
                if stop.is_set():
                    break
                try:
                    self._embed_some(project_id)
                except EarmarkError as error:
                    log.warning("project %d: cannot embed: %s", project_id, error)
                    # A round meets the same trouble, and tells of it in the status.
                    self._store.agenda.hint(project_id, now=time.time(), labels=False)
                    stop.wait(1.0)
                except Exception:
                    log.exception("project %d: embedding failed", project_id)
                    self._unfinished.discard(project_id)

    def _embed_some(self, project_id: int) -> None:
        self._unfinished.discard(project_id)
        missing = self._store.clips.missing(
            project_id,
            self._embedder_id,
            limit=_N_BATCHES * BATCH,
            tried_before=time.time() - RETRY_CLIP_S,
        )
        if missing:
            self._unfinished.add(project_id)
            self._clip_embedder.embed(missing)
            self._page_data.embedded(project_id)
            self._store.agenda.hint(project_id, now=time.time(), own=True)

    def _do_rest(self, stop: threading.Event) -> None:
        """Do what can wait, a piece at a time, where it is quiet."""
        while not stop.wait(min(1.0, self._settings.quiet_s)):
            for project_id in self._store.agenda.project_ids():
                try:
                    while self._rest.go_on(project_id) and not stop.wait(self._rest.pause_s):
                        pass
                except EarmarkError as error:
                    log.warning("project %d: cannot publish the rest: %s", project_id, error)
                except Exception:
                    log.exception("project %d: publishing the rest failed", project_id)

    def _look(self, stop: threading.Event) -> None:
        """Keep ready what pages show."""
        while not stop.wait(LOOK_S):
            project_ids = self._store.agenda.project_ids()
            self._page_data.forget_all_but(project_ids)
            for project_id in project_ids:
                if stop.is_set():
                    break
                try:
                    self._page_data.look(project_id)
                except Exception:
                    log.exception("project %d: what pages show cannot be made", project_id)
                    stop.wait(1.0)

    def _tidy(self, stop: threading.Event) -> None:
        """Give memory back when there is nothing to do."""
        tidy(lambda: bool(self._rounds or self._unfinished), stop)

    def _draw_maps(self, stop: threading.Event) -> None:
        """Fit similarity maps, one at a time; each takes seconds to minutes."""
        while not stop.wait(1.0):
            for project_id in self._store.agenda.project_ids():
                try:
                    self._page_data.fit_maps(project_id, stop)
                except Exception:
                    log.exception("project %d: its map cannot be fitted", project_id)
                    stop.wait(10.0)


def main() -> None:
    """Work until the process is told to end; end with status 1 where that is not possible."""
    # Loaded before the first label, not because of it: scikit-learn takes seconds.
    import sklearn.linear_model  # noqa: F401
    from threadpoolctl import threadpool_limits

    keep_pages()
    # A round is many small products: on a busy machine, waiting for a second thread to join in
    # costs ten times what it saves. Rounds of several projects use the cores side by side.
    threadpool_limits(limits=1, user_api="blas")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = Settings.from_env()
    except EarmarkError as error:  # changed since the backend was started
        log.error("the worker ends: %s", error)
        sys.exit(1)
    report = WorkerReport(settings.data_dir)
    try:
        with closing(open_store(settings.store_url)) as store:
            _work(settings, store, report, stop)
    except EarmarkError as error:
        log.error("the worker ends: %s", error)
        report.fail(str(error), plain=error.plain)
        sys.exit(1)
    except Exception as error:
        log.exception("the worker ends")
        report.fail(f"It failed ({type(error).__name__}); the log says where.")
        sys.exit(1)


def _work(settings: Settings, store: Store, report: WorkerReport, stop: threading.Event) -> None:
    """Wait until nobody else looks after this store, then do so until told to stop."""
    writer = Writer(store.engine)
    is_mine = writer.take()
    if not is_mine:
        log.warning("another worker looks after this store; waiting until it ends")
        report.tell(WAITING)
    while not is_mine and not stop.wait(_ASK_AGAIN_S):
        is_mine = writer.take()
    if not is_mine:
        return

    def beat() -> None:
        writer.check()
        report.beat()

    try:
        label_studio = LabelStudio(settings.label_studio_url, settings.api_key)
        embedder = load_embedder(settings.embedder, settings.weights, settings.data_dir / "weights")
        check_embedder(store, embedder.embedder_id, embedder.warning)
        if embedder.warning:
            log.warning(embedder.warning)
        worker = Worker(settings, store, label_studio, embedder)
        report.tell(WORKING)
        worker.run(stop, beat)
    finally:
        writer.give_back()


if __name__ == "__main__":
    main()
