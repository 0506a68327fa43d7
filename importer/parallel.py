"""Prepare clips on all cores, in order, with a bounded number under way.

A worker that dies (a decoder that crashes, the system out of memory) costs no clip but the one
that kills it again when it is tried alone. Workers end with the process that started them,
however that ends.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.connection import wait
from pathlib import Path

from importer.prepare import PreparedClip, prepare_clips
from importer.scan import Clip, Refusal
from ml_backend.errors import SourceError
from ml_backend.process.memory import keep_pages

Answer = PreparedClip | Refusal

CHUNK = 8  # clips handed to a worker at once
CHUNKS_AHEAD = 8  # per worker, so that none waits while a batch goes to Label Studio


def prepare_in_parallel(
    clips: Iterable[Clip], files_dir: Path, n_workers: int | None = None
) -> Generator[Answer, None, None]:
    """Prepare clips in worker processes, one answer per clip, in order.

    Parameters
    ----------
    n_workers : int, optional
        How many processes; one per core unless given. With 1, none is started.

    Raises
    ------
    SourceError
        If no worker can be started, as from a script that does not guard what it runs.
    """
    chunks = _chunks(clips)
    n_workers = n_workers or _n_cores()
    if n_workers == 1:
        for chunk in chunks:
            yield from prepare_clips(chunk, files_dir)
        return
    pool = _start(n_workers)
    ahead: deque[tuple[list[Clip], Future[list[Answer]]]] = deque()
    try:
        while True:
            for chunk in islice(chunks, n_workers * CHUNKS_AHEAD - len(ahead)):
                ahead.append((chunk, _submit(pool, chunk, files_dir)))
            if not ahead:
                return
            chunk, answers = ahead[0]
            try:
                yield from answers.result()
                ahead.popleft()
            except BrokenProcessPool:
                pool.shutdown(cancel_futures=True)
                _check_workers()
                for chunk, answers in ahead:
                    if answers.cancelled() or answers.exception():
                        yield from _one_by_one(chunk, files_dir)
                    else:
                        yield from answers.result()
                ahead.clear()
                pool = _start(n_workers)
    finally:
        pool.shutdown(cancel_futures=True)


def _n_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _chunks(clips: Iterable[Clip]) -> Iterator[list[Clip]]:
    iterator = iter(clips)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def _submit(pool: ProcessPoolExecutor, chunk: list[Clip], files_dir: Path) -> Future[list[Answer]]:
    """Hand clips to a worker; where one has just died, that is the answer."""
    try:
        return pool.submit(prepare_clips, chunk, files_dir)
    except BrokenProcessPool as error:
        answers: Future[list[Answer]] = Future()
        answers.set_exception(error)
        return answers


def _check_workers() -> None:
    """Raise SourceError where a worker without any clip does not live, either."""
    with _start(1) as pool:
        try:
            pool.submit(os.getpid).result()
        except (BrokenProcessPool, OSError):
            raise SourceError(
                "The processes that prepare clips cannot be started. A script that imports clips "
                "must do so below `if __name__ == '__main__':`, for they load it, too; else the "
                "machine is out of memory. No clip was refused for it."
            ) from None


def _one_by_one(clips: list[Clip], files_dir: Path) -> Iterator[Answer]:
    """Find the clip that killed a worker, and prepare the others."""
    pool = _start(1)
    try:
        for clip in clips:
            try:
                yield from pool.submit(prepare_clips, [clip], files_dir).result()
            except BrokenProcessPool:
                yield Refusal(
                    clip.file + clip.span,
                    "crashes its decoder or needs too much memory. Convert it or remove it.",
                )
                pool.shutdown(cancel_futures=True)
                pool = _start(1)
    finally:
        pool.shutdown(cancel_futures=True)


def _start(n_workers: int) -> ProcessPoolExecutor:
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    context.set_forkserver_preload(["importer.prepare", "scipy.fft", "threadpoolctl"])
    return ProcessPoolExecutor(n_workers, mp_context=context, initializer=_start_worker)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Decoders report every oddity there; what makes a clip unusable is raised and told.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    from threadpoolctl import threadpool_limits

    keep_pages()
    threadpool_limits(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
