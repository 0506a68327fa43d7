"""Processes that end with the one that started them, however that one ends.

``start`` runs a module as ``python -m ml_backend.process.tether PARENT MODULE ARGUMENT...``. The
child is told who its parent is, so it need not ask for it at a time when the parent may be gone
already; it looks before it imports anything of the module, and then five times a second. On Linux
the kernel ends it at once, even where Python itself hangs.
"""

import os
import runpy
import subprocess
import sys
import threading
import time
from typing import Any

_LOOK_S = 0.2
_PR_SET_PDEATHSIG = 1
_SIGKILL = 9


def start(module: str, *arguments: str, **how: Any) -> "subprocess.Popen[bytes]":
    """Run a module in a process that ends with this one, or with the thread that calls.

    Parameters
    ----------
    how
        Whatever ``subprocess.Popen`` takes.
    """
    tied = [sys.executable, "-m", "ml_backend.process.tether", str(os.getpid())]
    return subprocess.Popen([*tied, module, *arguments], **how)


def end_with(parent: int) -> None:
    """End this process as soon as ``parent`` is not its parent any more."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    threading.Thread(target=_watch, args=(parent,), name="tether", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os._exit(1)


def main() -> None:
    """Tie this process to its parent, then be the module."""
    end_with(int(sys.argv[1]))
    module = sys.argv[2]
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
