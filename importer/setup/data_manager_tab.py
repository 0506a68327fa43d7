"""The tab of the Data Manager in which a project's clips are looked through, in queue order.

Label Studio opens the first tab in a browser that has not seen the project, and a labeling page
opened by its link, or by "Label Tasks As Displayed", serves the clips of that tab in its order. So
Earmark's tab comes first and is ordered by the score, which is the place in the queue. Label Studio
computes that column from predictions of the current version alone, whether it is shown or not, and
puts tasks without one last. It is hidden: under its title, "Prediction score", people read it as
a confidence.
"""

from collections.abc import Mapping
from typing import Any

from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.task_tab import OWN_TAB, SCORE

HIDDEN_COLUMNS = (
    *("inner_id", "completed_at", "annotators", "annotations_ids", "predictions_model_versions"),
    *("file_upload", "storage_filename", "created_at", "updated_at", "updated_by"),
    *("avg_lead_time", "draft_exists", "total_predictions", "annotations_results"),
    *("predictions_results", "predictions_score"),
    *("data.audio", "data.meta", "data.content_hash", "data.recording_id"),
)
CLIP_COLUMN_TYPES = {
    "onset_s": "Number",
    "duration_s": "Number",
    "earmark_probability": "Number",
    "earmark_entropy": "Number",
}


def ensure_tab(label_studio: LabelStudio, project_id: int, column_types: Mapping[str, str]) -> bool:
    """Make the tab of the Data Manager, or restore its order and place; give columns their types.

    Parameters
    ----------
    column_types
        Metadata column of the task data to its type in the Data Manager: ``Number``, ``Datetime``,
        ``Boolean`` or ``String``. PostgreSQL sorts a column as text unless it is a ``Number``.

    Returns
    -------
    bool
        Whether anything was changed; types that somebody has chosen stay as they are, and so do
        filters and other hidden columns.
    """
    wanted = {**CLIP_COLUMN_TYPES, **column_types}
    types = {f"tasks:data.{name}": kind for name, kind in wanted.items()}
    views = label_studio.views(project_id)
    own = next((view for view in views if view["data"].get("title") == OWN_TAB), None)
    if own is None:
        own = label_studio.add_view(project_id, _new(types))
        is_changed = True
    else:
        data = _restored(own["data"], types)
        is_changed = data != own["data"]
        if is_changed:
            label_studio.update_view(own["id"], project_id, data)
    others = [view["id"] for view in views if view["id"] != own["id"]]
    if others and (views[0]["id"] != own["id"]):
        label_studio.order_views(project_id, [own["id"], *others])
        is_changed = True
    return is_changed


def _new(types: Mapping[str, str]) -> dict[str, Any]:
    hidden = [f"tasks:{name}" for name in HIDDEN_COLUMNS]
    return {
        "title": OWN_TAB,
        "type": "list",
        "target": "tasks",
        "hiddenColumns": {"explore": hidden, "labeling": hidden},
        "columnsDisplayType": dict(types),
        "columnsWidth": {},
        "filters": {"conjunction": "and", "items": []},
        "ordering": [SCORE],
    }


def _restored(data: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
    hidden = data.get("hiddenColumns") or {}
    with_score = {
        place: columns if SCORE in columns else [*columns, SCORE]
        for place in ("explore", "labeling")
        for columns in [hidden.get(place) or []]
    }
    return {
        **data,
        "ordering": [SCORE],
        "hiddenColumns": {**hidden, **with_score},
        "columnsDisplayType": {**types, **(data.get("columnsDisplayType") or {})},
    }
