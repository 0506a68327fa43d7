"""Who said what: labels counted by annotator, kept with the project for its progress page."""

from collections.abc import Iterable, Mapping
from typing import Any

from ml_backend.errors import LabelStudioError
from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.annotation import Reading, count_by_annotator
from ml_backend.store import Store


class Annotators:
    """Keeps the counts of every project; asks Label Studio for a name once."""

    def __init__(self, store: Store, label_studio: LabelStudio) -> None:
        self._store = store
        self._label_studio = label_studio
        self._names: dict[int, str] = {}

    def note(self, project_id: int, readings: Iterable[Reading]) -> None:
        """Count what a project's annotators said."""
        counts = count_by_annotator(readings)
        self._learn_names(set(counts) - self._names.keys())
        told = [
            {"name": self._names.get(user_id, f"annotator {user_id}"), **vars(count)}
            for user_id, count in sorted(counts.items())
        ]
        self._store.facts.write(_fact(project_id), told)

    def _learn_names(self, unknown: set[int]) -> None:
        if not unknown:
            return
        try:
            users = self._label_studio.users()
        except LabelStudioError:
            return  # a number is a name, too
        self._names |= dict.fromkeys(unknown, "somebody who is gone")
        self._names |= {int(user["id"]): _name(user) for user in users}


def annotators(store: Store, project_id: int) -> list[dict[str, Any]]:
    """List a project's annotators as last read.

    Each is ``name``, ``n_clips`` that were answered, ``n_skipped``, ``n_no_label``,
    ``n_unreadable`` and ``labels`` by class.
    """
    return store.facts.read(_fact(project_id)) or []


def _fact(project_id: int) -> str:
    return f"annotators of project {project_id}"


def _name(user: Mapping[str, Any]) -> str:
    """Give a person's name; without one, the address they log in with."""
    parts = (user.get("first_name"), user.get("last_name"))
    return " ".join(filter(None, parts)) or user.get("email") or f"annotator {user['id']}"
