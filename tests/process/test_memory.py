"""Memory is kept while there is work, and given back when there is none."""

import subprocess
import sys
from pathlib import Path

import pytest

from ml_backend.process import memory

ROOT = Path(__file__).resolve().parents[2]

HOLD = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np
from ml_backend.process.memory import give_pages_back, keep_pages

def held_mb():
    fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) / 1024

if "keep" in sys.argv:
    keep_pages()

def work(_):
    arrays = [np.ones(1 << 20, dtype=np.uint8) for _ in range(50)]

with ThreadPoolExecutor(2) as threads:
    list(threads.map(work, range(2)))
work(0)
freed_mb = held_mb()
give_pages_back()
print(freed_mb, held_mb())
"""


def held_mb(*arguments):
    """Tell what a process holds whose threads had arrays of 50 MB: freed, and given back."""
    command = [sys.executable, "-c", HOLD, *arguments]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(float(word) for word in said.split())


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="speaks of Linux and glibc")
def test_freed_arrays_of_any_thread_are_kept_for_the_next_ones_until_they_are_given_back():
    usual_mb, _ = held_mb()
    kept_mb, given_back_mb = held_mb("keep")
    assert kept_mb > usual_mb + 40
    assert given_back_mb < usual_mb + 20


def test_a_c_library_without_these_functions_changes_nothing(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    memory.keep_pages()
    memory.give_pages_back()


class Afternoon:
    """A clock on which every look takes a second, and what was given back at which second."""

    def __init__(self, n_looks, busy_at):
        self.now, self.n_looks, self.busy_at, self.given_back_at = 0.0, n_looks, busy_at, []

    def wait(self, _):
        self.now += 1.0
        return self.now > self.n_looks

    def last(self):
        memory.tidy(
            lambda: self.now in self.busy_at,
            self,
            lambda: self.now,
            lambda: self.given_back_at.append(self.now),
        )
        return self.given_back_at


def test_memory_is_given_back_once_when_work_has_ended():
    assert Afternoon(n_looks=50, busy_at=[3, 4, 8]).last() == [8 + memory.TIDY_AFTER_S + 1]


def test_nothing_is_given_back_while_there_is_work():
    assert Afternoon(n_looks=200, busy_at=range(0, 200, 4)).last() == []


def test_what_little_piles_up_without_work_is_given_back_now_and_then():
    assert len(Afternoon(n_looks=200, busy_at=[]).last()) == 3
