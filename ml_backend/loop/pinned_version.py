"""Making an earlier version current again: it is pinned, and learning waits.

The pinned version is a wish, kept in the store; every round reads it anew and honors it if it can.
A round then reads labels and tasks as ever, but uses the pinned classifier instead of training one.
All else follows: clips are ranked by it, away from everything labeled meanwhile; new clips get
their rank; the rest is published and superseded predictions are deleted as after any round. Once
nothing is pinned, the next round finds that the input leads to another version.

An order made with a pinned classifier is not the earlier one, and Label Studio cannot tell two
predictions of one version apart: it would serve by the lower of both scores, and deleting takes it
10 ms each. So such an order has a name of its own, ``pinned version + state``.
"""

import logging

from ml_backend.errors import RequestError
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.learning.classifier import Classifier
from ml_backend.learning.round_input import Pinned, learned_version
from ml_backend.store import Store
from ml_backend.store.versions import Version

log = logging.getLogger(__name__)


def pinned_version(store: Store, project_id: int) -> str | None:
    """Name the version that a project is to keep to; None where it goes on learning."""
    name: str | None = store.facts.read(_fact(project_id))
    return name


def pin(store: Store, project_id: int, model_version: str | None, *, now: float) -> str | None:
    """Keep a project to a version from the next round on, or (None) let it go on learning.

    Returns the version pinned, which is the learned one of those that share its classifier.

    Raises
    ------
    RequestError
        If there is no such version, it has no classifier, or it does not fit the project any more.
    """
    if model_version is not None:
        model_version = learned_version(model_version)
        version = store.versions.find(project_id, model_version)
        if version is None:
            raise RequestError(f"Project {project_id} has no version {model_version!r:.80}.")
        class_names = tuple(store.agenda.description(project_id)["class_names"])
        embedder_id = store.facts.embedder_at_work()
        reason = _why_not(version, class_names, embedder_id)
        if reason:
            raise RequestError(f"{model_version} cannot be made current again: {reason}.")
    store.facts.write(_fact(project_id), model_version)
    store.agenda.hint(project_id, now=now, own=True)
    return model_version


def find_pinned(
    store: Store, project_id: int, config: LabelConfig, embedder_id: str, *, has_prior: bool
) -> Pinned | None:
    """Open the pinned version; None where nothing is pinned, or it does not fit (any more)."""
    name = pinned_version(store, project_id)
    version = store.versions.find(project_id, name) if name else None
    if version is None or version.classifier is None:
        return None
    classifier = Classifier.from_arrays(version.classifier)
    reason = _why_not(version, config.class_names, embedder_id)
    if not reason and classifier.multi_label != config.multi_label:
        reason = "it learned with another number of labels per clip"
    if not reason and classifier.needs_prior and not has_prior:
        reason = "it reads what AudioSet makes of class names, which is not known now"
    if reason:
        log.warning("project %d: %s is pinned, but %s; learning on", project_id, name, reason)
        return None
    return Pinned(version.model_version, classifier)


def _why_not(version: Version, class_names: tuple[str, ...], embedder_id: str) -> str | None:
    if version.classifier is None:
        return "it was made before there was a classifier"
    if version.embedder_id != embedder_id:
        return (
            f"it reads embeddings of {version.embedder_id}, the clips have those of {embedder_id}"
        )
    if tuple(version.classifier["class_names"].tolist()) != class_names:
        return "it knows other labels than the label config asks for"
    return None


def _fact(project_id: int) -> str:
    return f"pinned version of project {project_id}"
