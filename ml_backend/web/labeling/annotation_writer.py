"""Writing a visitor's answers to Label Studio, and taking them back exactly as they were written.

A task that the visitor has answered keeps its one annotation, changed: Label Studio counts the
latest of each annotator, and so does Earmark. Nobody else's annotation is ever touched.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from ml_backend.errors import (
    LabelStudioAuthError,
    LabelStudioError,
    LabelStudioNotFoundError,
    LabelStudioUnreachableError,
)
from ml_backend.label_studio.annotation import build_result, read_task
from ml_backend.label_studio.answer import is_blank, read_answer
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.web.access.visitors import Visitor

log = logging.getLogger(__name__)

N_AT_ONCE = 2
"""As fast as more on SQLite, where writers get into each other's way, other people's as well."""

T = TypeVar("T")
R = TypeVar("R")
Said = dict[str, Any]
Blank = Literal["no_label", "skipped"]


@dataclass(frozen=True)
class Written:
    """One annotation that was written: what it says, and (unless it was made) said before."""

    task_id: int
    annotation_id: int
    before: Said | None
    after: Said


@dataclass(frozen=True)
class Refused:
    """A task that was left as it is, and why.

    ``may_work_again`` tells what failed on the way from what is settled; ``is_silent``, that
    nobody answered, and a second try now would not go better; ``is_answered``, that only
    unanswered tasks were asked for, and this one has an annotation already.
    """

    task_id: int
    reason: str
    may_work_again: bool = False
    is_silent: bool = False
    is_answered: bool = False


def write(
    visitor: Visitor,
    project_id: int,
    task_ids: Sequence[int],
    labels: Sequence[str] | None,
    config: LabelConfig,
    *,
    only_unanswered: bool = False,
) -> list[Written | Refused]:
    """Give tasks the visitor's answer; None for labels says "cannot tell", a skip.

    With ``only_unanswered``, a task that anybody has annotated or skipped is left as it is.

    Returns
    -------
    list of Written or Refused
        One per task, in the order given.

    Raises
    ------
    LabelConfigError, RequestError
        As ``build_result``; nothing is written then.
    LabelStudioError
        If Label Studio does not tell who has annotated the tasks; nothing is written then.
    """
    build_result(labels if labels is not None else config.class_names[:1], config)
    annotators = visitor.label_studio.data_manager.annotators(project_id, task_ids)

    def answer(task_id: int, is_again: bool) -> Written | Refused:
        if task_id not in annotators:
            return Refused(task_id, "It is no task of this project.")
        if only_unanswered and annotators[task_id]:
            return Refused(task_id, "It has an answer already.", is_answered=True)
        is_theirs = visitor.user_id in annotators[task_id]
        own = _own(visitor, task_id) if is_theirs or is_again else None
        before = said(own) if own else None
        present = before["result"] if before else []
        result = present if labels is None else build_result(labels, config, present)
        after = {"result": result, "was_cancelled": labels is None}
        if own is None:
            own = visitor.label_studio.annotate(task_id, result, was_cancelled=labels is None)
        elif after != before:
            own = visitor.label_studio.update_annotation(own["id"], **after)
        # What came to be in a first try that failed on its way was not there before.
        return Written(task_id, own["id"], before if is_theirs else None, said(own))

    return _twice(task_ids, lambda task_id: task_id, answer)


def take_back(visitor: Visitor, written: Iterable[Written]) -> list[Written | Refused]:
    """Undo what was written, unless it was changed since; one answer each, in the order given."""

    def undo(one: Written, is_again: bool) -> Written | Refused:
        try:
            now = said(visitor.label_studio.annotation(one.annotation_id))
        except LabelStudioNotFoundError:
            return one if one.before is None else Refused(one.task_id, "It was deleted since.")
        if is_again and now == one.before:
            return one
        if now != one.after:
            return Refused(one.task_id, "It was changed in Label Studio since.")
        if one.before is None:
            visitor.label_studio.delete_annotation(one.annotation_id)
        elif one.before != one.after:
            visitor.label_studio.update_annotation(one.annotation_id, **one.before)
        return one

    return _twice(list(written), lambda one: one.task_id, undo)


def clear(
    visitor: Visitor,
    project_id: int,
    task_ids: Sequence[int],
    state: Blank,
    config: LabelConfig,
) -> list[int | Refused]:
    """Delete the annotations that put tasks into a state, whoever made them.

    A task is looked at anew: if it is in another state by now, or one of these annotations holds
    what somebody entered, it is left as it is.

    Returns
    -------
    list of (int or Refused)
        The number of each task that is cleared, or why it is not, in the order given.
    """
    label_studio = visitor.label_studio

    def delete(task_id: int, is_again: bool) -> int | Refused:
        task = label_studio.task(task_id)
        annotations = task["annotations"]
        if task["project"] != project_id:
            return Refused(task_id, "It is no task of this project.")
        chosen = [one for one in annotations if read_answer(one, config).kind == state]
        if is_again and not chosen:
            return task_id
        if not chosen or read_task(task_id, annotations, config).labels.state != state:
            return Refused(task_id, "It was annotated anew, or asked about again, meanwhile.")
        if not all(is_blank(one, config) for one in chosen):
            return Refused(task_id, "An annotation holds what somebody entered; label it anew.")
        for annotation in chosen:
            label_studio.delete_annotation(annotation["id"])
        return task_id

    return _twice(task_ids, lambda task_id: task_id, delete)


def _own(visitor: Visitor, task_id: int) -> dict[str, Any] | None:
    """Give the visitor's latest annotation of a task."""
    listed = visitor.label_studio.annotations(task_id)
    own = [one for one in listed if one["completed_by"] == visitor.user_id]
    return max(own, key=lambda one: (str(one["updated_at"]), one["id"]), default=None)


def silent(task_id: int) -> Refused:
    """Refuse a task of which nobody knows what Label Studio did."""
    reason = "Label Studio did not answer; look there whether it was done."
    return Refused(task_id, reason, may_work_again=True, is_silent=True)


def said(annotation: dict[str, Any]) -> Said:
    """Give what an annotation says."""
    return {name: annotation[name] for name in ("result", "was_cancelled")}


def refusals(answers: Sequence[Written | Refused]) -> list[dict[str, object]]:
    """Give what was refused, for JSON."""
    return [
        {"task_id": one.task_id, "reason": one.reason, "may_work_again": one.may_work_again}
        for one in answers
        if isinstance(one, Refused) and not one.is_answered
    ]


def _twice(
    items: Sequence[T],
    task_of: Callable[[T], int],
    act: Callable[[T, bool], R | Refused],
) -> list[R | Refused]:
    """Do something for each, a few at once; what failed on the way, once more, one by one.

    On SQLite, Label Studio answers 500 to one of two who write at the same moment.
    """

    def explained(item: T, is_again: bool = False) -> R | Refused:
        task_id = task_of(item)
        try:
            return act(item, is_again)
        except LabelStudioAuthError:
            return Refused(task_id, "Label Studio does not let you label it.")
        except LabelStudioNotFoundError:
            return Refused(task_id, "Label Studio does not have it any more.")
        except LabelStudioUnreachableError:
            return silent(task_id)
        except LabelStudioError as error:
            return Refused(task_id, error.plain, may_work_again=True)
        except Exception:  # whatever it is, the others' answers are to be told, and undone
            log.exception("task %d failed", task_id)
            reason = "The backend failed on it; look in Label Studio whether it was done."
            return Refused(task_id, reason, may_work_again=True, is_silent=True)

    if len(items) == 1:
        answers = [explained(items[0])]
    else:
        with ThreadPoolExecutor(N_AT_ONCE) as writers:
            answers = list(writers.map(explained, items))
    for place, answer in enumerate(answers):
        if isinstance(answer, Refused) and answer.may_work_again and not answer.is_silent:
            answers[place] = explained(items[place], True)
    return answers
