"""The one command, `earmark`: set a project up, import clips, serve, see how things stand, demo."""

from pathlib import Path
from typing import Annotated, Any

import typer

from importer.commands import output
from importer.commands.options import (
    AsJson,
    Labels,
    Project,
    choose_project,
    read_settings,
    read_text,
    split,
)
from importer.commands.queue import queue
from importer.commands.serve import AgainDeleted, demo, serve
from importer.commands.simulate import simulate
from ml_backend.errors import (
    LabelStudioError,
    LabelStudioUnreachableError,
    SettingsError,
)
from ml_backend.label_studio import LabelStudio
from ml_backend.settings import Settings, find_secret

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
    from importer.run_import import files_dir_of
    from importer.setup.page_links import map_path
    from importer.setup.project import set_up

    with output.explained():
        settings = read_settings()
        xml = read_text(config)
        report = set_up(
            LabelStudio(settings.label_studio_url, settings.api_key),
            backend_url=settings.backend_url,
            secret=_shared_secret(settings),
            title=title,
            project_id=project or None,
            labels=split(labels),
            label_config=xml,
            multi_label=multi,
            replace_label_config=replace,
            is_blind=blind,
            files_dir=files_dir_of(settings),
            pages_url=settings.pages_url,
        )
    if json_:
        output.print_json(vars(report))
        return
    output.say(f"Project {report.project_id}, {report.title!r}: {report.url}")
    output.say(f"  its map: {settings.pages_url}{map_path(report.project_id)}")
    for change in report.changes or ("everything was in place",):
        output.say(f"  {change}")
    for warning in report.warnings:
        output.complain(warning, "yellow")


def _shared_secret(settings: Settings) -> str:
    """Return the secret that the backend has: another would shut Label Studio out of it."""
    secret = find_secret(settings)
    if not secret:
        raise SettingsError(
            f"There is no secret in {settings.data_dir}. Start the backend ('earmark serve') "
            "first, or set EARMARK_DATA to its data folder, or EARMARK_SECRET."
        )
    return secret


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
    again_deleted: AgainDeleted = False,
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
    What somebody deleted from the project stays deleted, unless --again-deleted says otherwise.
    Columns named like labels (label, class, category, ...) are not shown to annotators.

    Example: [bold]earmark import recordings/ --window 4 --hop 4[/]
    """
    from importer.run_import import bring
    from importer.scan import check_source

    with output.explained():
        settings = read_settings()
        project_id = choose_project(settings, project)
        check_source(source)
        with output.progress("Importing", quiet=json_) as advance:
            summary = bring(
                settings,
                source,
                project_id,
                serve_as,
                advance,
                root=root,
                file_column=file_column,
                recording_column=recording_column,
                window_s=window,
                hop_s=hop,
                show_labels=show_labels,
                again_deleted=again_deleted,
            )
    if json_:
        output.print_json(summary)
    else:
        output.tell_import(summary)


app.command()(serve)


@app.command()
def status(json_: AsJson = False) -> None:
    """Show how things stand: addresses, clips, labels, the last round, errors.

    Ends with status 1 where the backend or Label Studio is not as it should be.
    """
    from importer.backend_client import Backend, BackendSilentError

    with output.explained():
        settings = read_settings()
        facts: dict[str, Any] = {
            "label_studio_url": settings.label_studio_url,
            "backend_url": settings.backend_url,
            "pages_url": settings.pages_url,
            "project": settings.project or None,
        }
        try:
            facts.update(state="up", error=None, **Backend(settings).status())
        except (BackendSilentError, SettingsError) as error:
            facts.update(state="down", error=str(error), projects=[])
        only = facts["projects"][0]["project"] if len(facts["projects"]) == 1 else None
        facts["project"] = facts["project"] or only
        facts["label_studio"] = _look(settings, facts["project"])
    if json_:
        output.print_json(facts)
    else:
        output.tell_status(facts)
    if facts["error"] or facts["label_studio"]["error"]:
        raise typer.Exit(1)


def _look(settings: Settings, project_id: int | None) -> dict[str, Any]:
    """Ask Label Studio whether it answers, knows the token, and has the project."""
    try:
        label_studio = LabelStudio(settings.label_studio_url, settings.api_key, timeout_s=10.0)
        user = label_studio.whoami()["email"]
        if project_id:
            label_studio.project(project_id)
    except LabelStudioUnreachableError as error:
        return {"state": "down", "error": str(error)}
    except LabelStudioError as error:
        return {"state": "refuses", "error": str(error)}
    return {"state": "up", "error": None, "user": user}


app.command()(queue)


@app.command("map")
def map_(project: Project = 0) -> None:
    """Print a link to the similarity map that arrives signed in, once, within a day.

    It signs in as the owner of LABEL_STUDIO_API_KEY: give it to nobody else.
    """
    from importer.backend_client import Backend, map_link

    with output.explained():
        settings = read_settings()
        backend = Backend(settings)
        chosen = project or settings.project
        chosen = backend.known_project(chosen)["project"] if chosen else backend.only_project()
        output.say(map_link(settings, backend, chosen))


app.command()(simulate)


app.command()(demo)


if __name__ == "__main__":
    app()
