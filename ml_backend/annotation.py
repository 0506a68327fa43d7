"""From Label Studio's annotations to labels: what people said of each clip, taken together.

Of every annotator the latest annotation counts. A skip ("cannot tell") is no answer; a clip that
was only skipped is neither trained on nor asked about again. The rest vote: most votes win, and
what is tied is left out. Drafts are not annotations.

Where a clip may have several labels, each class is voted on by itself, a tie in one class leaves
the clip out, and an empty answer means "none of them". Where it has one, an empty answer says
nothing. Labels that the label config no longer has are ignored.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ml_backend.clip import TaskLabels
from ml_backend.errors import LabelConfigError, RequestError
from ml_backend.label_config import LabelConfig

_Annotation = Mapping[str, Any]


@dataclass
class Count:
    """What one annotator said: of how many clips, how many skipped, how often each class."""

    n_clips: int = 0
    n_skipped: int = 0
    labels: Counter[str] = field(default_factory=Counter)


def read_annotations(
    exported: Iterable[Mapping[str, Any]], config: LabelConfig
) -> list[TaskLabels]:
    """Read what was said of each task.

    Parameters
    ----------
    exported : iterable of mapping
        Tasks as Label Studio's JSON export gives them, with their ``annotations``.
    config : LabelConfig
        The question that was asked.

    Returns
    -------
    list of TaskLabels
        One per task that has an annotation, in the order given.

    Examples
    --------
    >>> config = LabelConfig(("siren", "other"), False, "sound", "audio", "choices", "audio")
    >>> said = {"from_name": "sound", "value": {"choices": ["siren"]}}
    >>> read_annotations([{"id": 7, "annotations": [{"id": 1, "result": [said]}]}], config)
    [TaskLabels(task_id=7, labels=frozenset({'siren'}), is_skipped=False, n_annotators=1)]
    """
    return [
        _read_task(int(task["id"]), _latest(task["annotations"]), config)
        for task in exported
        if task.get("annotations")
    ]


def count_by_annotator(
    exported: Iterable[Mapping[str, Any]], config: LabelConfig
) -> dict[int, Count]:
    """Count what each annotator said last of each clip, whatever the others said.

    Parameters
    ----------
    exported, config
        As for ``read_annotations``.

    Returns
    -------
    dict of int to Count
        By Label Studio's numbers of users; what carries no user's number is not counted.

    Examples
    --------
    >>> config = LabelConfig(("siren", "other"), False, "sound", "audio", "choices", "audio")
    >>> said = {"from_name": "sound", "value": {"choices": ["siren"]}}
    >>> annotation = {"id": 1, "completed_by": 4, "result": [said]}
    >>> count_by_annotator([{"id": 7, "annotations": [annotation]}], config)
    {4: Count(n_clips=1, n_skipped=0, labels=Counter({'siren': 1}))}
    """
    counts: dict[int, Count] = {}
    for task in exported:
        for annotation in _latest(task.get("annotations") or ()):
            who = _annotator(annotation)
            if not isinstance(who, int):
                continue
            count = counts.setdefault(who, Count())
            if annotation.get("was_cancelled"):
                count.n_skipped += 1
            elif (vote := _vote(annotation, config)) is not None:
                count.n_clips += 1
                count.labels.update(vote)
    return counts


def read_answers(
    annotations: Iterable[Mapping[str, Any]], config: LabelConfig
) -> dict[int, frozenset[str] | None]:
    """Read what each annotator said last of one task, None for a skip.

    Who said nothing usable is left out, and so is what carries no user's number.
    """
    answers: dict[int, frozenset[str] | None] = {}
    for annotation in _latest(annotations):
        who = _annotator(annotation)
        is_skip = bool(annotation.get("was_cancelled"))
        vote = None if is_skip else _vote(annotation, config)
        if isinstance(who, int) and (is_skip or vote is not None):
            answers[who] = vote
    return answers


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
    kept = [dict(one) for one in present if one.get("from_name") != config.from_name]
    if not said:
        return kept
    answer = {
        "id": config.from_name,
        "from_name": config.from_name,
        "to_name": config.to_name,
        "type": config.control,
        "value": {config.control: [name for name in config.class_names if name in said]},
    }
    return [answer, *kept]


def _read_task(task_id: int, annotations: Sequence[_Annotation], config: LabelConfig) -> TaskLabels:
    given = [one for one in annotations if not one.get("was_cancelled")]
    votes = [vote for one in given if (vote := _vote(one, config)) is not None]
    return TaskLabels(
        task_id=task_id,
        labels=_majority(votes, config),
        is_skipped=not given,
        n_annotators=len(given),
    )


def _latest(annotations: Iterable[_Annotation]) -> list[_Annotation]:
    by_age = sorted(annotations, key=lambda one: (str(one.get("updated_at", "")), one["id"]))
    return list({_annotator(one): one for one in by_age}.values())


def _annotator(annotation: _Annotation) -> object:
    who = annotation.get("completed_by")
    if isinstance(who, Mapping):
        who = who.get("id")
    # Nobody knows whether two annotations without a name are from one person.
    return ("annotation", annotation["id"]) if who is None else who


def _vote(annotation: _Annotation, config: LabelConfig) -> frozenset[str] | None:
    said = {
        name
        for result in annotation.get("result") or ()
        if result.get("from_name") == config.from_name
        for name in result.get("value", {}).get(config.control, ())
        if isinstance(name, str)
    }
    known = frozenset(said & set(config.class_names))
    if config.multi_label:
        return known if known or not said else None
    return known if len(known) == 1 else None


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
