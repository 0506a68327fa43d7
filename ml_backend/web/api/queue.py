"""The clips that are requested first: set, seen and taken back."""

import time
from typing import Any

import numpy as np
from flask import Blueprint, g, jsonify
from flask.typing import ResponseReturnValue
from numpy.typing import NDArray

from ml_backend.clip import STATES
from ml_backend.errors import RequestError
from ml_backend.loop.requested_clips import find_wanted
from ml_backend.store import Store
from ml_backend.store.queue import Wanted
from ml_backend.web.api.responses import wait
from ml_backend.web.http.body import json_body, task_numbers
from ml_backend.web.http.former_names import with_former_names
from ml_backend.web.services import services
from ml_backend.web.snapshot.background_job import Pending
from ml_backend.web.snapshot.queue_status import Asked, count

_N_NAMED = 10
_NOTHING = with_former_names(
    {
        **dict.fromkeys(("where", "task_ids", "requested_by", "requested_at", "error")),
        **dict.fromkeys(("n", "n_labeled", "n_left"), 0),
        "states": dict.fromkeys(STATES, 0),
    }
)


blueprint = Blueprint("queue", __name__)


@blueprint.get("/projects/<int:project_id>/queue")
def see_queue(project_id: int) -> ResponseReturnValue:
    """Return what is requested first, and how it stands."""
    store, asked = services().store, services().head.see(project_id)
    if isinstance(asked, Pending):
        return wait(asked.state)
    clips = store.clips.states(project_id, store.facts.embedder_at_work())
    return jsonify({**(_tell(asked) if asked else _NOTHING), "clips": clips})


@blueprint.post("/projects/<int:project_id>/queue")
def request_first(project_id: int) -> ResponseReturnValue:
    """Put clips at the head of the queue."""
    store, wanted = services().store, _read_request(json_body())
    found = _check_request(store, project_id, wanted)
    store.queue.ask(project_id, wanted)
    store.agenda.hint(project_id, now=time.time(), own=True)
    return jsonify(_tell(count(store, project_id, wanted, found)))


@blueprint.delete("/projects/<int:project_id>/queue")
def clear_queue(project_id: int) -> ResponseReturnValue:
    """Take the request back."""
    store = services().store
    store.queue.forget(project_id)
    store.agenda.hint(project_id, now=time.time(), own=True)
    return jsonify(_NOTHING)


def _tell(asked: Asked) -> dict[str, Any]:
    """Return what is requested first, how many clips that is, and how many are labeled.

    ``n`` clips are requested, ``n_labeled`` of them have a usable label, ``n_left`` are in the
    pool, and ``states`` counts each of them once; ``error`` tells why a condition, kept from
    before, no longer fits the clips.
    """
    return with_former_names({**vars(asked.wanted), **asked.counts()})


def _read_request(body: dict[str, Any]) -> Wanted:
    where, task_ids = body.get("where"), body.get("task_ids")
    if (where is None) == (task_ids is None):
        raise RequestError("The queue takes either a condition 'where' or a list 'task_ids'.")
    if where is not None and not isinstance(where, str):
        raise RequestError(f"'where' is a text such as \"salience == 1\", not {where!r:.60}.")
    visitor = g.get("visitor")
    return Wanted(
        where,
        None if task_ids is None else tuple(sorted(task_numbers(body))),
        visitor.email if visitor else "",
        time.time(),
    )


def _check_request(store: Store, project_id: int, wanted: Wanted) -> NDArray[np.int64]:
    known = set(store.clips.task_ids(project_id).tolist())
    if not known:
        raise RequestError(
            f"No clip of project {project_id} is known yet. 'earmark import' brings clips; the "
            "backend reads them within seconds."
        )
    unknown = [str(one) for one in wanted.task_ids or () if one not in known]
    if unknown:
        more = f" and {len(unknown) - _N_NAMED} more" if len(unknown) > _N_NAMED else ""
        named = ", ".join(unknown[:_N_NAMED])
        raise RequestError(f"Project {project_id} has no task {named}{more}; nothing was changed.")
    if wanted.task_ids is not None:
        return np.array(wanted.task_ids, dtype=np.int64)
    return find_wanted(store, project_id, wanted)
