"""The tab of the Data Manager in which a project's clips are looked through."""

from collections.abc import Mapping

from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.exactly import OWN_TAB

HIDDEN_COLUMNS = (
    *("inner_id", "completed_at", "annotators", "annotations_ids", "predictions_model_versions"),
    *("file_upload", "storage_filename", "created_at", "updated_at", "updated_by"),
    *("avg_lead_time", "draft_exists", "total_predictions", "annotations_results"),
    "predictions_results",
    *("data.audio", "data.meta", "data.content_hash", "data.recording_id"),
)
CLIP_COLUMN_TYPES = {"onset_s": "Number", "duration_s": "Number"}


def ensure_tab(label_studio: LabelStudio, project_id: int, column_types: Mapping[str, str]) -> bool:
    """Make the tab of the Data Manager, and give columns of task data their types.

    Parameters
    ----------
    column_types
        Metadata column of the task data to its type in the Data Manager: ``Number``, ``Datetime``,
        ``Boolean`` or ``String``. PostgreSQL sorts a column as text unless it is a ``Number``.

    Returns
    -------
    bool
        Whether anything was changed; types that somebody has chosen stay as they are.
    """
    wanted = {**CLIP_COLUMN_TYPES, **column_types}
    types = {f"tasks:data.{name}": kind for name, kind in wanted.items()}
    for view in label_studio.views(project_id):
        data = view["data"]
        if data.get("title") == OWN_TAB:
            chosen = data.get("columnsDisplayType") or {}
            if types.keys() <= chosen.keys():
                return False
            data = {**data, "columnsDisplayType": {**types, **chosen}}
            label_studio.update_view(view["id"], project_id, data)
            return True
    hidden = [f"tasks:{name}" for name in HIDDEN_COLUMNS]
    label_studio.add_view(
        project_id,
        {
            "title": OWN_TAB,
            "type": "list",
            "target": "tasks",
            "hiddenColumns": {"explore": hidden, "labeling": hidden},
            "columnsDisplayType": types,
            "columnsWidth": {},
            "filters": {"conjunction": "and", "items": []},
            "ordering": [],
        },
    )
    return True
