"""Annotations that Earmark cannot read, counted by problem, with the remedy.

They are stored with the project: no annotation is left out silently.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ml_backend.label_studio.annotation import Reading
from ml_backend.label_studio.answer import Problem
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.store import Store

N_NAMED = 200


@dataclass(frozen=True)
class Notice:
    """One problem of some annotations, in words; ``task_ids`` holds their first clips."""

    n_annotations: int
    text: str
    task_ids: tuple[int, ...]


def find_unread(readings: Iterable[Reading], config: LabelConfig) -> list[Notice]:
    """Find the problems of the latest annotation of every annotator of each task.

    Returns
    -------
    list of Notice
        The most frequent problem first.

    Examples
    --------
    >>> from ml_backend.label_studio.annotation import read_annotations
    >>> config = LabelConfig(("siren", "other"), False, "sound", "audio", "choices", "audio")
    >>> said = {"from_name": "label", "value": {"choices": ["siren"]}}
    >>> exported = [{"id": 7, "annotations": [{"id": 1, "result": [said]}]}]
    >>> (notice,) = find_unread(read_annotations(exported, config), config)
    >>> notice.text.partition(".")[0]
    "1 annotation uses the control 'label'; Earmark reads 'sound'"
    """
    task_ids: dict[Problem, list[int]] = defaultdict(list)
    for reading in readings:
        for answer in reading.answers.values():
            for problem in answer.problems:
                task_ids[problem].append(reading.labels.task_id)
    by_number = sorted(task_ids.items(), key=lambda one: (-len(one[1]), one[0].kind, one[0].name))
    return [
        Notice(len(ids), _text(problem, len(ids), config), tuple(sorted(set(ids))[:N_NAMED]))
        for problem, ids in by_number
    ]


def note_unread(
    store: Store, project_id: int, readings: Iterable[Reading], config: LabelConfig
) -> None:
    """Store the problems of a project's annotations."""
    found = [vars(one) for one in find_unread(readings, config)]
    store.facts.write(_fact(project_id), found)


def unread(store: Store, project_id: int) -> list[dict[str, Any]]:
    """List the problems of a project's annotations, each a ``Notice`` as a dict."""
    return store.facts.read(_fact(project_id)) or []


def _text(problem: Problem, n: int, config: LabelConfig) -> str:
    subject = f"{n:,} annotation{'' if n == 1 else 's'} {problem.in_words(several=n != 1)}"
    asked = config.control
    if problem.kind == "control":
        return (
            f"{subject}; Earmark reads '{config.from_name}'. Name the control of the label config "
            f"'{problem.name}', or import the annotations again with 'from_name': "
            f"'{config.from_name}'."
        )
    if problem.kind == "label":
        return (
            f"{subject}. Add the label to the label config again, or label these clips anew; "
            "labels beside it count."
        )
    if problem.kind == "several":
        return f"{subject}. Label these clips anew."
    return (
        f"{subject}. Scripts write {{'{asked}': ['{config.class_names[0]}']}} as the value; "
        "import the annotations again, or label these clips anew."
    )


def _fact(project_id: int) -> str:
    return f"unread of project {project_id}"
