"""The one command, `earmark`: set a project up, import clips, serve, see how things stand, demo."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ml_backend.errors import EarmarkError, SettingsError
from ml_backend.settings import Settings, read_secret

app = typer.Typer(
    name="earmark",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help=(
        "Teach a machine to hear with few labels.\n\n"
        "Start with [bold]earmark demo[/]. For a Label Studio of your own: set LABEL_STUDIO_URL "
        "and LABEL_STUDIO_API_KEY, then [bold]earmark serve[/], [bold]earmark setup[/] and "
        "[bold]earmark import[/]."
    ),
)
out = Console()
err = Console(stderr=True)

Labels = Annotated[
    str, typer.Option("--labels", help="Labels to choose from, separated by commas.")
]
Project = Annotated[
    int, typer.Option("--project", help="The project's number; default: EARMARK_PROJECT.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command()
def setup(
    labels: Labels = "",
    title: Annotated[str, typer.Option(help="The project's title; made if new.")] = "Earmark",
    project: Project = 0,
    config: Annotated[
        Path | None, typer.Option(help="A label config (XML) of your own, instead of --labels.")
    ] = None,
    multi: Annotated[bool, typer.Option(help="A clip may have several labels, or none.")] = False,
    replace: Annotated[
        bool, typer.Option(help="Put these labels in place of those the project has.")
    ] = False,
    blind: Annotated[
        bool | None,
        typer.Option("--blind/--no-blind", help="Hide predictions from annotators, or show them."),
    ] = None,
    json_: AsJson = False,
) -> None:
    """Make a Label Studio project ready for the loop; run again, it mends what is missing.

    Project, label config, file storage, sampling, backend and webhook. The backend must be up:
    Label Studio asks it before it connects.

    Example: [bold]earmark setup --title "Street" --labels siren,other[/]
    """
    from importer.project import set_up

    with _explained():
        settings = Settings.from_env()
        report = set_up(
            _label_studio(settings),
            backend_url=settings.backend_url,
            secret=read_secret(settings),
            title=title,
            project_id=project or None,
            labels=_split(labels),
            label_config=_read(config),
            multi_label=multi,
            replace_label_config=replace,
            is_blind=blind,
            files_dir=_files_dir(settings),
        )
    if json_:
        _print_json(vars(report))
        return
    out.print(f"Project {report.project_id}, {report.title!r}: {report.url}", highlight=False)
    for change in report.changes or ("everything was in place",):
        out.print(f"  {change}", highlight=False)
    for warning in report.warnings:
        err.print(f"[yellow]{warning}[/]", highlight=False)


@app.command("import")
def import_(
    source: Annotated[
        Path, typer.Argument(help="A folder, or a table (CSV, TSV, Parquet, JSON Lines).")
    ],
    project: Project = 0,
    window: Annotated[
        float | None, typer.Option(help="Cut recordings into windows of this length, in s.")
    ] = None,
    hop: Annotated[float | None, typer.Option(help="From window to window, in s.")] = None,
    file_column: Annotated[
        str | None, typer.Option(help="The table's column of file names; found if not given.")
    ] = None,
    recording_column: Annotated[
        str | None, typer.Option(help="The table's column that names the recording.")
    ] = None,
    root: Annotated[
        Path | None, typer.Option(help="The folder that a table's files lie in, if not beside it.")
    ] = None,
    show_labels: Annotated[
        bool, typer.Option(help="Show annotators the table's label columns, too.")
    ] = False,
    serve_as: Annotated[
        str,
        typer.Option(
            help="How Label Studio gets at the files: 'files' (it shares a disk), 'upload', "
            "or the address where something else serves the files folder."
        ),
    ] = "files",
    json_: AsJson = False,
) -> None:
    """Bring clips into a project: audio, spectrogram, metadata.

    Run again, it adds nothing twice, picks up what is new, and goes on where it was interrupted.
    Columns named like labels (label, class, category, ...) are not shown to annotators.

    Example: [bold]earmark import recordings/ --window 4 --hop 4[/]
    """
    with _explained():
        settings = Settings.from_env()
        summary = _import(
            settings,
            source,
            _project(settings, project),
            serve_as,
            quiet=json_,
            root=root,
            file_column=file_column,
            recording_column=recording_column,
            window_s=window,
            hop_s=hop,
            show_labels=show_labels,
        )
    if json_:
        _print_json(summary)
    else:
        _tell(summary)


@app.command()
def serve() -> None:
    """Run the backend: it answers Label Studio, learns in the background, and orders the queue.

    It listens at EARMARK_HOST and EARMARK_PORT until Ctrl-C.
    """
    from ml_backend.web.server import serve as serve_backend

    with _explained():
        settings = Settings.from_env()
        _label_studio(settings)
        read_secret(settings)
        serve_backend(settings)


@app.command()
def status(json_: AsJson = False) -> None:
    """Tell how things stand: addresses, clips, labels, the last round, errors."""
    from importer.backend import Backend, BackendSilentError

    settings = Settings.from_env()
    facts: dict[str, Any] = {
        "label_studio_url": settings.label_studio_url,
        "backend_url": settings.backend_url,
        "project": settings.project or None,
    }
    with _explained():
        try:
            facts.update(state="up", error=None, **Backend(settings).status())
        except BackendSilentError as error:
            facts.update(state="down", error=str(error), projects=[])
    only = facts["projects"][0]["project"] if len(facts["projects"]) == 1 else None
    facts["project"] = facts["project"] or only
    if json_:
        _print_json(facts)
    else:
        _show_status(facts)
    if facts["state"] == "down":
        raise typer.Exit(1)


@app.command()
def simulate(
    table: Annotated[
        Path, typer.Argument(help="A table of clips whose labels are known (CSV, Parquet, ...).")
    ],
    label_column: Annotated[str, typer.Option(help="The column of labels.")] = "label",
    target: Annotated[
        str | None, typer.Option(help="This label against the rest; without it, all classes.")
    ] = None,
    group_column: Annotated[
        str | None, typer.Option(help="The column that names the recording; none is cut in two.")
    ] = None,
    pool: Annotated[
        str | None, typer.Option(help="Clips to ask about: column=value[,value].")
    ] = None,
    test: Annotated[str | None, typer.Option(help="Clips to measure on: column=value.")] = None,
    test_share: Annotated[
        float | None, typer.Option(help="Instead of --test: this share of recordings, by chance.")
    ] = None,
    initial: Annotated[int, typer.Option(help="Labels given first.")] = 40,
    step: Annotated[int, typer.Option(help="Labels per round.")] = 20,
    labels: Annotated[int, typer.Option(help="Labels in the end.")] = 100,
    runs: Annotated[int, typer.Option(help="Runs, each on another nine tenths of the pool.")] = 20,
    strategy: Annotated[
        list[str] | None,
        typer.Option(help="Query strategy; may be given again."),
    ] = None,
    initial_strategy: Annotated[
        list[str] | None,
        typer.Option(help="Picks the first labels: default or random; may be given again."),
    ] = None,
    embedder: Annotated[str, typer.Option(help="mn04, mn10, mn20, mn40 or melstats.")] = "",
    weights: Annotated[Path | None, typer.Option(help="File or folder of weights.")] = None,
    prior: Annotated[
        str,
        typer.Option(help="'names': labels that AudioSet knows by name get a prior; or 'none'."),
    ] = "names",
    seed: Annotated[int, typer.Option(help="Run r has the seed SEED + r.")] = 0,
    json_: Annotated[
        Path | None, typer.Option("--json", help="Write every run and the summary there.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the curves there (PNG).")] = None,
    root: Annotated[Path | None, typer.Option(help="The folder that the files lie in.")] = None,
    file_column: Annotated[str | None, typer.Option(help="The column of file names.")] = None,
) -> None:
    """Tell how many labels each strategy saves, with a table's labels for an annotator.

    Learning and ranking are those of the live loop. Embeddings are kept for the next call.

    Example: [bold]earmark simulate clips.csv --target siren --pool fold=1 --test fold=3[/]
    """
    from importer.curve_report import draw, show
    from importer.labeled_table import read_labeled_table
    from ml_backend.learning_curves import compare, summarize
    from ml_backend.query_strategy import get_strategy
    from ml_backend.simulate import Plan
    from ml_backend.simulate import simulate as play

    with _explained():
        settings = Settings.from_env()
        if (test is None) == (test_share is None):
            raise SettingsError("Give either --test column=value or --test-share 0.3.")
        if prior not in ("names", "none"):
            raise SettingsError(f"--prior is {prior!r}; it takes 'names' or 'none'.")
        for path in (json_, plot):
            if path is not None and not path.absolute().parent.is_dir():
                raise SettingsError(f"{path}: there is no folder {path.absolute().parent}.")
        plan = Plan(
            n_initial=initial,
            step=step,
            n_labels=labels,
            n_runs=runs,
            seed=seed,
            audit_share=settings.audit_share,
        )
        strategies = [get_strategy(name) for name in strategy or (settings.strategy, "random")]
        firsts = [get_strategy(name) for name in initial_strategy or (settings.strategy,)]
        clips = read_labeled_table(
            table,
            label_column=label_column,
            group_column=group_column,
            pool=pool,
            test=test,
            root=root,
            file_column=file_column,
        )
        trial = _trial(settings, clips, target, test_share, embedder, weights, prior == "names")
        with _progress("Playing", unit="curves") as advance:
            curves = play(trial, plan, strategies, firsts, advance)
    report = {
        "table": str(table),
        "target": target,
        "embedder": trial.embedder_id,
        "plan": vars(plan),
        "curves": curves,
        "summary": summarize(curves),
        "strategies": compare(curves),
    }
    title = f"{table.parent.name}/{table.name}: {target or 'all classes'}, {runs} runs"
    show(out, title, report)
    if json_ is not None:
        json_.write_text(json.dumps(report, indent=1), encoding="utf-8")
    if plot is not None:
        draw(plot, title, report)


def _trial(
    settings: Settings,
    clips: Any,
    target: str | None,
    test_share: float | None,
    embedder_name: str,
    weights: Path | None,
    with_prior: bool,
) -> Any:
    """Embed labeled clips, as far as no earlier call did, and say what cannot be used."""
    import numpy as np

    from ml_backend.embedders import load_embedder
    from ml_backend.hear import hear_files
    from ml_backend.prior import find_tagger
    from ml_backend.store import open_store
    from ml_backend.trial import make_trial

    weights, cache_dir = weights or settings.weights, settings.data_dir / "weights"
    embedder = load_embedder(embedder_name or settings.embedder, weights, cache_dir)
    if embedder.warning:
        err.print(f"[yellow]{embedder.warning}[/]", highlight=False)
    store = open_store(f"sqlite:///{settings.data_dir.absolute() / 'simulate.db'}")
    with _progress("Listening to the clips") as advance:
        heard, embeddings, unheard = hear_files(
            store, embedder, clips.clip_keys, clips.paths, advance
        )
    store.close()
    refused = [f"{one.file}: {one.reason}" for one in clips.left_out] + unheard
    for line in refused[:5]:
        err.print(f"  left out: {line}", highlight=False)
    if refused:
        err.print(f"[yellow]{len(refused)} clips are left out.[/]", highlight=False)
    tagger, why = (None, None)
    if with_prior:
        tagger, why = find_tagger(embedder, weights, cache_dir, settings.names)
    if why:
        err.print(f"[yellow]{why}[/]", highlight=False)

    def prior_of(class_names: Any) -> Any:
        found = tagger.prior(class_names) if tagger else None
        if found is None:
            return None
        for name, matched in zip(class_names, found.names, strict=True):
            heard_as = ", ".join(matched) or "nothing"
            out.print(f"  {name}: AudioSet's {heard_as}", highlight=False)
        return found.logits(embeddings)

    return make_trial(
        embeddings,
        [clips.labels[row] for row in heard],
        np.array(clips.recordings, dtype=np.int64)[heard],
        [clips.clip_keys[row] for row in heard],
        target=target,
        is_pool=np.array(clips.is_pool)[heard],
        is_test=None if test_share is not None else np.array(clips.is_test)[heard],
        test_share=test_share,
        embedder_id=embedder.embedder_id,
        prior_of=prior_of,
    )


@app.command()
def demo(
    clips: Annotated[Path | None, typer.Option(help="A folder or table of your own clips.")] = None,
    labels: Labels = "siren,other",
    folder: Annotated[Path, typer.Option(help="Where everything is kept.")] = Path(".demo"),
) -> None:
    """Show Earmark at work: a Label Studio, the backend, a project, clips, and the first order.

    Without --clips it makes up a street to listen to. It stays up until Ctrl-C; started again,
    it goes on with the same data.
    """
    from importer.demo import running

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: _interrupt(stop))
    with _explained():
        try:
            with running(folder, lambda message: out.print(message, highlight=False)) as up:
                _fill(up, folder, clips, _split(labels))
                up.wait(stop)
        except KeyboardInterrupt:
            pass
    out.print("Stopped. The same command goes on with the same data.")


def _interrupt(stop: threading.Event) -> None:
    """End the wait; anything else that is under way is interrupted."""
    stop.set()
    raise KeyboardInterrupt


def _fill(up: Any, folder: Path, clips: Path | None, labels: tuple[str, ...]) -> None:
    """Set the demo's project up, import its clips and wait for the first order."""
    from importer.demo import is_in_order, remember_project
    from importer.project import set_up
    from importer.streets import make_street_set

    settings = up.settings
    if clips is None:
        with _progress("Making up a street") as advance:
            clips = make_street_set(folder / "streets", on_progress=advance)
    report = set_up(
        up.studio.client(),
        backend_url=settings.backend_url,
        secret=settings.secret,
        title=f"Earmark demo: {clips.parent.name if clips.is_file() else clips.name}",
        labels=labels,
        files_dir=_files_dir(settings),
    )
    settings = remember_project(settings, folder, report.project_id)
    summary = _import(settings, clips, report.project_id, "files", quiet=False)
    _tell(summary)
    n_clips = summary["n_clips"]
    with _progress("Listening to the clips") as advance:

        def look(status: dict[str, Any]) -> bool:
            found = [one for one in status["projects"] if one["project"] == report.project_id]
            if not found:
                return False
            advance(found[0]["n_embedded"] + found[0]["n_unheard"], max(found[0]["n_clips"], 1))
            return is_in_order(found[0], n_clips)

        up.backend.wait_until(look, lambda: up.is_alive, 24 * 3600.0)
    if warning := up.backend.status()["warning"]:
        err.print(f"[yellow]{warning}[/]", highlight=False)
    login = up.studio.credentials
    out.print()
    out.print("[bold green]Ready.[/] Open Label Studio and press [bold]Label All Tasks[/]:")
    out.print(f"  Label Studio  [bold]{report.url}[/]", highlight=False, soft_wrap=True)
    out.print(f"  log in with   [bold]{login.username}[/]  {login.password}", highlight=False)
    out.print(f"  backend       {settings.backend_url}/status", highlight=False)
    out.print("  how it goes   earmark status", highlight=False)
    out.print("Ctrl-C stops both; the data stays.")


def _import(
    settings: Settings,
    source: Path,
    project_id: int,
    serve_as: str,
    *,
    quiet: bool,
    show_labels: bool = False,
    **options: Any,
) -> dict[str, Any]:
    from importer.push import push_clips
    from importer.scan import LABEL_COLUMNS, Clip, scan
    from importer.serving import BaseUrl, LocalFiles, Serving, Upload
    from importer.tab import ensure_tab
    from importer.task import column_types

    label_studio = _label_studio(settings)
    label_studio.project(project_id)
    files_dir = _files_dir(settings)
    serving: Serving
    if serve_as == "files":
        serving = LocalFiles(_document_root(settings))
    elif serve_as == "upload":
        serving = Upload(label_studio, project_id)
    elif serve_as.startswith(("http://", "https://")):
        serving = BaseUrl(serve_as, files_dir)
    else:
        raise SettingsError(
            f"--serve-as is {serve_as!r}; it takes 'files', 'upload', or an http(s) address."
        )
    clips = scan(source, exclude_columns=() if show_labels else LABEL_COLUMNS, **options)
    with _progress("Importing", quiet=quiet) as advance:
        summary = push_clips(
            label_studio,
            project_id,
            clips,
            files_dir=files_dir,
            serving=serving,
            data_dir=settings.data_dir,
            on_progress=advance,
        )
    metadata = (clip.metadata for clip in clips if isinstance(clip, Clip))
    ensure_tab(label_studio, project_id, column_types(metadata))
    return {
        "project": project_id,
        "n_clips": summary.added + summary.skipped,
        "added": summary.added,
        "skipped": summary.skipped,
        "duplicates": [vars(one) for one in summary.duplicates],
        "refused": [vars(one) for one in summary.refused],
        "renamed": summary.renamed,
        "seconds": round(summary.seconds, 2),
        "report": str(summary.report_path) if summary.report_path else None,
    }


def _tell(summary: dict[str, Any]) -> None:
    n_all = summary["n_clips"] + len(summary["duplicates"]) + len(summary["refused"])
    rate = n_all / max(summary["seconds"], 1e-9)
    out.print(
        f"{summary['added']} clips added, {summary['skipped']} were there already, "
        f"{len(summary['duplicates'])} doubles left out, {len(summary['refused'])} refused "
        f"({summary['seconds']:.0f} s, {rate:.0f} clips/s).",
        highlight=False,
    )
    for column, name in summary["renamed"].items():
        out.print(f"  The column {column!r} is called {name!r} in Label Studio.", highlight=False)
    for one in summary["duplicates"][:3]:
        out.print(f"  {one['file']} sounds the same as {one['same_as']}", highlight=False)
    for one in summary["refused"][:5]:
        err.print(f"  [yellow]{one['file']}[/]: {one['reason']}", highlight=False)
    if summary["report"]:
        err.print(f"  All that were refused, and why: {summary['report']}", highlight=False)


def _show_status(facts: dict[str, Any]) -> None:
    out.print(f"Label Studio  {facts['label_studio_url']}", highlight=False)
    out.print(f"Backend       {facts['backend_url']}  ({facts['state']})", highlight=False)
    if facts["error"]:
        err.print(f"[red]{facts['error']}[/]", highlight=False)
    if facts.get("warning"):
        err.print(f"[yellow]{facts['warning']}[/]", highlight=False)
    for one in facts["projects"]:
        counts = ", ".join(f"{name} {number}" for name, number in one["labels"].items())
        out.print(f"\n[bold]Project {one['project']}  {one['title']}[/]", highlight=False)
        out.print(f"  {one['state']}", highlight=False)
        out.print(
            f"  {one['n_clips']} clips, {one['n_embedded']} heard, {one['n_unheard']} cannot be; "
            f"{one['n_labeled']} labeled ({counts}), {one['n_skipped']} skipped",
            highlight=False,
        )
        if one["model_version"]:
            out.print(
                f"  {one['model_version']}, {one['n_published']} of {one['n_ranked']} published",
                highlight=False,
            )
        if one["accuracy"]:
            _show_accuracy(one["accuracy"])
        if one["rounds"]:
            last = one["rounds"][0]
            out.print(f"  last round took {last['timings_s']['total']:.2f} s", highlight=False)
        if one["error"]:
            err.print(f"  [red]{one['error']}[/]", highlight=False)
        for clip in one["unheard"][:5]:
            err.print(f"  task {clip['task']}: {clip['reason']}", highlight=False)


def _show_accuracy(accuracy: dict[str, Any]) -> None:
    """Print what the classifier is worth, how that came to be, and whether to go on."""

    def spell(figure: dict[str, float]) -> str:
        return f"{figure['value']:.2f} ({figure['low']:.2f} to {figure['high']:.2f})"

    for name, meaning in (
        ("cross_validated", f"across recordings, {accuracy['n_labeled']} labels"),
        ("audit", f"on {accuracy['n_audit']} clips drawn at random"),
    ):
        if figures := accuracy[name]:
            per_class = ", ".join(f"{n} {spell(f)}" for n, f in figures["per_class"].items())
            out.print(
                f"  balanced accuracy {spell(figures['balanced_accuracy'])} {meaning}: {per_class}",
                highlight=False,
            )
    if len(accuracy["curve"]) > 1:
        points = (f"{one['n_labeled']}: {one['value']:.2f}" for one in accuracy["curve"][-8:])
        out.print(f"  by number of labels  {', '.join(points)}", highlight=False)
    out.print(f"  {accuracy['advice']}", highlight=False)


def _label_studio(settings: Settings) -> Any:
    from ml_backend.label_studio import LabelStudio

    return LabelStudio(settings.label_studio_url, settings.api_key)


def _document_root(settings: Settings) -> Path:
    if settings.files_root is None:
        raise SettingsError(
            "EARMARK_FILES_ROOT is not set; it must be the folder that Label Studio serves local "
            "files from (its LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT). Or use --serve-as upload."
        )
    return settings.files_root


def _files_dir(settings: Settings) -> Path:
    """Put prepared clips below the document root where there is one, else in the data folder."""
    return (settings.files_root or settings.data_dir / "files") / "earmark"


def _project(settings: Settings, chosen: int) -> int:
    project_id = chosen or settings.project
    if not project_id:
        raise SettingsError("Which project? Give --project N; 'earmark setup' tells its number.")
    return project_id


def _split(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _read(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}).") from None


def _print_json(facts: object) -> None:
    typer.echo(json.dumps(facts, indent=2, default=str))


@contextmanager
def _progress(what: str, *, quiet: bool = False, unit: str = "clips") -> Iterator[Any]:
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
    with Progress(*columns, console=out, disable=quiet) as progress:
        bar = progress.add_task(what, total=None, rate="-")

        def advance(n_done: int, n_total: int) -> None:
            elapsed_s = progress.tasks[bar].elapsed or 0.0
            rate = f"{n_done / elapsed_s:.0f}" if elapsed_s > 1.0 else "-"
            progress.update(bar, completed=n_done, total=n_total, rate=rate)

        yield advance


@contextmanager
def _explained() -> Iterator[None]:
    """Say what went wrong in one plain sentence, and end with status 1."""
    try:
        yield
    except EarmarkError as error:
        err.print(f"[red]{error}[/]", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
