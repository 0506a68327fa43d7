"""`earmark serve` and `earmark demo`: what is started, and stays until interrupted."""

import os
import shlex
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from importer.commands import output
from importer.commands.options import Labels, split
from ml_backend.errors import LabelConfigError, SettingsError, SourceError
from ml_backend.label_studio import LabelStudio
from ml_backend.settings import Settings, read_secret

DEMO_FOLDER = Path(".demo")
DEMO_LABELS = ("siren", "other")
_PATIENCE_S = 24 * 3600.0

ChangeEmbedder = Annotated[
    bool,
    typer.Option(
        "--change-embedder", help="Embed all clips again, if the settings lead to another embedder."
    ),
]

AgainDeleted = Annotated[
    bool,
    typer.Option("--again-deleted", help="Add clips again that somebody deleted from the project."),
]


def serve(change_embedder: ChangeEmbedder = False) -> None:
    """Run the backend: it answers Label Studio, learns in the background, and ranks the queue.

    It listens at EARMARK_HOST and EARMARK_PORT until Ctrl-C.
    """
    from importer.run_import import files_dir_of
    from ml_backend.web.server import serve as serve_backend

    with output.explained():
        settings = Settings.from_env()
        LabelStudio(settings.label_studio_url, settings.api_key)  # says so where there is no token
        files_dir_of(settings)  # says so where the document root is none
        _check_names(settings)
        _agree_on_embedder(settings, change_embedder)
        read_secret(settings)
        serve_backend(settings)


def demo(
    clips: Annotated[Path | None, typer.Option(help="A folder or table of your own clips.")] = None,
    labels: Labels = "",
    folder: Annotated[Path, typer.Option(help="Where everything is kept.")] = DEMO_FOLDER,
    change_embedder: ChangeEmbedder = False,
    again_deleted: AgainDeleted = False,
) -> None:
    """Show Earmark at work: a Label Studio, the backend, a project, clips, and the first ranking.

    Without --clips it makes up a street to listen to. It stays up until Ctrl-C; started again,
    it goes on with the same data and the same settings.
    """
    from importer.demo.running import recall, running
    from importer.scan import check_source
    from ml_backend.label_studio.label_config import label_config_xml

    stop = threading.Event()

    def end(*_: object) -> None:
        stop.set()
        raise KeyboardInterrupt  # whatever is under way

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with output.explained():
        if clips is not None:
            check_source(clips)
        if labels:
            label_config_xml(split(labels), multi_label=False)  # says what is wrong with them
        try:
            settings = recall(folder, output.say)
            _check_names(settings)
            _agree_on_embedder(settings, change_embedder)
            with running(folder, settings, output.say) as up:
                _fill(up, folder, clips, split(labels), again_deleted)
                up.wait(stop)
        except KeyboardInterrupt:
            pass
    output.say("Stopped. The same command goes on with the same data.")


def _check_names(settings: Settings) -> None:
    """Report at once, not in the middle of a round, what AudioSet does not know.

    Without its class list nobody can tell, and Earmark goes on without names.
    """
    from ml_backend.embedders.audioset import read_audioset_names
    from ml_backend.errors import WeightsError
    from ml_backend.learning.prior import match_names
    from ml_backend.settings.checks import parse_names

    said = parse_names(settings.names)
    if not said or settings.embedder == "melstats":
        return
    try:
        audioset_names = read_audioset_names(settings.weights, settings.data_dir / "weights")
    except WeightsError:
        return
    match_names(tuple(said), audioset_names, said)


def _agree_on_embedder(settings: Settings, is_agreed: bool) -> None:
    """Ask, on a terminal, before all clips are embedded again; elsewhere refuse.

    Raises
    ------
    SettingsError
        If nobody agrees.
    """
    from ml_backend.loop.embedder_guard import agree, check_settings
    from ml_backend.store import open_store

    if not settings.database_url and not (settings.data_dir / "earmark.db").exists():
        return
    store = open_store(settings.store_url)
    try:
        check_settings(settings, store)
    except SettingsError as error:
        if not is_agreed:
            if not (sys.stdin.isatty() and sys.stdout.isatty()):
                raise
            output.complain(str(error), "yellow")
            if not typer.confirm("Embed all clips again with the other embedder?"):
                raise typer.Exit(1) from None
        agree(settings, store)
    finally:
        store.close()


def _fill(
    up: Any, folder: Path, clips: Path | None, labels: tuple[str, ...], again_deleted: bool
) -> None:
    """Set the demo's project up, import its clips and wait until somebody can label."""
    from importer.backend_client import map_link
    from importer.demo.running import remember
    from importer.demo.streets import make_street_set
    from importer.run_import import bring, files_dir_of
    from importer.setup.project import set_up

    settings = up.settings
    if clips is None:
        with output.progress("Making up a street") as advance:
            clips = make_street_set(folder / "streets", on_progress=advance)
    title = f"Earmark demo: {clips.parent.name if clips.is_file() else clips.name}"
    client = up.studio.client()
    is_new = check_labels(client, title, labels, folder)
    report = set_up(
        client,
        backend_url=settings.backend_url,
        secret=settings.secret,
        title=title,
        labels=(labels or DEMO_LABELS) if is_new else (),
        files_dir=files_dir_of(settings),
        pages_url=settings.pages_url,
    )
    for warning in report.warnings:
        output.complain(warning, "yellow")
    settings = remember(folder, settings, project=report.project_id)
    with output.progress("Importing") as advance:
        summary = bring(
            settings,
            clips,
            report.project_id,
            "files",
            advance,
            again_deleted=again_deleted,
            takes_any_path=True,
        )
    output.tell_import(summary)
    n_tasks = client.project(report.project_id)["task_number"]
    if not n_tasks and summary["deleted"]:
        raise SourceError(
            f"The project {title!r} is empty: somebody deleted its clips. Start it again with "
            "--again-deleted (make demo AGAIN_DELETED=yes) to bring them back."
        )
    if not n_tasks:
        raise SourceError(f"{clips}: none of its clips can be used; there is nothing to label.")
    n_left = _wait(up, client, report.project_id, n_tasks)
    if n_left:
        output.say(f"{n_left} clips are still to be embedded; they join the queue as they are.")
    if warning := up.backend.status()["warning"]:
        output.complain(warning, "yellow")
    link = map_link(settings, up.backend, report.project_id)
    login, address = up.studio.credentials, settings.backend_url
    output.tell_ready(report.url, login, address, link, _command(folder))


def _command(folder: Path) -> str:
    """Write the command as it is typed to speak to the demo."""
    command = os.path.relpath(sys.argv[0])
    env_file = shlex.quote(str(folder / "earmark.env"))
    return command if folder == DEMO_FOLDER else f"EARMARK_ENV_FILE={env_file} {command}"


def check_labels(client: LabelStudio, title: str, labels: tuple[str, ...], folder: Path) -> bool:
    """Check whether the project is new; refuse labels that are not those it asks for.

    Raises
    ------
    SettingsError
        With the command that would change them.
    """
    from ml_backend.label_studio.label_config import parse_label_config

    found = [one for one in client.projects() if one["title"] == title]
    if not found:
        return True
    project = client.project(found[0]["id"])
    try:
        asked = parse_label_config(project["label_config"]).class_names
    except LabelConfigError:
        return False  # set-up tells what is wrong with it
    if labels and set(labels) != set(asked):
        raise SettingsError(
            f"The project {title!r} asks for {', '.join(asked)}, not for {', '.join(labels)}. "
            "Nothing was changed. Start it again without LABELS (--labels); to change the labels, "
            f"run then `{_command(folder)} setup --project {project['id']} "
            f"--labels {shlex.quote(','.join(labels))} --replace`. Annotations with labels that "
            "are no longer asked for do not count after that."
        )
    return False


def count_tried(project: dict[str, Any], n_tasks: int) -> tuple[int, int]:
    """Count the clips that were embedded or failed, and all there are.

    The backend may have looked last while some of the project's tasks were not imported yet.

    Examples
    --------
    >>> count_tried({"n_clips": 1000, "n_embedded": 998, "n_failed": 2}, n_tasks=1260)
    (1000, 1260)
    """
    return project["n_embedded"] + project["n_failed"], max(project["n_clips"], n_tasks)


def _wait(up: Any, client: LabelStudio, project_id: int, n_tasks: int) -> int:
    """Wait until Label Studio serves the first clip; give the number of clips not tried yet.

    Raises
    ------
    SourceError
        If no clip can be embedded.
    """
    from importer.backend_client import BackendSilentError
    from importer.demo.running import has_order, serves

    told: set[str] = set()
    n_left = 0
    with output.progress("Embedding the clips") as advance:

        def look(status: dict[str, Any]) -> bool:
            nonlocal n_left
            found = [one for one in status["projects"] if one["project"] == project_id]
            if not found:
                return False
            project = found[0]
            n_tried, n_all = count_tried(project, n_tasks)
            n_left = n_all - n_tried
            advance(n_tried, n_all)
            if (error := project["error"]) and error not in told:
                told.add(error)
                output.complain(error, "yellow")
            if project["n_clips"] and project["n_failed"] == project["n_clips"]:
                raise SourceError(
                    f"None of {project['n_clips']} clips can be embedded; the first: "
                    f"{project['failed'][0]['reason']}"
                )
            return has_order(project) and serves(client, project_id, project["model_version"])

        try:
            up.backend.wait_until(look, lambda: up.is_alive, _PATIENCE_S)
        except BackendSilentError:
            up.check()  # says which of the two ended, and names its log
            raise
    return n_left
