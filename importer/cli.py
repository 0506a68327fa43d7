"""The one command, `earmark`: set a project up, import clips, serve, see how things stand, demo."""

import signal
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from importer import telling
from importer.asking import queue
from importer.options import AsJson, Labels, Project, choose_project, read_text, split
from importer.simulation import simulate
from ml_backend.errors import SettingsError
from ml_backend.label_studio import LabelStudio
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
    from importer.bring import files_dir_of
    from importer.pages import map_path
    from importer.project import set_up

    with telling.explained():
        settings = Settings.from_env()
        report = set_up(
            LabelStudio(settings.label_studio_url, settings.api_key),
            backend_url=settings.backend_url,
            secret=read_secret(settings),
            title=title,
            project_id=project or None,
            labels=split(labels),
            label_config=read_text(config),
            multi_label=multi,
            replace_label_config=replace,
            is_blind=blind,
            files_dir=files_dir_of(settings),
            pages_url=settings.pages_url,
        )
    if json_:
        telling.print_json(vars(report))
        return
    telling.say(f"Project {report.project_id}, {report.title!r}: {report.url}")
    telling.say(f"  its map: {settings.pages_url}{map_path(report.project_id)}")
    for change in report.changes or ("everything was in place",):
        telling.say(f"  {change}")
    for warning in report.warnings:
        telling.complain(warning, "yellow")


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
    from importer.bring import bring

    with telling.explained():
        settings = Settings.from_env()
        with telling.progress("Importing", quiet=json_) as advance:
            summary = bring(
                settings,
                source,
                choose_project(settings, project),
                serve_as,
                advance,
                root=root,
                file_column=file_column,
                recording_column=recording_column,
                window_s=window,
                hop_s=hop,
                show_labels=show_labels,
            )
    if json_:
        telling.print_json(summary)
    else:
        telling.tell_import(summary)


@app.command()
def serve() -> None:
    """Run the backend: it answers Label Studio, learns in the background, and orders the queue.

    It listens at EARMARK_HOST and EARMARK_PORT until Ctrl-C.
    """
    from ml_backend.web.server import serve as serve_backend

    with telling.explained():
        settings = Settings.from_env()
        LabelStudio(settings.label_studio_url, settings.api_key)  # says so where there is no token
        read_secret(settings)
        serve_backend(settings)


@app.command()
def status(json_: AsJson = False) -> None:
    """Tell how things stand: addresses, clips, labels, the last round, errors."""
    from importer.backend import Backend, BackendSilentError

    with telling.explained():
        settings = Settings.from_env()
        facts: dict[str, Any] = {
            "label_studio_url": settings.label_studio_url,
            "backend_url": settings.backend_url,
            "project": settings.project or None,
        }
        try:
            facts.update(state="up", error=None, **Backend(settings).status())
        except BackendSilentError as error:
            facts.update(state="down", error=str(error), projects=[])
    only = facts["projects"][0]["project"] if len(facts["projects"]) == 1 else None
    facts["project"] = facts["project"] or only
    if json_:
        telling.print_json(facts)
    else:
        telling.tell_status(facts)
    if facts["state"] == "down":
        raise typer.Exit(1)


app.command()(queue)


@app.command("map")
def map_(project: Project = 0) -> None:
    """Print a link to the similarity map that arrives signed in, once, within a day.

    It signs in as the owner of LABEL_STUDIO_API_KEY: give it to nobody else.
    """
    from importer.backend import Backend

    with telling.explained():
        settings = Settings.from_env()
        backend = Backend(settings)
        chosen = project or settings.project or _only_project(backend)
        telling.say(_arrival(settings, backend, chosen))


app.command()(simulate)


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

    def end(*_: object) -> None:
        stop.set()
        raise KeyboardInterrupt  # whatever is under way

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with telling.explained():
        try:
            with running(folder, telling.say) as up:
                _fill(up, folder, clips, split(labels))
                up.wait(stop)
        except KeyboardInterrupt:
            pass
    telling.say("Stopped. The same command goes on with the same data.")


def _fill(up: Any, folder: Path, clips: Path | None, labels: tuple[str, ...]) -> None:
    """Set the demo's project up, import its clips and wait for the first order."""
    from importer.bring import bring, files_dir_of
    from importer.demo import is_in_order, remember_project
    from importer.project import set_up
    from importer.streets import make_street_set

    settings = up.settings
    if clips is None:
        with telling.progress("Making up a street") as advance:
            clips = make_street_set(folder / "streets", on_progress=advance)
    report = set_up(
        up.studio.client(),
        backend_url=settings.backend_url,
        secret=settings.secret,
        title=f"Earmark demo: {clips.parent.name if clips.is_file() else clips.name}",
        labels=labels,
        files_dir=files_dir_of(settings),
        pages_url=settings.pages_url,
    )
    settings = remember_project(settings, folder, report.project_id)
    with telling.progress("Importing") as advance:
        summary = bring(settings, clips, report.project_id, "files", advance)
    telling.tell_import(summary)
    n_clips = summary["n_clips"]
    told: set[str] = set()
    with telling.progress("Listening to the clips") as advance:

        def look(status: dict[str, Any]) -> bool:
            found = [one for one in status["projects"] if one["project"] == report.project_id]
            if not found:
                return False
            advance(found[0]["n_embedded"] + found[0]["n_unheard"], max(found[0]["n_clips"], 1))
            if (error := found[0]["error"]) and error not in told:
                told.add(error)
                telling.complain(error, "yellow")
            return is_in_order(found[0], n_clips)

        up.backend.wait_until(look, lambda: up.is_alive, 24 * 3600.0)
    if warning := up.backend.status()["warning"]:
        telling.complain(warning, "yellow")
    map_address = _arrival(settings, up.backend, report.project_id)
    telling.tell_ready(report.url, up.studio.credentials, settings.backend_url, map_address)


def _arrival(settings: Settings, backend: Any, project_id: int) -> str:
    from importer.pages import arrival, map_path

    return arrival(settings.pages_url, backend.ticket(settings.api_key), map_path(project_id))


def _only_project(backend: Any) -> int:
    known = [one["project"] for one in backend.status()["projects"]]
    if len(known) != 1:
        raise SettingsError(
            f"The backend looks after {len(known)} projects. Which? Give --project N."
        )
    return int(known[0])


if __name__ == "__main__":
    app()
