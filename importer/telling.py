"""What the command line says: to people in lines and bars, to scripts in JSON.

Names of files and words of Label Studio are printed as they are: Rich would take ``[take 2]`` in
them for markup.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from importer.studio import Credentials

_out = Console()
_err = Console(stderr=True)


def say(text: str = "", style: str | None = None) -> None:
    """Print a line."""
    _out.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def complain(text: str, style: str | None = None) -> None:
    """Print a line among the errors."""
    _err.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def print_json(facts: object) -> None:
    """Print for scripts."""
    print(json.dumps(facts, indent=2, default=str))


@contextmanager
def progress(what: str, *, quiet: bool = False) -> Iterator[Any]:
    """Draw a bar with clips/s and the time left; on no terminal, a line now and then."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} clips/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_out, disable=quiet) as drawn:
        bar = drawn.add_task(what, total=None, rate="-")

        def advance(n_done: int, n_total: int) -> None:
            elapsed_s = drawn.tasks[bar].elapsed or 0.0
            rate = f"{n_done / elapsed_s:.0f}" if elapsed_s > 1.0 else "-"
            drawn.update(bar, completed=n_done, total=n_total, rate=rate)

        yield advance


def tell_ready(project_url: str, login: Credentials, backend_url: str) -> None:
    """Say where the demo can be seen, and how to log in."""
    say()
    say("Ready. Open Label Studio and press Label All Tasks:", "bold green")
    say(f"  Label Studio  {project_url}")
    say(f"  log in with   {login.username}  {login.password}")
    say(f"  backend       {backend_url}/status")
    say(f"  how it goes   {os.path.relpath(sys.argv[0])} status")
    say("Ctrl-C stops both; the data stays.")


def tell_import(summary: dict[str, Any]) -> None:
    """Say what an import did."""
    n_all = summary["n_clips"] + len(summary["duplicates"]) + len(summary["refused"])
    rate = n_all / max(summary["seconds"], 1e-9)
    say(
        f"{summary['added']} clips added, {summary['skipped']} were there already, "
        f"{len(summary['duplicates'])} doubles left out, {len(summary['refused'])} refused "
        f"({summary['seconds']:.0f} s, {rate:.0f} clips/s).",
    )
    for column, name in summary["renamed"].items():
        say(f"  The column {column!r} is called {name!r} in Label Studio.")
    for one in summary["duplicates"][:3]:
        say(f"  {one['file']} sounds the same as {one['same_as']}")
    for one in summary["refused"][:5]:
        complain(f"  {one['file']}: {one['reason']}", "yellow")
    if summary["report"]:
        complain(f"  All that were refused, and why: {summary['report']}")


def tell_status(facts: dict[str, Any]) -> None:
    """Say how the backend and its projects stand."""
    say(f"Label Studio  {facts['label_studio_url']}")
    say(f"Backend       {facts['backend_url']}  ({facts['state']})")
    if facts["error"]:
        complain(f"{facts['error']}", "red")
    if facts.get("warning"):
        complain(f"{facts['warning']}", "yellow")
    for one in facts["projects"]:
        counts = ", ".join(f"{name} {number}" for name, number in one["labels"].items())
        say(f"\nProject {one['project']}  {one['title']}", "bold")
        say(f"  {one['state']}")
        say(
            f"  {one['n_clips']} clips, {one['n_embedded']} heard, {one['n_unheard']} cannot be; "
            f"{one['n_labeled']} labeled ({counts}), {one['n_skipped']} skipped",
        )
        if one["model_version"]:
            say(
                f"  {one['model_version']}, {one['n_published']} of {one['n_ranked']} published",
            )
        if one["rounds"]:
            last = one["rounds"][0]
            say(f"  last round took {last['timings_s']['total']:.2f} s")
        if one["error"]:
            complain(f"  {one['error']}", "red")
        for clip in one["unheard"][:5]:
            complain(f"  task {clip['task']}: {clip['reason']}")
