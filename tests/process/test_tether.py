"""A process ends with the one that started it, from its first instruction on."""

import os
import subprocess
import sys

import pytest

from tests.processes import eventually

# The parent starts a child that ties itself and then tells its number; both sleep.
CHILD = "import os, sys, time; {how}from ml_backend.process import tether; {then}\
tether.end_with(int(sys.argv[1])); print(os.getpid(), flush=True); time.sleep(60)"
PARENT = "import os, subprocess, sys, time; \
subprocess.Popen([sys.executable, '-c', sys.argv[1], str(os.getpid())]); time.sleep(60)"
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel helps on Linux alone")


def has_ended(pid):
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return listed.stdout.strip()[:1] in ("", "Z")


@pytest.mark.slow
@pytest.mark.parametrize(
    "child",
    [
        CHILD.format(how="sys.platform = 'elsewhere'; ", then=""),
        pytest.param(CHILD.format(how="", then="tether._watch = abs; "), marks=ON_LINUX),
    ],
    ids=["by looking", "by the kernel"],
)
def test_a_child_ends_when_its_parent_is_killed(child):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, child], stdout=subprocess.PIPE, text=True
    ) as parent:
        pid = int(parent.stdout.readline())
        assert not has_ended(pid)
        parent.kill()
    eventually(lambda: has_ended(pid), "the child ends")


@pytest.mark.slow
def test_a_child_whose_parent_was_gone_before_it_began_does_nothing():
    not_its_parent = str(os.getpid() + 1)
    child = [sys.executable, "-m", "ml_backend.process.tether", not_its_parent, "this"]
    done = subprocess.run(child, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
