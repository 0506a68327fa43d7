"""What a process holds of the machine's memory: kept while it works, given back when it rests.

The C library's allocator returns every large array to the system at once and asks for its pages
anew for the next one, which is a third of the time that embedding takes. A process that works on
many clips keeps its pages instead, and gives them back when there is nothing to do. Where the C
library is not glibc, nothing changes.
"""

import ctypes
import gc
import threading
import time
from collections.abc import Callable
from contextlib import suppress

TIDY_AFTER_S = 5.0
"""Pages are given back when there was nothing to do for this long, in s."""
TIDY_AGAIN_S = 60.0
LOOK_S = 0.25

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -2, -3, -8
_KEPT_BYTES = 128 << 20
_ASKED_FOR_BYTES = 16 << 20
_LARGEST_BYTES = 32 << 20  # the most that glibc allows; what is larger goes back at once


def keep_pages() -> None:
    """Have freed arrays leave their pages to the next ones, until the process ends.

    To be called before the first thread is started.
    """
    with suppress(AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 1)  # of the arenas of other threads, the free end is never given back
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TOP_PAD, _ASKED_FOR_BYTES)


def give_pages_back() -> None:
    """Return to the system what is free; takes milliseconds."""
    gc.collect()
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def tidy(
    is_busy: Callable[[], bool],
    stop: threading.Event,
    clock: Callable[[], float] = time.monotonic,
    give_back: Callable[[], None] = give_pages_back,
) -> None:
    """Return memory to the system after work, and at times without work, until told to stop."""
    busy_at = tidied_at = clock()
    while not stop.wait(LOOK_S):
        now = clock()
        is_due = tidied_at < busy_at or now - tidied_at > TIDY_AGAIN_S
        if is_busy():
            busy_at = now
        elif is_due and now - busy_at > TIDY_AFTER_S:
            give_back()
            tidied_at = now
