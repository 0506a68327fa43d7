"""From Label Studio's annotations to labels: what people said of each clip, taken together.

Of every annotator the latest annotation counts; drafts are not annotations. Those that hold labels
vote: most votes win, and what is tied is left out. Annotations with a star (ground truth) that hold
labels decide over all others, and vote among themselves. Where no annotation holds a label, the
clip is unreadable if one of them is (``answer.py``), else submitted without a label if one was,
else skipped ("cannot tell"): such a clip is neither trained on nor asked about again.

Where a clip may have several labels, each class is voted on by itself, a tie in one class leaves
the clip out, and an empty annotation means "none of them". Where it has one, an empty annotation is
one without a label.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ml_backend.clip import State, TaskLabels
from ml_backend.errors import LabelConfigError, RequestError
from ml_backend.label_studio.answer import Annotation, Answer, read_answer
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.label_studio.labeling_page import NONE_OF_THEM


@dataclass
class Count:
    """What one annotator said: of how many clips, how often each class, and on how many nothing."""

    n_clips: int = 0
    n_skipped: int = 0
    n_no_label: int = 0
    n_unreadable: int = 0
    labels: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Reading:
    """One task as its annotators left it: what each said last, and all of it taken together.

    ``answers`` has the user's number of every annotator, or, of an annotation that carries none, a
    pair that tells it apart from all others.
    """

    labels: TaskLabels
    answers: Mapping[object, Answer]

    def by_user(self) -> dict[int, Answer]:
        """Return the answers that carry a user's number."""
        return {who: answer for who, answer in self.answers.items() if isinstance(who, int)}


def read_annotations(exported: Iterable[Mapping[str, Any]], config: LabelConfig) -> list[Reading]:
    """Read what was said of each task.

    Parameters
    ----------
    exported : iterable of mapping
        Tasks as Label Studio's JSON export gives them, with their ``annotations``.
    config : LabelConfig
        The question that was asked.

    Returns
    -------
    list of Reading
        One per task that has an annotation, in the order given.

    Examples
    --------
    >>> config = LabelConfig(("siren", "other"), False, "sound", "audio", "choices", "audio")
    >>> said = {"from_name": "sound", "value": {"choices": ["siren"]}}
    >>> exported = [{"id": 7, "annotations": [{"id": 1, "result": [said]}]}]
    >>> read_annotations(exported, config)[0].labels
    TaskLabels(task_id=7, labels=frozenset({'siren'}), state='labeled', n_annotators=1)
    """
    return [
        read_task(int(task["id"]), task["annotations"], config)
        for task in exported
        if task.get("annotations")
    ]


def count_by_annotator(readings: Iterable[Reading]) -> dict[int, Count]:
    """Count what each annotator said last of each clip, whatever the others said.

    Returns
    -------
    dict of int to Count
        By Label Studio's numbers of users; what carries no user's number is not counted.

    Examples
    --------
    >>> config = LabelConfig(("siren", "other"), False, "sound", "audio", "choices", "audio")
    >>> said = {"from_name": "sound", "value": {"choices": ["siren"]}}
    >>> annotation = {"id": 1, "completed_by": 4, "result": [said]}
    >>> count_by_annotator(read_annotations([{"id": 7, "annotations": [annotation]}], config))
    {4: Count(n_clips=1, n_skipped=0, n_no_label=0, n_unreadable=0, labels=Counter({'siren': 1}))}
    """
    counts: dict[int, Count] = {}
    for reading in readings:
        for who, answer in reading.by_user().items():
            count = counts.setdefault(who, Count())
            count.n_clips += answer.kind == "labels"
            count.n_skipped += answer.kind == "skipped"
            count.n_no_label += answer.kind == "no_label"
            count.n_unreadable += answer.kind == "unreadable"
            count.labels.update(answer.labels)
    return counts


def read_task(task_id: int, annotations: Sequence[Annotation], config: LabelConfig) -> Reading:
    """Read what was said of one task that has annotations."""
    said = {_annotator(one): read_answer(one, config) for one in _latest(annotations)}
    decisive = _starred(annotations, config) or list(said.values())
    votes = [answer.labels for answer in decisive if answer.kind == "labels"]
    labels = _majority(votes, config)
    state = _state(labels, {answer.kind for answer in decisive})
    return Reading(TaskLabels(task_id, labels, state, n_annotators=len(said)), said)


def _latest(annotations: Iterable[Annotation]) -> list[Annotation]:
    """Return the latest annotation of every annotator."""
    by_age = sorted(annotations, key=lambda one: (str(one.get("updated_at", "")), one["id"]))
    return list({_annotator(one): one for one in by_age}.values())


def build_result(
    labels: Iterable[str], config: LabelConfig, present: Sequence[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Write an answer, the way ``read_annotations`` reads it.

    Parameters
    ----------
    labels : iterable of str
        Class names; none says "none of them" where a clip may have several.
    config : LabelConfig
        The question; it must ask for choices.
    present : sequence of mapping
        The annotation's result so far: what it says to other questions is kept.

    Returns
    -------
    list of dict
        The result of a Label Studio annotation.

    Raises
    ------
    LabelConfigError
        If the project asks for regions: nobody can say from here where in the clip they are.
    RequestError
        If the labels are none of the project's, or not as many as it asks for.

    Examples
    --------
    >>> config = LabelConfig(("siren", "other"), False, "sound", "audio", "choices", "audio")
    >>> build_result(["siren"], config)[0]["value"]
    {'choices': ['siren']}
    """
    if config.control != "choices":
        raise LabelConfigError(
            "This project asks for regions inside a clip (<Labels>); mark them in Label Studio. "
            "Pages label whole clips, which takes <Choices>."
        )
    said = set(labels)
    unknown = sorted(said - set(config.class_names))
    if unknown:
        known = ", ".join(config.class_names)
        raise RequestError(f"{unknown[0]!r:.60} is no label of this project; it has {known}.")
    if not config.multi_label and len(said) != 1:
        raise RequestError(f"A clip has one label in this project; {len(said)} were given.")
    asked = (config.from_name, config.none_name)
    kept = [dict(one) for one in present if one.get("from_name") not in asked]
    if not said and config.none_name is not None:
        return [_choices(config.none_name, [NONE_OF_THEM], config), *kept]
    if not said and read_answer({"result": kept}, config) == Answer("labels"):
        return kept
    names = [name for name in config.class_names if name in said]
    return [_choices(config.from_name, names, config), *kept]


def _choices(from_name: str, names: list[str], config: LabelConfig) -> dict[str, Any]:
    return {
        "id": from_name,
        "from_name": from_name,
        "to_name": config.to_name,
        "type": "choices",
        "value": {"choices": names},
    }


def _state(labels: frozenset[str] | None, kinds: Collection[str]) -> State:
    if labels is not None:
        return "labeled"
    if "labels" in kinds:
        return "tied"
    if "unreadable" in kinds:
        return "unreadable"
    return "no_label" if "no_label" in kinds else "skipped"


def _starred(annotations: Iterable[Annotation], config: LabelConfig) -> list[Answer]:
    """Read those that decide over the others, the latest of every annotator."""
    starred = _latest(one for one in annotations if one.get("ground_truth"))
    answers = [read_answer(one, config) for one in starred]
    return [answer for answer in answers if answer.kind == "labels"]


def _annotator(annotation: Annotation) -> object:
    who = annotation.get("completed_by")
    if isinstance(who, Mapping):
        who = who.get("id")
    # Nobody knows whether two annotations without a name are from one person.
    return ("annotation", annotation["id"]) if who is None else who


def _majority(votes: Sequence[frozenset[str]], config: LabelConfig) -> frozenset[str] | None:
    if not votes:
        return None
    counts = Counter(name for vote in votes for name in vote)
    if config.multi_label:
        if any(2 * count == len(votes) for count in counts.values()):
            return None
        return frozenset(name for name, count in counts.items() if 2 * count > len(votes))
    (winner, most), *others = counts.most_common(2)
    return None if others and others[0][1] == most else frozenset({winner})
