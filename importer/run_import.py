"""Bring: the whole of an import, from a folder or table to tasks in a project."""

from pathlib import Path
from typing import Any

from importer.push import Progress, push_clips
from importer.scan import LABEL_COLUMNS, Clip, scan
from importer.serving import BaseUrl, LocalFiles, Serving, Upload
from importer.setup.data_manager_tab import ensure_tab
from importer.task import column_types
from ml_backend.errors import SettingsError
from ml_backend.label_studio import LabelStudio
from ml_backend.settings import Settings


def bring(
    settings: Settings,
    source: Path,
    project_id: int,
    serve_as: str,
    on_progress: Progress,
    *,
    show_labels: bool = False,
    again_deleted: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Import a folder or table into a project, and tell the Data Manager its columns' types.

    Parameters
    ----------
    serve_as : str
        ``files``, ``upload``, or the address where something else serves the files folder.
    show_labels : bool
        Show annotators the table's label columns, too.
    again_deleted : bool
        Add clips again that somebody deleted from the project.
    options
        What else ``scan`` is to know.

    Returns
    -------
    dict
        What was added, skipped and refused, as ``earmark import --json`` prints it.

    Raises
    ------
    EarmarkError
        If there is no such project or source, or a setting is missing.
    """
    label_studio = LabelStudio(settings.label_studio_url, settings.api_key)
    project = label_studio.project(project_id)
    files_dir = files_dir_of(settings)
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
    metadata = (clip.metadata for clip in clips if isinstance(clip, Clip))
    ensure_tab(label_studio, project_id, column_types(metadata))
    summary = push_clips(
        label_studio,
        project_id,
        clips,
        files_dir=files_dir,
        serving=serving,
        data_dir=settings.data_dir,
        label_config=project["label_config"],
        made_at=str(project.get("created_at")),
        again_deleted=again_deleted,
        on_progress=on_progress,
    )
    return {
        "project": project_id,
        "n_clips": summary.added + summary.skipped,
        "added": summary.added,
        "skipped": summary.skipped,
        "deleted": summary.deleted,
        "duplicates": [vars(one) for one in summary.duplicates],
        "refused": [vars(one) for one in summary.refused],
        "renamed": summary.renamed,
        "seconds": round(summary.seconds, 2),
        "report": str(summary.report_path) if summary.report_path else None,
    }


def files_dir_of(settings: Settings) -> Path:
    """Put prepared clips below the document root where there is one, else in the data folder.

    Raises
    ------
    SettingsError
        If the document root is no folder.
    """
    if settings.files_root is not None and not settings.files_root.is_dir():
        raise SettingsError(
            f"EARMARK_FILES_ROOT is {str(settings.files_root)!r}; there is no such folder."
        )
    return (settings.files_root or settings.data_dir / "files") / "earmark"


def _document_root(settings: Settings) -> Path:
    if settings.files_root is None:
        raise SettingsError(
            "EARMARK_FILES_ROOT is not set; it must be the folder that Label Studio serves local "
            "files from (its LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT). Or use --serve-as upload."
        )
    return settings.files_root
