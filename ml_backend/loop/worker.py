"""The worker: the process that embeds, trains and publishes for every project of a store.

Run as ``python -m ml_backend.loop.worker``; ``earmark serve`` starts it, and restarts it if it
ends. One worker at a time works on a store; others wait.
"""

import logging
import signal
import sys
import threading
from contextlib import closing

from ml_backend.embedders import load_embedder
from ml_backend.errors import EarmarkError
from ml_backend.label_studio import LabelStudio
from ml_backend.loop.embedder_guard import check_embedder
from ml_backend.loop.scheduler import Scheduler
from ml_backend.loop.worker_report import WAITING, WORKING, WorkerReport
from ml_backend.process.memory import keep_pages
from ml_backend.settings import Settings
from ml_backend.store import Store, open_store
from ml_backend.store.writer import Writer

log = logging.getLogger(__name__)

_ASK_AGAIN_S = 0.5


def main() -> None:
    """Work until the process receives a signal; exit with status 1 on failure."""
    # scikit-learn takes seconds to import, which must not delay the first label.
    import sklearn.linear_model  # noqa: F401
    from threadpoolctl import threadpool_limits

    keep_pages()
    # A round consists of many small matrix products: on a busy machine, waiting for a second thread
    # costs ten times what it saves. Rounds of several projects use the cores in parallel.
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
    """Wait until no other worker has this store, then work until ``stop`` is set."""
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
        scheduler = Scheduler(settings, store, label_studio, embedder)
        report.tell(WORKING)
        scheduler.run(stop, beat)
    finally:
        writer.give_back()


if __name__ == "__main__":
    main()
