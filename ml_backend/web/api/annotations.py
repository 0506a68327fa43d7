"""Labels given on the pages: ``POST /projects/<id>/annotations``, and one undo for each."""

import time

from flask import Blueprint, abort, g, jsonify
from flask.typing import ResponseReturnValue

from ml_backend.errors import LabelStudioError, RequestError
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.web.access.visitors import Visitor
from ml_backend.web.http.body import json_body, task_numbers
from ml_backend.web.labeling.annotation_writer import Refused, Written, refusals
from ml_backend.web.labeling.batch_writer import take_back_all, write_all
from ml_backend.web.services import services

TOO_LATE = "This was undone already, or too long ago; change it in Label Studio."
MAX_TASKS = 200
"""Maximum number of tasks in one request, a second or two; ``bulk.py`` takes any number."""

blueprint = Blueprint("annotations", __name__)


@blueprint.post("/projects/<int:project_id>/annotations")
def annotate(project_id: int) -> ResponseReturnValue:
    """Write the visitor's labels of tasks."""
    visitor, shared = somebody(), services()
    body = json_body()
    task_ids = task_numbers(body, at_most=MAX_TASKS, more_go=f"/projects/{project_id}/bulk")
    labels, only_unanswered = labels_of(body), body.get("only_unanswered") is True
    project = shared.permissions.project(visitor, project_id) or {}
    config = parse_label_config(str(project.get("label_config")))
    with shared.writing.turn_of(visitor.user_id):
        answers = write_all(
            visitor, project_id, task_ids, labels, config, only_unanswered=only_unanswered
        )
    written = [one for one in answers if isinstance(one, Written)]
    shared.store.agenda.hint(project_id, now=time.time(), single=len(task_ids) == 1)
    undo = shared.undos.add(visitor, project_id, written)
    answered = [one.task_id for one in answers if isinstance(one, Refused) and one.is_answered]
    return jsonify(undo=undo, n=len(written), answered=answered, refused=refusals(answers))


@blueprint.delete("/projects/<int:project_id>/annotations/<undo>")
def unannotate(project_id: int, undo: str) -> ResponseReturnValue:
    """Take back what was written under a word."""
    visitor, shared = somebody(), services()
    with shared.writing.turn_of(visitor.user_id):
        written = shared.undos.take(undo, visitor, project_id)
        if written is None:
            abort(404, TOO_LATE)
        try:
            answers = take_back_all(visitor, project_id, written)
        except LabelStudioError:
            shared.undos.put_back(undo, visitor, project_id, written)
            raise
        refused = [one for one in answers if isinstance(one, Refused)]
        again = {one.task_id for one in refused if one.may_work_again}
        left = [one for one in written if one.task_id in again]
        shared.undos.put_back(undo, visitor, project_id, left)
    shared.store.agenda.hint(project_id, now=time.time(), single=len(written) == 1)
    n_undone = sum(isinstance(one, Written) for one in answers)
    return jsonify(n=n_undone, refused=refusals(answers))


def somebody() -> Visitor:
    """Return the visitor; with the secret alone, nothing is done in anybody's name."""
    visitor: Visitor | None = g.visitor
    if visitor is None:
        abort(403, "This is done in Label Studio under a person's name; sign in at /sign-in.")
    return visitor


def labels_of(body: dict[str, object]) -> list[str] | None:
    """Read the labels; null says "cannot tell"."""
    labels = body.get("labels", [])
    if labels is None:
        return None
    if not isinstance(labels, list) or not all(isinstance(name, str) for name in labels):
        raise RequestError("'labels' must be a list of labels, or null for \"cannot tell\".")
    return labels
