"""Asking again about clips without a usable label: ``POST /projects/<id>/again``.

Label Studio does not serve a task that has an annotation, whatever that holds. So annotations that
hold nothing are deleted, under the visitor's name and after a question; all others are kept.
"""

import time

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from ml_backend.errors import RequestError
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.web.api.annotations import somebody
from ml_backend.web.http.body import json_body
from ml_backend.web.labeling.annotation_writer import Blank, Refused, clear, refusals
from ml_backend.web.services import services

N_AT_ONCE = 40
"""Number of clips of one request: each takes Label Studio about 0.2 s."""
_STATES: tuple[Blank, ...] = ("no_label", "skipped")


blueprint = Blueprint("ask_again", __name__)


@blueprint.post("/projects/<int:project_id>/again")
def ask_again(project_id: int) -> ResponseReturnValue:
    """Clear the next clips in a state, those with numbers above ``after``.

    The answer's ``after`` goes into the next request; null says that these were the last.
    """
    visitor, shared = somebody(), services()
    body = json_body()
    state = next((one for one in _STATES if one == body.get("state")), None)
    after = body.get("after", 0)
    if state is None or type(after) is not int:
        raise RequestError(
            f"'state' is one of {', '.join(_STATES)}, and 'after' the number of a task."
        )
    found = [one.task_id for one in shared.store.labels.read(project_id) if one.state == state]
    chosen = [task_id for task_id in found if task_id > after][:N_AT_ONCE]
    project = visitor.label_studio.project(project_id)
    config = parse_label_config(project["label_config"])
    with shared.clearing.turn_of(visitor.user_id):
        answers = clear(visitor, project_id, chosen, state, config)
    shared.store.agenda.hint(project_id, now=time.time())
    return jsonify(
        task_ids=[one for one in answers if not isinstance(one, Refused)],
        refused=refusals([one for one in answers if isinstance(one, Refused)]),
        after=chosen[-1] if chosen and chosen[-1] != found[-1] else None,
    )
