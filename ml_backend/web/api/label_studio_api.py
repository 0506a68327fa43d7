"""What Label Studio asks of a backend: health, setup, predict, versions, and the webhook.

An event is only a hint: the webhook notes it and answers; the worker finds out what is true.
"""

import time
from typing import Any

from flask import Blueprint, jsonify, redirect, request
from flask.typing import ResponseReturnValue

from ml_backend.errors import RequestError
from ml_backend.label_studio.credentials import PROJECT_HEADER
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.web.http.body import MAX_REQUEST_BYTES, json_body
from ml_backend.web.http.negotiation import is_page
from ml_backend.web.services import services

_TASK_ACTIONS = {"TASKS_CREATED", "TASKS_DELETED", "START_TRAINING"}
_SINGLE_ACTIONS = {"ANNOTATION_CREATED", "ANNOTATION_UPDATED"}
_LABEL_ACTIONS = _TASK_ACTIONS | _SINGLE_ACTIONS | {"ANNOTATIONS_CREATED", "ANNOTATIONS_DELETED"}
# Publishing a version updates the project, too: its own echo must cost next to nothing.
_ACTIONS = _LABEL_ACTIONS | {
    "PROJECT_CREATED",
    "PROJECT_UPDATED",
    "PROJECT_DELETED",
    "LABEL_LINK_CREATED",
    "LABEL_LINK_UPDATED",
    "LABEL_LINK_DELETED",
}


blueprint = Blueprint("label_studio_api", __name__)


@blueprint.get("/health")
def health() -> ResponseReturnValue:
    """Return whether the backend and its worker run."""
    worker = services().report.describe(plainly=True)
    is_up = worker is None or worker["is_running"]
    # Label Studio takes any other code than 200 for "disconnected", and shows that.
    said = jsonify(status="UP" if is_up else "DOWN", model_class="Earmark", worker=worker)
    return said, 200 if is_up else 503


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """Lead people to their projects; Label Studio may ask here for the health, too."""
    return redirect("/projects") if is_page() else health()


@blueprint.post("/setup")
def setup() -> ResponseReturnValue:
    """Note that a project is connected, and return its current version."""
    store, body = services().store, json_body()
    project_id = project_number(body.get("project"))
    if body.get("schema"):
        parse_label_config(str(body["schema"]))
    store.agenda.hint(project_id, now=time.time(), labels=False)
    progress = store.versions.progress(project_id)
    is_usable = progress is not None and progress.embedder_id == store.facts.embedder_at_work()
    return jsonify(model_version=progress.model_version if progress and is_usable else None)


@blueprint.post("/predict")
def predict() -> ResponseReturnValue:
    """Return one prediction per task, in the order of the tasks."""
    body = json_body(max_bytes=MAX_REQUEST_BYTES)
    tasks = body.get("tasks")
    if not isinstance(tasks, list):
        raise RequestError("/predict takes a list under 'tasks'; there is none.")
    project_id = project_number(body.get("project"))
    label_config = body.get("label_config")
    results = services().predictor.predict(
        project_id, tasks, str(label_config) if label_config else None
    )
    return jsonify(results=results)


@blueprint.get("/versions")
def versions() -> ResponseReturnValue:
    """Return the names of a project's versions."""
    project_id = request.args.get("project")
    names = services().store.versions.names(project_number(project_id)) if project_id else []
    return jsonify(versions=names)


@blueprint.post("/webhook")
def webhook() -> ResponseReturnValue:
    """Note that a project has changed."""
    body = json_body(max_bytes=MAX_REQUEST_BYTES)
    action = body.get("action")
    if not isinstance(action, str) or action not in _ACTIONS:
        known = ", ".join(sorted(_ACTIONS))
        raise RequestError(f"The action {action!r:.60} is none of {known}; nothing was done.")
    # An event sent without its payload names the project in a header that set-up installs.
    project_id = project_number(body.get("project") or request.headers.get(PROJECT_HEADER))
    services().store.agenda.hint(
        project_id,
        now=time.time(),
        labels=action in _LABEL_ACTIONS,
        tasks=action in _TASK_ACTIONS,
        single=action in _SINGLE_ACTIONS,
    )
    return jsonify(received=action, project=project_id)


def project_number(said: Any) -> int:
    """Read a project's number, which Label Studio writes in four ways.

    Raises
    ------
    RequestError
        If it is none of them.

    Examples
    --------
    >>> project_number("7.1700000000"), project_number({"id": 7}), project_number(7)
    (7, 7, 7)
    """
    number = said.get("id") if isinstance(said, dict) else said
    text = str(number).partition(".")[0]
    if not text.isdecimal() or len(text) > 9:
        raise RequestError(f"A project is named by its number; this request says {said!r:.60}.")
    return int(text)
