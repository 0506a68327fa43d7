"""Everything that is known of one clip: ``/projects/<id>/clips/<task>``."""

from typing import Any

import numpy as np
from flask import Blueprint, abort, g, jsonify
from flask.typing import ResponseReturnValue

from ml_backend.clip import State, Task
from ml_backend.errors import LabelStudioError
from ml_backend.label_studio.annotation import read_task
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.prediction import chosen_names
from ml_backend.label_studio.user_names import UserNames
from ml_backend.metadata.table import META
from ml_backend.web.access.visitors import Visitor
from ml_backend.web.api.responses import NOT_READ, wait
from ml_backend.web.services import services
from ml_backend.web.snapshot.columns import write_set
from ml_backend.web.snapshot.packed import PackedColumn
from ml_backend.web.snapshot.snapshots import Snapshot

_UNSURE = 0.5
_FAR = 0.25
_NEAR = 0.1


blueprint = Blueprint("clip", __name__)


@blueprint.get("/projects/<int:project_id>/clips/<int:task_id>")
def clip(project_id: int, task_id: int) -> ResponseReturnValue:
    """Return everything that is known of one clip."""
    shared = services()
    snapshot = shared.snapshots.current(project_id)
    if snapshot is None:
        return wait(NOT_READ)
    task, row = shared.store.clips.find(project_id, task_id), snapshot.row_of(task_id)
    if task is None or row is None:
        abort(404, f"Project {project_id} has no task {task_id}, or it was not read yet.")
    visitor: Visitor | None = g.visitor
    project = shared.permissions.project(visitor, project_id) if visitor else None
    said = _as_last_read(snapshot, task_id)
    if task_id in snapshot.labels and visitor is not None and project is not None:
        said = _annotations(visitor, project, task_id, shared.names) or said
    address = f"{shared.settings.studio_pages_url}/projects/{project_id}/data?task={task_id}"
    return jsonify(
        **_told(task, snapshot),
        **_scores(snapshot, row, said),
        labels=_labels(snapshot, task_id),
        state=_state(snapshot, task_id),
        annotations=said,
        label_studio_url=address,
    )


def _told(task: Task, snapshot: Snapshot) -> dict[str, Any]:
    """Return what the task says of its clip."""
    data = task.data or {}
    columns = [name.removeprefix(META) for name in snapshot.kinds if name.startswith(META)]
    duration_s = data.get("duration_s")
    return {
        "task_id": task.task_id,
        "clip": str(data.get("clip") or f"Clip {task.task_id}"),
        "recording": task.recording_id,
        "duration_s": duration_s if isinstance(duration_s, int | float) else None,
        "metadata": [
            {"name": name, "value": data[name]} for name in columns if data.get(name) is not None
        ],
    }


def _scores(snapshot: Snapshot, row: int, said: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the scores of a clip, None where there are none, and why it is ranked so."""
    scores, place = snapshot.scores, snapshot.score_row(row)
    probabilities: dict[str, float] = {}
    predicted: list[str] = []
    if scores is not None and place is not None and scores.probabilities is not None:
        row_of = np.round(scores.probabilities[place], 4).tolist()
        probabilities = dict(zip(scores.class_names, row_of, strict=True))
        if scores.rule is not None:
            is_predicted = scores.rule.decide(scores.probabilities[[place]])[0]
            predicted = chosen_names(scores.class_names, is_predicted)
    told: dict[str, Any] = {
        name: _value(snapshot.columns[name], row)
        for name in ("entropy", "coverage", "disagreement", "rank")
    }
    told["probabilities"] = probabilities
    told["predicted"] = predicted
    task_id = int(snapshot.task_ids[row])
    state = _state(snapshot, task_id)
    if state == "pool":
        return {**told, "why": _why(told, snapshot)}
    by = " and ".join(one["by"] for one in said if one["kind"] == state)
    words = {
        "labeled": "Labeled: it is not asked about again.",
        "skipped": f"Skipped{f' by {by}' if by else ''}: it is not asked about again.",
        "tied": "Its annotators do not agree: equally many chose different labels. It is not "
        "trained on; whoever has not answered it is asked, and a starred annotation decides.",
        "no_label": f"Submitted without a label{f' by {by}' if by else ''}: it is not trained on, "
        "and Label Studio does not ask about it again.",
        "unreadable": f"Earmark cannot read the annotation{f' by {by}' if by else ''}: it is not "
        "trained on, and Label Studio does not ask about it again.",
        "failed": "Its audio cannot be embedded, so it is not asked about: "
        f"{snapshot.failed.get(task_id, 'nobody knows why')}",
    }
    return {**told, "why": words[state]}


def _state(snapshot: Snapshot, task_id: int) -> State:
    answer = snapshot.labels.get(task_id)
    if answer is not None:
        return answer.state
    return "failed" if task_id in snapshot.failed else "pool"


def _why(told: dict[str, Any], snapshot: Snapshot) -> str:
    """Return the words for why a clip has its rank."""
    parts = []
    likeliest = sorted(told["probabilities"], key=lambda name: -told["probabilities"][name])[:2]
    entropy, coverage = told["entropy"], told["coverage"]
    if entropy is None:
        parts.append("no classifier knows it yet")
    elif entropy >= _UNSURE and len(likeliest) > 1:
        parts.append(f"the classifier is unsure between {likeliest[0]} and {likeliest[1]}")
    elif likeliest:
        predicted = told["predicted"]
        parts.append(f"the classifier takes it for {write_set(predicted)}")
    if coverage is not None and snapshot.n_labeled:
        if coverage >= _FAR:
            parts.append("nothing labeled sounds like it")
        elif coverage <= _NEAR:
            parts.append("something labeled sounds much like it")
    words = ", and ".join(parts)
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def _value(column: PackedColumn, row: int) -> float | int | None:
    stored = int(column.stored[row])
    if stored == np.iinfo(column.stored.dtype).max:
        return None
    return stored if column.scale is None else round(stored * column.scale, 4)


def _labels(snapshot: Snapshot, task_id: int) -> list[str]:
    answer = snapshot.labels.get(task_id)
    if answer is None or not answer.labels:
        return []
    known = {name: place for place, name in enumerate(snapshot.class_names)}
    return sorted(answer.labels, key=lambda name: (known.get(name, len(known)), name))


def _as_last_read(snapshot: Snapshot, task_id: int) -> list[dict[str, Any]]:
    """Return what is known without asking Label Studio who said it."""
    answer = snapshot.labels.get(task_id)
    if answer is None:
        return []
    if answer.state == "tied":
        return []  # nobody said what all of them make together
    kind = "labels" if answer.state == "labeled" else answer.state
    labels = None if kind == "skipped" else _labels(snapshot, task_id)
    return [{"by": "annotators", "labels": labels, "is_mine": False, "kind": kind, "problems": []}]


def _annotations(
    visitor: Visitor, project: dict[str, Any], task_id: int, names: UserNames
) -> list[dict[str, Any]]:
    """Ask Label Studio who said what; an empty list where it does not answer."""
    try:
        annotations = visitor.label_studio.annotations(task_id)
        config = parse_label_config(project["label_config"])
        answers = read_task(task_id, annotations, config).by_user()
        names.learn(visitor.label_studio, set(answers) - {visitor.user_id})
    except LabelStudioError:
        return []
    return [
        {
            "by": visitor.email if who == visitor.user_id else names.name(who),
            "labels": None if answer.kind == "skipped" else sorted(answer.labels),
            "is_mine": who == visitor.user_id,
            "kind": answer.kind,
            "problems": sorted(problem.in_words() for problem in answer.problems),
        }
        for who, answer in answers.items()
    ]
