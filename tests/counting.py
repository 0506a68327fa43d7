"""Work that is counted, where a clock would measure the machine and its neighbors."""

import sys
import tracemalloc


def n_calls(run):
    """Count the Python functions that are called in this thread; arrays' own loops are none."""
    count = 0

    def note(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
    return count


def peak_mb(run):
    """Measure the most memory that a run holds at a time, in millions of bytes."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
