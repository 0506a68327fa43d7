"""From seeing to labeling in Label Studio: a tab of the Data Manager with exactly these tasks."""

from flask import Flask, jsonify
from flask.typing import ResponseReturnValue

from ml_backend.errors import RequestError
from ml_backend.settings import Settings
from ml_backend.web.api.annotations import somebody
from ml_backend.web.http.body import json_body, task_numbers

MAX_TASKS = 5_000
"""PostgreSQL takes 5 s over a tab of so many among 100,000 tasks."""
MAX_TITLE = 100


def register(app: Flask, settings: Settings) -> None:
    """Add the route that makes tabs."""

    @app.post("/projects/<int:project_id>/tab")
    def make_tab(project_id: int) -> ResponseReturnValue:
        visitor = somebody()
        body = json_body()
        task_ids = task_numbers(body.get("task_ids"), at_most=MAX_TASKS)
        title = body.get("title")
        if not isinstance(title, str) or not 0 < len(title.strip()) <= MAX_TITLE:
            raise RequestError(f"'title' must be the tab's name, of at most {MAX_TITLE} letters.")
        view = visitor.label_studio.add_tab(project_id, title.strip(), task_ids)
        address = f"{settings.studio_pages_url}/projects/{project_id}/data?tab={view['id']}"
        return jsonify(address=address)
