"""Labels counted by annotator, stored with the project for its progress page."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from ml_backend.errors import LabelStudioError
from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.annotation import Reading, count_by_annotator
from ml_backend.label_studio.user_names import UserNames
from ml_backend.store import Store


class Annotators:
    """Stores the counts of every project, with the annotators' names."""

    def __init__(self, store: Store, label_studio: LabelStudio) -> None:
        self._store = store
        self._label_studio = label_studio
        self._names = UserNames()

    def note(self, project_id: int, readings: Iterable[Reading]) -> None:
        """Count and store the labels of a project's annotators."""
        counts = count_by_annotator(readings)
        with suppress(LabelStudioError):  # the number is shown instead of the name
            self._names.learn(self._label_studio, set(counts))
        rows = [
            {"name": self._name(user_id), **vars(count)}
            for user_id, count in sorted(counts.items())
        ]
        self._store.facts.write(_fact(project_id), rows)

    def _name(self, user_id: int) -> str:
        if self._names.is_unlisted(user_id):
            return "somebody who is gone"
        return self._names.name(user_id)


def annotators(store: Store, project_id: int) -> list[dict[str, Any]]:
    """List a project's annotators as last read.

    Each has ``name``, ``n_clips`` (answered), ``n_skipped``, ``n_no_label``, ``n_unreadable`` and
    ``labels`` by class.
    """
    return store.facts.read(_fact(project_id)) or []


def _fact(project_id: int) -> str:
    return f"annotators of project {project_id}"
