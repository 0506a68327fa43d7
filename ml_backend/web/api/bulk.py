"""Labels for any number of clips, and their undo: done in the background, piece by piece.

``POST /projects/<id>/bulk`` begins, ``GET`` tells how far it is, ``DELETE`` stops it. It goes on
when the page is closed; whoever comes back finds it in the list of theirs.
"""

import time

from flask import Blueprint, abort, g, jsonify
from flask.typing import ResponseReturnValue

from ml_backend.label_studio.annotation import build_result
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.web.access.visitors import Visitor
from ml_backend.web.api.annotations import TOO_LATE, labels_of, somebody
from ml_backend.web.http.body import json_body, task_numbers
from ml_backend.web.labeling.annotation_writer import Refused, Written
from ml_backend.web.labeling.batch_writer import AT_ONCE, take_back_all, write_all
from ml_backend.web.labeling.bulks import Bulk
from ml_backend.web.services import services

MAX_TASKS = 100_000
PAUSE_S = 0.05
"""Pause between pieces, so that what else the visitor does, and others do, has its turn."""

blueprint = Blueprint("bulk", __name__)


@blueprint.post("/projects/<int:project_id>/bulk")
def begin(project_id: int) -> ResponseReturnValue:
    """Begin to label clips, or to undo what was written under a word."""
    visitor, body, shared = somebody(), json_body(), services()
    if isinstance(body.get("undo"), str):
        return jsonify(_begin_undo(visitor, project_id, str(body["undo"])).facts())
    task_ids = task_numbers(body, at_most=MAX_TASKS)
    labels, only_unanswered = labels_of(body), body.get("only_unanswered") is True
    project = shared.permissions.project(visitor, project_id) or {}
    config = parse_label_config(str(project.get("label_config")))
    build_result(labels if labels is not None else config.class_names[:1], config)

    def label(bulk: Bulk) -> None:
        for start in range(0, len(task_ids), AT_ONCE):
            if bulk.is_stopped:
                return
            piece = task_ids[start : start + AT_ONCE]
            with shared.writing.turn_of(visitor.user_id, is_patient=True):
                answers = write_all(
                    visitor, project_id, piece, labels, config, only_unanswered=only_unanswered
                )
                written = [one for one in answers if isinstance(one, Written)]
                bulk.undo = shared.undos.add(visitor, project_id, written, bulk.undo)
            bulk.count(answers)
            shared.store.agenda.hint(project_id, now=time.time())
            time.sleep(PAUSE_S)

    whose = (visitor.user_id, project_id)
    bulk = shared.bulks.start(whose, len(task_ids), label, is_undo=False, labels=labels)
    return jsonify(bulk.facts())


@blueprint.get("/projects/<int:project_id>/bulk")
def list_begun(project_id: int) -> ResponseReturnValue:
    """List the visitor's bulks; ``undo`` is null where it was used, or is too old."""
    visitor: Visitor | None = g.visitor
    if visitor is None:
        return jsonify([])
    shared = services()
    listed = [one.facts() for one in shared.bulks.of((visitor.user_id, project_id))]
    for facts in listed:
        if not shared.undos.holds(str(facts["undo"]), visitor, project_id):
            facts["undo"] = None
    return jsonify(listed)


@blueprint.get("/projects/<int:project_id>/bulk/<word>")
def tell(project_id: int, word: str) -> ResponseReturnValue:
    """Return how far a bulk is."""
    return jsonify(_find(project_id, word).facts())


@blueprint.delete("/projects/<int:project_id>/bulk/<word>")
def stop(project_id: int, word: str) -> ResponseReturnValue:
    """Stop a bulk after the piece at work."""
    somebody()
    found = _find(project_id, word)
    found.is_stopped = True
    return jsonify(found.facts())


def _find(project_id: int, word: str) -> Bulk:
    visitor: Visitor | None = g.visitor
    found = services().bulks.find(word, (visitor.user_id, project_id)) if visitor else None
    if found is None:
        abort(404, "The backend does not know of it; it was restarted, or it is long over.")
    return found


def _begin_undo(visitor: Visitor, project_id: int, word: str) -> Bulk:
    shared = services()
    written = shared.undos.take(word, visitor, project_id)
    if written is None:
        abort(404, TOO_LATE)

    def take_back(bulk: Bulk) -> None:
        left = list(written)
        again: list[Written] = []
        try:
            while left:
                piece = left[:AT_ONCE]
                with shared.writing.turn_of(visitor.user_id, is_patient=True):
                    answers = take_back_all(visitor, project_id, piece)
                del left[: len(piece)]
                refused = [one for one in answers if isinstance(one, Refused)]
                stuck = {one.task_id for one in refused if one.may_work_again}
                again += [one for one in piece if one.task_id in stuck]
                bulk.count(answers)
                shared.store.agenda.hint(project_id, now=time.time())
                time.sleep(PAUSE_S)
        finally:
            shared.undos.put_back(word, visitor, project_id, again + left)

    whose = (visitor.user_id, project_id)
    return shared.bulks.start(whose, len(written), take_back, is_undo=True)
