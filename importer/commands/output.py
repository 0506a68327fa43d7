"""What the command line says: to people in lines and bars, to scripts in JSON.

Names of files and words of Label Studio are printed as they are: Rich would take ``[take 2]`` in
them for markup.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import typer
from rich.console import Console

from importer.demo.login import Credentials
from ml_backend.clip import STATES, State
from ml_backend.errors import EarmarkError
from ml_backend.evaluation.intervals import spell, spell_estimate

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
def progress(what: str, *, quiet: bool = False, unit: str = "clips") -> Iterator[Any]:
    """Draw a bar with the rate and the time left; on no terminal, a line now and then."""
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
        TextColumn(f"{{task.fields[rate]}} {unit}/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_out, disable=quiet) as drawn:
        bar = drawn.add_task(what, total=None, rate="-")

        def advance(n_done: int, n_total: int) -> None:
            elapsed_s = drawn.tasks[bar].elapsed or 0.0
            rate = f"{n_done / elapsed_s:.0f}" if elapsed_s > 1.0 else "-"
            drawn.update(bar, completed=n_done, total=n_total, rate=rate)

        yield advance


def tell_ready(
    project_url: str, login: Credentials, backend_url: str, map_address: str, command: str
) -> None:
    """Print where the demo can be seen, how to log in, and which command tells more."""
    say()
    say("Ready. Open Label Studio and press Label All Tasks:", "bold green")
    say(f"  Label Studio  {project_url}")
    say(f"  log in with   {login.username}  {login.password}")
    say(f"  the map       {map_address}")
    say(f"                (signs you in once; '{command} map' prints another)")
    say(f"  backend       {backend_url}/status")
    say(f"  how it goes   {command} status")
    say("Ctrl-C stops both; the data stays.")


def tell_import(summary: dict[str, Any]) -> None:
    """Print what an import did."""
    n_deleted = summary["deleted"]
    n_all = summary["n_clips"] + n_deleted + len(summary["duplicates"]) + len(summary["refused"])
    rate = n_all / max(summary["seconds"], 1e-9)
    say(
        f"{summary['added']} clips added, {summary['skipped']} were there already, "
        f"{len(summary['duplicates'])} duplicates left out, {len(summary['refused'])} refused "
        f"({summary['seconds']:.0f} s, {rate:.0f} clips/s).",
    )
    if n_deleted:
        say(f"  {n_deleted} clips were left out because somebody deleted them from the project.")
        say("  --again-deleted (make demo AGAIN_DELETED=yes) brings them back.")
    for column, name in summary["renamed"].items():
        say(f"  The column {column!r} is called {name!r} in Label Studio.")
    for one in summary["duplicates"][:3]:
        say(f"  {one['file']} sounds the same as {one['same_as']}")
    for one in summary["refused"][:5]:
        complain(f"  {one['file']}: {one['reason']}", "yellow")
    if summary["report"]:
        complain(f"  All that were refused, and why: {summary['report']}")


def tell_status(facts: dict[str, Any]) -> None:
    """Print how the backend and its projects stand."""
    studio = facts["label_studio"]
    seen = f", as {studio['user']}" if studio["state"] == "up" else ""
    say(f"Label Studio  {facts['label_studio_url']}  ({studio['state']}{seen})")
    say(f"Backend       {facts['backend_url']}  ({facts['state']})")
    for error in (studio["error"], facts["error"]):
        if error:
            complain(error, "red")
    if facts.get("worker"):
        tell_worker(facts["worker"])
    for notice in (facts.get("warning"), facts.get("why_no_names")):
        if notice:
            complain(notice, "yellow")
    for one in facts["projects"]:
        labels = ", ".join(f"{name} {number}" for name, number in one["labels"].items())
        say(f"\nProject {one['project']}  {one['title']}", "bold")
        say(f"  {one['state']}")
        say(
            f"  {one['n_clips']} clips, {one['n_embedded']} embedded, {one['n_failed']} failed",
        )
        say(f"  {in_states(one['states'])}; labels: {labels}")
        if one["states"].get("tied"):
            say(f"  decide ties: {facts['pages_url']}/projects/{one['project']}/label?ties")
        for notice in one["unread"]:
            complain(f"  {notice['text']}", "yellow")
        if one["names"]:
            say(f"  {tell_names(one['names'])}")
        if one["model_version"]:
            say(
                f"  {one['model_version']}, {one['n_published']} of {one['n_ranked']} published",
            )
        if one["accuracy"]:
            tell_accuracy(one["accuracy"], one["pinned"])
        if one["rounds"]:
            last = one["rounds"][0]
            say(f"  last round took {last['timings_s']['total']:.2f} s")
        if one["error"]:
            complain(f"  {one['error']}", "red")
        for clip in one["failed"][:5]:
            complain(f"  task {clip['task']}: {clip['reason']}")


def in_states(states: dict[State, int]) -> str:
    """Return in words how many clips are in each state.

    Examples
    --------
    >>> in_states({"pool": 4, "labeled": 2, "skipped": 0, "tied": 1})
    '2 labeled, 1 tied, 4 in the pool: 7 in all'
    """
    always = ("labeled", "pool")
    told = (
        f"{states[name]} {words}"
        for name, words in STATES.items()
        if states.get(name) or name in always
    )
    return f"{', '.join(told)}: {sum(states.values())} in all"


def tell_worker(worker: dict[str, Any]) -> None:
    """Print whether the worker beside the backend works, and if not, why and since when."""
    since = f"{datetime.fromtimestamp(worker['since']):%Y-%m-%d %H:%M:%S}"
    if not worker["is_running"]:
        complain(f"Worker        not running since {since}. {worker['error']}", "red")
    elif worker["state"] == "waiting":
        complain(
            f"Worker        waiting since {since}: another one looks after this store", "yellow"
        )
    else:
        say(f"Worker        {worker['state']} since {since}")


def tell_names(names: dict[str, list[str]]) -> str:
    """Return in words which AudioSet names the classes of a project matched.

    Examples
    --------
    >>> tell_names({"siren": ["Siren", "Police car (siren)"], "hum": [], "other": []})
    'names AudioSet knows: siren (Siren; Police car (siren)); no name for hum, other'
    """
    known = [f"{name} ({'; '.join(found)})" for name, found in names.items() if found]
    unknown = [name for name, found in names.items() if not found]
    said = f"names AudioSet knows: {', '.join(known) or 'none'}"
    return f"{said}; no name for {', '.join(unknown)}" if unknown else said


def tell_queue(asked: dict[str, Any]) -> None:
    """Print which clips are requested first, and how many of them are labeled."""
    if asked["where"] is None and asked["task_ids"] is None:
        say("No clips are requested first: the strategy ranks all of them.")
        if "clips" in asked:
            say(f"Clips: {in_states(asked['clips'])}")
        return
    by = f", requested by {asked['requested_by']}" if asked["requested_by"] else ""
    say(f"Requested first: {asked['where'] or 'a selection of clips'}{by}")
    if asked["error"]:
        complain(f"  It no longer fits the clips, and counts for nothing: {asked['error']}", "red")
        return
    say(f"  {asked['n']} clips match: {in_states(asked['states'])}")
    if "clips" in asked:
        say(f"Clips: {in_states(asked['clips'])}")


def tell_accuracy(accuracy: dict[str, Any], pinned: str | None = None) -> None:
    """Print what the classifier is worth, how that came to be, and whether to go on.

    While a version is pinned, nothing is learned and no advice given.
    """
    if accuracy["pool"]:
        tell_pool(accuracy["pool"], accuracy["rule"])
    for name, meaning in (
        ("cross_validated", f"of the {accuracy['n_labeled']} labels by cross-validation (a range)"),
        ("audit", f"on {accuracy['n_audit']} randomly sampled clips"),
    ):
        if figures := accuracy[name]:
            per_class = ", ".join(
                f"{n} {spell_estimate(f)}, n = {f['n']}" for n, f in figures["per_class"].items()
            )
            without = ", ".join(figures.get("left_out", ()))
            say(
                f"  balanced accuracy {spell_estimate(figures['balanced_accuracy'])} {meaning}"
                f"{f', without {without}' if without else ''}: {per_class}"
            )
    if len(accuracy["curve"]) > 1:
        points = (
            f"{one['n_labeled']}: {spell(one['value'])}{' (some classes)' * bool(one['left_out'])}"
            for one in accuracy["curve"][-8:]
        )
        say(f"  by number of labels  {', '.join(points)}")
    if pinned is None:
        say(f"  {accuracy['advice']}")
    elif accuracy["model_version"] != pinned:
        other = accuracy["model_version"] or "labels taken back since"
        say(f"  measured for {other}, not for {pinned}")


def tell_pool(pool: dict[str, Any], rule: dict[str, Any]) -> None:
    """Print what the predictions of the unlabeled clips are worth, class by class."""
    without = f", without {', '.join(pool['left_out'])}" if pool["left_out"] else ""
    say(
        f"  balanced accuracy {spell_estimate(pool['balanced_accuracy'])} on the {pool['n_clips']} "
        f"clips without a label{without}; {rule['words']}"
        f"{', in brackets a range' if pool['spread'] == 'range' else ''}:"
    )
    shares_are = "random sample" if pool["shares_from"] == "random" else "estimated"
    for name, figures in pool["classes"].items():
        told = (
            f"{meaning} {spell_estimate(figures[key])}"
            for key, meaning in (
                ("precision", "precision"),
                ("recall", "recall"),
                ("f1", "F1"),
                ("average_precision", "average precision"),
                ("share", f"share ({shares_are})"),
            )
            if figures[key]
        )
        threshold = (rule["thresholds"] or {}).get(name)
        start = f"; predicted from {spell(threshold)} on" if threshold is not None else ""
        say(f"    {name}: {', '.join(told)}{start}")


@contextmanager
def explained() -> Iterator[None]:
    """Print errors in one plain sentence, and end with status 1."""
    try:
        yield
    except EarmarkError as error:
        complain(str(error), "red")
        raise typer.Exit(1) from None
    except OSError as error:  # a folder that cannot be written, a full disk
        if error.strerror is None:
            raise
        what = f"{error.filename}: " if error.filename else ""
        complain(f"{what}{error.strerror}.", "red")
        raise typer.Exit(1) from None
