"""Label and go on: which clips a visitor labels next, ``POST /projects/<id>/label/next``.

The order is that of the current version, as Label Studio's queue has it, behind the ties that the
visitor can decide and the clips that others have begun. Left out are clips that have all the
annotations that are wanted, clips that this visitor has answered, both as Label Studio knows them
at this moment, and clips that somebody else holds. Where a page asks for ``ties`` alone, it gets
them all, and last those that the visitor has answered.

A page holds the clips that it has made ready, by a lease that each of its requests renews and its
leaving ends (``leases.py``). Those that come next are locked in Label Studio, too, where its own
labeling page serves the first of the same order: what somebody has open there is left out here, and
the other way round.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from numpy.typing import NDArray

from ml_backend.clip import TaskLabels
from ml_backend.errors import LabelStudioError, RequestError
from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.annotation import build_result
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.store import Store
from ml_backend.web.access.visitors import Visitor
from ml_backend.web.api.annotations import somebody
from ml_backend.web.http.body import json_body, task_numbers
from ml_backend.web.services import services

N_AHEAD = 8
"""Number of clips that a page holds: sounds and pictures of the first few are made ready."""
MAX_MINE = 1000
_N_ASKED = 24


blueprint = Blueprint("label_queue", __name__)


@blueprint.post("/projects/<int:project_id>/label/next")
def label_next(project_id: int) -> ResponseReturnValue:
    """Return the clips that the visitor labels next, held for this page."""
    visitor, body, shared = somebody(), json_body(), services()
    store, leases = shared.store, shared.leases
    holder = (visitor.user_id, _tab(body.get("tab")))
    ahead = task_numbers(body, "ahead", at_most=N_AHEAD, may_be_empty=True)
    mine = task_numbers(body, "mine", at_most=MAX_MINE, may_be_empty=True)
    project = shared.permissions.project(visitor, project_id) or {}
    config = parse_label_config(str(project.get("label_config")))
    build_result(config.class_names[:1], config)  # raises where pages cannot label
    progress = store.versions.progress(project_id)
    version = progress.model_version if progress else None
    n_wanted = int(project.get("maximum_annotations") or 1)
    is_deciding = body.get("ties") is True
    told = {
        "model_version": version,
        "class_names": config.class_names,
        "hotkeys": config.hotkeys,
        "multi_label": config.multi_label,
        "is_blind": is_deciding or not project.get("show_collab_predictions", True),
    }

    @cache  # a page whose order stands seldom needs them
    def read_answers() -> dict[int, TaskLabels]:
        return {one.task_id: one for one in store.labels.read(project_id)}

    def take(task_id: int) -> bool:
        if is_deciding:  # so do those who have answered it, to whom Label Studio gives no lock
            return True
        with suppress(LabelStudioError):  # busy: two with one clip are better than none
            is_theirs = visitor.label_studio.data_manager.take(project_id, task_id)
            return is_theirs or (n_wanted == 1 and task_id in _ties(read_answers()))
        return True

    if version == body.get("model_version") and len(ahead) >= N_AHEAD // 2:
        clips = leases.hold(project_id, holder, mine, ahead, n=N_AHEAD)
        return jsonify(**told, clips=leases.lock(project_id, holder, clips, take))
    held = leases.of_others(project_id, holder)
    answers = read_answers()
    ties = _ties(answers)
    order = np.array(ties) if is_deciding else _open_order(store, project_id, n_wanted, answers)
    order = order[~np.isin(order, [*held, *mine])]
    # The next clip is ready to be heard: it stays the next one, whatever the order is by now.
    kept = [one for one in ahead[:1] if one not in held]
    wanted = [*kept, *order[~np.isin(order, kept)].tolist()]
    if is_deciding:
        clips = _to_decide(wanted, visitor, project_id)
    else:
        clips = first_open(
            wanted,
            2 * N_AHEAD,
            visitor.label_studio,
            project_id,
            visitor.user_id,
            lambda one: answers[one].n_wanted(n_wanted) if one in answers else n_wanted,
        )
    clips = leases.hold(project_id, holder, mine, clips, n=N_AHEAD)
    clips = leases.lock(project_id, holder, clips, take)
    return jsonify(**told, clips=clips, ties=ties, n_left=len(order), n_held=len(held))


@blueprint.delete("/projects/<int:project_id>/label/next/<tab>")
def leave(project_id: int, tab: str) -> ResponseReturnValue:
    """Release what a page that is left holds."""
    services().leases.release(project_id, (somebody().user_id, _tab(tab)))
    return "", 204


def first_open(
    order: Sequence[int],
    n: int,
    label_studio: LabelStudio,
    project_id: int,
    user_id: int,
    n_wanted_of: Callable[[int], int],
) -> list[int]:
    """Return the first clips that a user may still answer, as Label Studio knows them now.

    Parameters
    ----------
    order : sequence of int
        Task numbers, best first.
    n : int
        Maximum number of clips.
    label_studio, project_id, user_id
        Who asks, and of what.
    n_wanted_of : callable
        Gives the number of annotators wanted for a clip.

    Raises
    ------
    LabelStudioError
        If Label Studio does not tell who has answered them.
    """
    found: list[int] = []
    start, n_asked = 0, _N_ASKED
    while len(found) < n and start < len(order):
        chunk = order[start : start + n_asked]
        annotators = label_studio.data_manager.annotators(project_id, chunk)
        found += [
            one
            for one in chunk
            if one in annotators
            and user_id not in annotators[one]
            and len(annotators[one]) < n_wanted_of(one)
        ]
        start, n_asked = start + n_asked, 2 * n_asked
    return found[:n]


def _open_order(
    store: Store, project_id: int, n_wanted: int, answers: Mapping[int, TaskLabels]
) -> NDArray[np.int64]:
    """Return the current order behind the clips that lack some answers, ties before all others.

    Label Studio's queue, too, completes what others have begun before anything else.
    """
    version = store.versions.current(project_id)
    if version is None or version.ranking is None:
        return np.empty(0, dtype=np.int64)
    order = version.ranking["task_ids"].astype(np.int64)
    is_answered = np.isin(order, list(answers))
    begun = [
        one
        for one in order[is_answered].tolist()
        if answers[one].n_annotators < n_wanted and answers[one].state != "tied"
    ]
    ties = [
        task_id
        for task_id in _ties(answers)
        if answers[task_id].n_annotators < answers[task_id].n_wanted(n_wanted)
    ]
    return np.array([*ties, *begun, *order[~is_answered].tolist()], dtype=np.int64)


def _ties(answers: Mapping[int, TaskLabels]) -> list[int]:
    return [task_id for task_id, one in answers.items() if one.state == "tied"]


def _to_decide(task_ids: Sequence[int], visitor: Visitor, project_id: int) -> list[int]:
    """Return the ties that are still there, those first that the visitor has not answered."""
    annotators = visitor.label_studio.data_manager.annotators(project_id, task_ids)
    there = [one for one in task_ids if one in annotators]
    return sorted(there, key=lambda one: visitor.user_id in annotators[one])


def _tab(said: Any) -> str:
    if not isinstance(said, str) or not 0 < len(said) <= 64:
        raise RequestError("'tab' must be a word by which this page is known again.")
    return said
