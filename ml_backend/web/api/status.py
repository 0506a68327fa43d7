"""How things stand: ``/status`` for people and scripts, ``/metrics`` for Prometheus."""

from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from typing import Any

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue
from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ml_backend.clip import TaskLabels
from ml_backend.evaluation.measurements import Measurement, headline, line_of, read_measurements
from ml_backend.evaluation.stopping import assess_stopping
from ml_backend.learning.round_input import learned_version
from ml_backend.loop.pinned_version import pinned_version
from ml_backend.loop.unreadable import unread
from ml_backend.store import Store
from ml_backend.store.versions import Progress
from ml_backend.web.http.former_names import with_former_names
from ml_backend.web.services import services

_N_REASONS = 20
_N_ROUNDS = 20

blueprint = Blueprint("status", __name__)


@blueprint.get("/status")
def status() -> ResponseReturnValue:
    """Return how the embedder, the worker and all projects stand."""
    store = services().store
    embedder = store.facts.read("embedder") or {"embedder_id": None, "warning": None}
    projects = [with_former_names(describe(store, number)) for number in store.agenda.project_ids()]
    return jsonify(
        embedder=embedder["embedder_id"],
        warning=embedder["warning"],
        strategy=services().settings.strategy,
        why_no_names=embedder.get("why_no_names"),
        worker=services().report.describe(),
        projects=projects,
    )


@blueprint.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Return the metrics in the text format of Prometheus."""
    return Response(generate_latest(services().registry), mimetype="text/plain; version=0.0.4")


def describe(store: Store, project_id: int) -> dict[str, Any]:
    """Return how a project stands: clips, labels, model version, last rounds, errors.

    ``states`` counts every clip once (``clip.STATES``): its numbers add up to ``n_clips``.
    """
    labels = store.labels.read(project_id)
    return describe_measured(
        store, project_id, labels, read_measurements(store, project_id, labels)
    )


def describe_measured(
    store: Store, project_id: int, labels: Sequence[TaskLabels], measurements: list[Measurement]
) -> dict[str, Any]:
    """As ``describe``, where the labels and measurements have been read."""
    embedder_id = store.facts.embedder_at_work()
    states = store.clips.states(project_id, embedder_id)
    counts = {**store.clips.count(project_id, embedder_id), "clips": sum(states.values())}
    per_class = Tally(name for one in labels for name in one.labels or ())
    progress = store.versions.progress(project_id)
    pinned = pinned_version(store, project_id)
    is_waiting = store.agenda.is_waiting(project_id)
    description = store.agenda.description(project_id)
    return {
        "project": project_id,
        "title": description["title"],
        "n_clips": counts["clips"],
        "n_embedded": counts["embedded"],
        "n_failed": counts["failed"],
        "failed": [
            {"task": task_id, "reason": reason}
            for task_id, reason in store.clips.failed(project_id, embedder_id, limit=_N_REASONS)
        ],
        "n_labeled": states["labeled"],
        "n_skipped": states["skipped"],
        "states": states,
        "unread": unread(store, project_id),
        "labels": {name: per_class[name] for name in description["class_names"]},
        "names": store.facts.read(f"names of project {project_id}"),
        "model_version": progress.model_version if progress else None,
        "pinned": pinned,
        "n_published": progress.n_published if progress else 0,
        "n_ranked": progress.n_ranked if progress else 0,
        "n_answered_published": progress.n_answered_published if progress else 0,
        "n_answered": progress.n_answered if progress else 0,
        "is_waiting": is_waiting,
        "state": _state(counts, per_class, progress, pinned, is_waiting),
        "error": description["error"] or None,
        "accuracy": _accuracy(
            measurements,
            {name: per_class[name] for name in description["class_names"]},
            sum(one.labels is not None for one in labels),
        ),
        "rounds": [
            {name: value for name, value in vars(one).items() if name != "figures"}
            for one in store.versions.rounds(project_id, limit=_N_ROUNDS)
        ],
    }


def _accuracy(
    measurements: list[Measurement], n_per_class: dict[str, int], n_labeled: int
) -> dict[str, Any] | None:
    """Return the accuracy of the classifier, its learning curve, and whether to go on.

    All but ``history`` speaks of labels that are there; without a look that stands, ``n_labeled``
    and figures are None.
    """
    if not measurements:
        return None
    line = line_of(measurements)
    last = line[-1] if line else None
    figures = last.figures if last else {"cross_validated": None, "audit": None, "n_audit": 0}
    stopping = assess_stopping(line, n_per_class, n_labeled)
    return {
        "model_version": last.model_version if last else None,
        "n_labeled": last.n_labeled if last else None,
        "rule": figures.get("rule"),
        "pool": figures.get("pool"),
        "cross_validated": figures["cross_validated"],
        "audit": figures["audit"],
        "n_audit": figures["n_audit"],
        "curve": _points(line),
        "history": _points(one for one in reversed(measurements) if not one.stands),
        "stopping": stopping.facts(),
        "advice": stopping.words,
    }


def _points(measurements: Iterable[Measurement]) -> list[dict[str, Any]]:
    """Return what a learning curve shows of measurements."""
    figures = [(one, headline(one.figures)) for one in measurements]
    return [
        {
            "n_labeled": one.n_labeled,
            **taken["balanced_accuracy"],
            "left_out": taken.get("left_out", []),
        }
        for one, taken in figures
        if taken
    ]


def _state(
    counts: dict[str, int],
    per_class: Tally[str],
    progress: Progress | None,
    pinned: str | None,
    is_waiting: bool,
) -> str:
    """Return the words for the stage of a project."""
    n_tried = counts["embedded"] + counts["failed"]
    if not counts["clips"]:
        return "no clips yet: 'earmark import' brings them"
    if n_tried < counts["clips"]:
        return f"embedding clips: {n_tried} of {counts['clips']}"
    if progress is None:
        return "putting the clips in order"
    if pinned is not None and learned_version(progress.model_version) == pinned:
        return f"pinned to {pinned}: labels are read, and nothing is learned from them"
    if pinned is not None and is_waiting:
        return f"going back to {pinned}"
    if pinned is not None:
        return f"learning: {pinned} is to be kept to, but does not fit the clips or labels any more"
    if not per_class:
        return "no labels yet: typical clips come first, and likely ones where a name is known"
    if len(per_class) == 1:
        only = next(iter(per_class))
        return f"one class so far ({only}): clips far from the labeled ones come first"
    return "learning: uncertain clips in sparsely labeled places come first"


class ProjectMetrics(Collector):
    """Metrics of all projects, read from the store whenever Prometheus asks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what there is depends on the store."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics of all projects."""
        names = {
            "n_clips": "Clips of a project",
            "n_embedded": "Clips with an embedding",
            "n_failed": "Clips that cannot be embedded",
            "n_unheard": "The former name of earmark_failed",
            "n_labeled": "Clips with a usable label",
            "n_skipped": "Clips that annotators skipped",
            "n_published": "Clips of the current order that Label Studio has",
        }
        rows = [
            with_former_names(describe(self._store, number))
            for number in self._store.agenda.project_ids()
        ]
        for name, meaning in names.items():
            gauge = GaugeMetricFamily(f"earmark_{name[2:]}", meaning, labels=["project"])
            for row in rows:
                gauge.add_metric([str(row["project"])], row[name])
            yield gauge
        states = GaugeMetricFamily(
            "earmark_clips_by_state",
            "Clips of a project, each in one state",
            labels=["project", "state"],
        )
        for row in rows:
            for state, n_clips in row["states"].items():
                states.add_metric([str(row["project"]), state], n_clips)
        yield states
        unreadable = GaugeMetricFamily(
            "earmark_unread_annotations",
            "Annotations that are not read, or not in full",
            labels=["project"],
        )
        for row in rows:
            n_unread = sum(one["n_annotations"] for one in row["unread"])
            unreadable.add_metric([str(row["project"])], n_unread)
        yield unreadable
        last = GaugeMetricFamily(
            "earmark_round_seconds", "What the last round took", labels=["project", "step"]
        )
        for row in rows:
            for step, seconds in (row["rounds"][0]["timings_s"] if row["rounds"] else {}).items():
                last.add_metric([str(row["project"]), step], seconds)
        yield last
