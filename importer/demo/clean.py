"""`make clean-demo`: delete a demo's data, after saying what would be lost and asking.

It needs nothing but Python, so it works after `make clean`, too.
"""

import fcntl
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

_QUESTIONS = {
    "projects": "SELECT count(*) FROM project",
    "clips": "SELECT count(*) FROM task",
    "annotations": "SELECT count(*) FROM task_completion",
}


def tell_losses(folder: Path) -> str:
    """Return what lies in a demo's folder, as far as its database tells.

    Examples
    --------
    >>> tell_losses(Path("no/such/folder"))
    'nothing that can be read'
    """
    found = []
    database = folder / "label-studio" / "label_studio.sqlite3"
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection,
    ):
        for what, question in _QUESTIONS.items():
            n = connection.execute(question).fetchone()[0]
            found.append(f"{n} {what.removesuffix('s') if n == 1 else what}")
    return ", ".join(found) or "nothing that can be read"


def is_running(folder: Path) -> bool:
    """Check whether a Label Studio works with the folder: it holds a lock on its log."""
    log = folder / "label-studio" / "label_studio.log"
    if not log.exists():
        return False
    with log.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def clean(folder: Path, ask: Callable[[str], str] = input) -> int:
    """Delete a demo's folder if the answer is its name; give the exit status.

    Without somebody to ask (no terminal) nothing is deleted.
    """
    if not folder.exists():
        print(f"There is no {folder}.")
        return 0
    if is_running(folder):
        print(f"{folder} is in use: stop the demo first (Ctrl-C where it runs).")
        return 1
    print(f"{folder.absolute()} holds {tell_losses(folder)}, and what was learned from them.")
    try:
        answer = ask(f"Type {folder.name} to delete all of it for good: ")
    except (EOFError, KeyboardInterrupt):
        answer = ""
    if answer.strip() != folder.name:
        print("\nNothing was deleted.")
        return 1
    shutil.rmtree(folder)
    print("Deleted.")
    return 0


if __name__ == "__main__":
    sys.exit(clean(Path(sys.argv[1])))
