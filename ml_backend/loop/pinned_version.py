"""Pin an earlier version: it becomes current again, and training is suspended.

The store holds the name of the pinned version; every round reads it and applies it if possible. The
round reads labels and tasks as usual, but uses the pinned classifier instead of training one. The
other steps are the same: the classifier ranks the clips, away from all labeled ones; new clips are
ranked; the rest is published and superseded predictions are deleted. Once nothing is pinned, the
input of the next round results in another version.

A ranking by a pinned classifier differs from the earlier one, and Label Studio cannot distinguish
two predictions of one version: it would serve by the lower of both scores, and deleting takes 10 ms
each. Therefore such a ranking has its own name, ``pinned version + state``.
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
    """Return the name of a project's pinned version; None if none is pinned."""
    name: str | None = store.facts.read(_fact(project_id))
    return name


def pin(store: Store, project_id: int, model_version: str | None, *, now: float) -> str | None:
    """Pin a version from the next round on, or (None) unpin it and resume training.

    Returns the name of the pinned version: of those that share its classifier, the trained one.

    Raises
    ------
    RequestError
        If the version does not exist, has no classifier, or no longer fits the project.
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
    """Return the pinned version; None if nothing is pinned, or it no longer fits the project."""
    name = pinned_version(store, project_id)
    version = store.versions.find(project_id, name) if name else None
    if version is None or version.classifier is None:
        return None
    classifier = Classifier.from_arrays(version.classifier)
    reason = _why_not(version, config.class_names, embedder_id)
    if not reason and classifier.multi_label != config.multi_label:
        reason = "it was trained with another number of labels per clip"
    if not reason and classifier.needs_prior and not has_prior:
        reason = "it uses the prior of AudioSet's names, which is not available now"
    if reason:
        log.warning("project %d: %s is pinned, but %s; training anew", project_id, name, reason)
        return None
    return Pinned(version.model_version, classifier)


def _why_not(version: Version, class_names: tuple[str, ...], embedder_id: str) -> str | None:
    if version.classifier is None:
        return "it has no classifier"
    if version.embedder_id != embedder_id:
        return (
            f"it needs embeddings of {version.embedder_id}, the clips have those of {embedder_id}"
        )
    if tuple(version.classifier["class_names"].tolist()) != class_names:
        return "its labels are not those of the label config"
    return None


def _fact(project_id: int) -> str:
    return f"pinned version of project {project_id}"
