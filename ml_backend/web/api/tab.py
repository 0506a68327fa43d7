"""From seeing to labeling in Label Studio: a tab of the Data Manager with exactly these tasks."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from ml_backend.errors import RequestError
from ml_backend.web.api.annotations import somebody
from ml_backend.web.http.body import json_body, task_numbers
from ml_backend.web.services import services

MAX_TASKS = 5_000
"""PostgreSQL takes 5 s for a tab of this size among 100,000 tasks."""
MAX_TITLE = 100


blueprint = Blueprint("tab", __name__)


@blueprint.post("/projects/<int:project_id>/tab")
def make_tab(project_id: int) -> ResponseReturnValue:
    """Make a tab with exactly these tasks, and return its address."""
    visitor = somebody()
    body = json_body()
    task_ids = task_numbers(body, at_most=MAX_TASKS)
    title = body.get("title")
    if not isinstance(title, str) or not 0 < len(title.strip()) <= MAX_TITLE:
        raise RequestError(f"'title' must be the tab's name, of at most {MAX_TITLE} letters.")
    view = visitor.label_studio.add_tab(project_id, title.strip(), task_ids)
    address = f"{services().settings.studio_pages_url}/projects/{project_id}/data?tab={view['id']}"
    return jsonify(address=address)
