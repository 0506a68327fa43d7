"""Labels given on the pages: ``POST /projects/<id>/annotations``, and one undo for each."""

import time
from collections.abc import Sequence

from flask import Flask, abort, g, jsonify
from flask.typing import ResponseReturnValue

from ml_backend.errors import LabelStudioError, RequestError
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.store import Store
from ml_backend.web.access.user_lock import OneByOne
from ml_backend.web.access.visitors import Permissions, Visitor
from ml_backend.web.api.annotation_writer import Refused, Written
from ml_backend.web.api.batch_writer import take_back_all, write_all
from ml_backend.web.api.undos import Undos
from ml_backend.web.http.body import json_body, task_numbers

TOO_LATE = "This was undone already, or too long ago; change it in Label Studio."
MAX_TASKS = 200
"""So many in one request, which takes a second or two; any number goes through ``bulk.py``."""


def register(
    app: Flask, store: Store, permissions: Permissions, undos: Undos, one_by_one: OneByOne
) -> None:
    """Add the routes that write labels and take them back."""

    @app.post("/projects/<int:project_id>/annotations")
    def annotate(project_id: int) -> ResponseReturnValue:
        visitor = somebody()
        body = json_body()
        task_ids = task_numbers(
            body.get("task_ids"), at_most=MAX_TASKS, more_go=f"/projects/{project_id}/bulk"
        )
        labels, only_unanswered = labels_of(body), body.get("only_unanswered") is True
        project = permissions.project(visitor, project_id) or {}
        config = parse_label_config(str(project.get("label_config")))
        with one_by_one.turn_of(visitor.user_id):
            answers = write_all(
                visitor, project_id, task_ids, labels, config, only_unanswered=only_unanswered
            )
        written = [one for one in answers if isinstance(one, Written)]
        store.agenda.hint(project_id, now=time.time(), single=len(task_ids) == 1)
        undo = undos.add(visitor, project_id, written)
        answered = [one.task_id for one in answers if isinstance(one, Refused) and one.is_answered]
        return jsonify(undo=undo, n=len(written), answered=answered, refused=refusals(answers))

    @app.delete("/projects/<int:project_id>/annotations/<undo>")
    def unannotate(project_id: int, undo: str) -> ResponseReturnValue:
        visitor = somebody()
        with one_by_one.turn_of(visitor.user_id):
            written = undos.take(undo, visitor, project_id)
            if written is None:
                abort(404, TOO_LATE)
            try:
                answers = take_back_all(visitor, project_id, written)
            except LabelStudioError:
                undos.put_back(undo, visitor, project_id, written)
                raise
            refused = [one for one in answers if isinstance(one, Refused)]
            again = {one.task_id for one in refused if one.may_work_again}
            undos.put_back(undo, visitor, project_id, [w for w in written if w.task_id in again])
        store.agenda.hint(project_id, now=time.time(), single=len(written) == 1)
        n_undone = sum(isinstance(one, Written) for one in answers)
        return jsonify(n=n_undone, refused=refusals(answers))


def somebody() -> Visitor:
    """Give the visitor; with the secret alone, nothing is done in anybody's name."""
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


def refusals(answers: Sequence[Written | Refused]) -> list[dict[str, object]]:
    """Give what was refused, for JSON."""
    return [
        {"task_id": one.task_id, "reason": one.reason, "may_work_again": one.may_work_again}
        for one in answers
        if isinstance(one, Refused) and not one.is_answered
    ]
