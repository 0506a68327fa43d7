"""`earmark queue`: which clips Label Studio asks about next, in people's own words."""

from typing import Annotated

import typer

from importer.commands import output
from importer.commands.options import AsJson, Project, choose_project, read_settings
from ml_backend.errors import SettingsError


def queue(
    project: Project = 0,
    where: Annotated[
        str | None, typer.Option(help="A condition on the clips' metadata; see above.")
    ] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Request no clips first any more.")
    ] = False,
    json_: AsJson = False,
) -> None:
    """Have some clips labeled next: those that a condition on their metadata is true of.

    The strategy ranks them, and all others behind them. The condition is kept: clips
    imported later come first, too, if it is true of them. Without --where and --clear it shows
    what is requested now.

    Example: [bold]earmark queue --project 1 --where 'salience == 1 and hour(recorded_at) >= 20'[/]

    Conditions: ==, !=, <, <=, >, >= with and, or, not; weather in ("rain", "snow");
    "siren" in clip (part of a text, in any case); hour(column); date(column) >= "2024-05-01";
    missing(column). Columns with blanks or odd characters go in `backticks`.
    """
    from importer.backend_client import Backend

    with output.explained():
        if clear and where is not None:
            raise SettingsError("Either --where or --clear; both at once contradict each other.")
        settings = read_settings()
        project_id = choose_project(settings, project)
        backend = Backend(settings)
        if clear:
            asked = backend.clear_queue(project_id)
        elif where is not None:
            asked = backend.ask_first(project_id, where)
        else:
            asked = backend.queue(project_id)
    if json_:
        output.print_json(asked)
    else:
        output.tell_queue(asked)
