"""The progress page: how far a project has come, how good it is, what to look at.

The page is drawn on the server and reads without a script; ``static/progress_page.js`` only
fetches it again now and then. What it shows is read from the store: rounds have worked it out.
"""

import time
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, request
from flask.typing import ResponseReturnValue

from ml_backend.clip import STATES
from ml_backend.errors import RequestError
from ml_backend.evaluation.intervals import spell, spell_estimate
from ml_backend.evaluation.measurements import Measurement, headline, line_of, read_measurements
from ml_backend.learning.round_input import learned_version
from ml_backend.loop.annotator_stats import annotators
from ml_backend.loop.pinned_version import pin
from ml_backend.store import Store
from ml_backend.store.versions import Round
from ml_backend.web.api.status import describe_measured
from ml_backend.web.http.body import json_body
from ml_backend.web.http.former_names import with_former_names
from ml_backend.web.pages.confusion_matrix import Matrix, lay_out_matrix
from ml_backend.web.pages.curve import Drawing, draw_curve
from ml_backend.web.pages.map_links import map_of_clips, map_of_filter
from ml_backend.web.pages.static_files import render_page
from ml_backend.web.pages.where_to_filters import map_of_left
from ml_backend.web.services import services
from ml_backend.web.snapshot.background_job import Pending
from ml_backend.web.snapshot.columns import write_set
from ml_backend.web.snapshot.queue_status import Asked

blueprint = Blueprint("progress", __name__)
blueprint.add_app_template_filter(write_set, "label_set")
blueprint.add_app_template_filter(spell)


@blueprint.get("/projects/<int:project_id>")
def progress_page(project_id: int) -> ResponseReturnValue:
    """Return the page."""
    store = services().store
    told = tell_progress(store, project_id)
    asked = services().head.see(project_id)
    page = render_page(
        "progress.html",
        project_id,
        here="progress",
        told=told,
        drawing=_drawing(told["accuracy"]),
        states=STATES,
        matrix=_matrix(project_id, told),
        asked=asked if isinstance(asked, Asked) else None,
        is_counting=isinstance(asked, Pending),
        map_of_left=lambda one: map_of_left(project_id, one, store.sheets.kinds(project_id)),
        map_of_clips=lambda task_ids: map_of_clips(project_id, task_ids),
        map_of_filter=lambda **filters: map_of_filter(project_id, **filters),
    )
    answer = Response(page, mimetype="text/html")
    answer.add_etag()
    return answer.make_conditional(request)


@blueprint.get("/projects/<int:project_id>/progress")
def progress(project_id: int) -> ResponseReturnValue:
    """Return the figures of the page as JSON."""
    return jsonify(with_former_names(tell_progress(services().store, project_id)))


@blueprint.post("/projects/<int:project_id>/version")
def set_version(project_id: int) -> ResponseReturnValue:
    """Pin an earlier version, or go on learning."""
    is_form = request.mimetype == "application/x-www-form-urlencoded"
    wanted = request.form.get("model_version") if is_form else _wanted(json_body())
    pinned = pin(services().store, project_id, wanted or None, now=time.time())
    if is_form:
        return redirect(f"/projects/{project_id}#versions", 303)
    return jsonify(with_former_names({"pinned": pinned}))


def tell_progress(store: Store, project_id: int) -> dict[str, Any]:
    """Return what the page shows: ``describe`` (``status.py``) and what goes into more detail.

    ``confusion`` and ``suspects`` are as in ``label_errors.py``, of the same look as ``accuracy``.
    """
    labels = store.labels.read(project_id)
    measurements = read_measurements(store, project_id, labels)
    line = line_of(measurements)
    figures = line[-1].figures if line else {}
    told = describe_measured(store, project_id, labels, measurements)
    embedder = store.facts.read("embedder") or {}
    return {
        **told,
        "warning": embedder.get("warning"),
        "why_no_names": embedder.get("why_no_names"),
        "annotators": annotators(store, project_id),
        "confusion": figures.get("confusion"),
        "suspects": [
            {**one, "clip": _clip_name(store, project_id, one["task_id"])}
            for one in figures.get("suspects") or []
        ],
        "versions": _versions(store, project_id, measurements, told),
    }


def _drawing(accuracy: dict[str, Any] | None) -> Drawing | None:
    return draw_curve(accuracy["curve"], accuracy["history"]) if accuracy else None


def _matrix(project_id: int, told: dict[str, Any]) -> Matrix | None:
    if not told["confusion"]:
        return None
    return lay_out_matrix(project_id, told["confusion"], told["accuracy"]["n_labeled"])


def _versions(
    store: Store, project_id: int, measurements: list[Measurement], told: dict[str, Any]
) -> list[dict[str, Any]]:
    """List what can be made current again, and what is current, newest first.

    ``has_classifier`` is false of a version from which nothing could be learned;
    ``is_history`` tells that labels it was measured with were taken back since.
    """
    usable = store.versions.with_classifier(project_id)
    current = learned_version(told["model_version"] or "")
    measured = {one.model_version: one for one in reversed(measurements)}  # the last of each
    listed: dict[str, dict[str, Any]] = {}
    rounds: list[Round | Measurement] = [*store.versions.rounds(project_id), *measurements]
    for one in sorted(rounds, key=lambda one: one.number, reverse=True):
        name = one.model_version
        if name in listed or name != learned_version(name):
            continue
        if name in usable or name == current:
            listed[name] = _version(name, one.finished_at, one.n_labeled)
    if current and current not in listed:  # its round is far back, or was cut short
        progress = store.versions.progress(project_id)
        made_at = progress.created_at if progress else 0.0
        listed = {current: _version(current, made_at, None), **listed}
    for name, entry in listed.items():
        look = measured.get(name)
        figures = headline(look.figures) if look else None
        entry |= {
            "balanced_accuracy": figures["balanced_accuracy"] if figures else None,
            "left_out": figures.get("left_out", []) if figures else [],
            "is_current": name == current,
            "is_pinned": name == told["pinned"],
            "has_classifier": name in usable,
            "is_history": look is not None and not look.stands and name != current,
        }
    return list(listed.values())


def _version(name: str, made_at: float, n_labeled: int | None) -> dict[str, Any]:
    return {"model_version": name, "made_at": made_at, "n_labeled": n_labeled}


def _clip_name(store: Store, project_id: int, task_id: int) -> str:
    task = store.clips.find(project_id, task_id)
    name = (task.data or {}).get("clip") if task else None
    return str(name or f"task {task_id}")


def _wanted(body: dict[str, Any]) -> str | None:
    wanted = body.get("model_version", 0)
    if wanted is not None and not (wanted and isinstance(wanted, str)):
        raise RequestError(
            "'model_version' takes the name of a version, or null to go on learning; "
            f"this request says {wanted!r:.60}."
        )
    return wanted


@blueprint.app_template_filter("moment")
def _moment(seconds: float) -> str:
    """Write a time for machines, which scripts turn into the visitor's own."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@blueprint.app_template_filter("share")
def _share(estimate: dict[str, float] | None) -> str:
    """Write a figure with its interval."""
    return spell_estimate(estimate) if estimate else "–"
