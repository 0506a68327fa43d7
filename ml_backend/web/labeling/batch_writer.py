"""Writing one answer to many tasks, and taking it back, in a few calls to Label Studio.

A single annotation takes Label Studio 0.1 s; copying one to many tasks, 2 ms each. But the two
actions of its Data Manager that do this do not look at what is there. So tasks of which the visitor
has an annotation already, and all that is no plain case, go one by one, as ``writing`` does it.
"""

import logging
from collections.abc import Sequence
from typing import Any

from ml_backend.errors import LabelStudioError, LabelStudioUnreachableError
from ml_backend.label_studio.annotation import build_result
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.web.access.visitors import Visitor
from ml_backend.web.labeling.annotation_writer import (
    Refused,
    Written,
    said,
    silent,
    take_back,
    write,
)

log = logging.getLogger(__name__)

AT_ONCE = 200
"""Tasks of one call, 0.3 s, in which on SQLite nobody else can submit."""
FEW = 4
"""So many are as fast one by one."""
_N_SOURCES = 3

Answers = dict[int, Written | Refused]


def write_all(
    visitor: Visitor,
    project_id: int,
    task_ids: Sequence[int],
    labels: Sequence[str] | None,
    config: LabelConfig,
    *,
    only_unanswered: bool = False,
) -> list[Written | Refused]:
    """Do what ``write`` does, for up to ``AT_ONCE`` tasks.

    Skips are written one by one: Label Studio does not copy that an annotation was cancelled.

    Raises
    ------
    LabelConfigError, RequestError, LabelStudioError
        As ``write``; nothing is written then.
    """
    answers: Answers = {}
    if labels is not None and len(task_ids) > FEW:
        build_result(labels, config)
        annotators = visitor.label_studio.data_manager.annotators(project_id, task_ids)
        fresh = [
            task_id
            for task_id in task_ids
            if task_id in annotators
            and visitor.user_id not in annotators[task_id]
            and not (only_unanswered and annotators[task_id])
        ]
        if len(fresh) > FEW:
            answers = _copy(visitor, project_id, fresh, labels, config)
    left = [task_id for task_id in task_ids if task_id not in answers]
    if not left:
        return [answers[task_id] for task_id in task_ids]
    try:
        singly = write(visitor, project_id, left, labels, config, only_unanswered=only_unanswered)
    except LabelStudioError as error:
        if not answers:
            raise
        singly = [Refused(task_id, error.plain, may_work_again=True) for task_id in left]
    answers.update(zip(left, singly, strict=True))
    return [answers[task_id] for task_id in task_ids]


def take_back_all(
    visitor: Visitor, project_id: int, written: Sequence[Written]
) -> list[Written | Refused]:
    """Do what ``take_back`` does, for up to ``AT_ONCE`` tasks.

    Raises
    ------
    LabelStudioError
        If Label Studio does not tell what the annotations say now; nothing is undone then.
    """
    answers: Answers = {}
    made = [one for one in written if one.before is None]
    if len(made) > FEW:
        answers = _delete(visitor, project_id, made)
    left = [one for one in written if one.task_id not in answers]
    answers.update(zip((one.task_id for one in left), take_back(visitor, left), strict=True))
    return [answers[one.task_id] for one in written]


def _copy(
    visitor: Visitor,
    project_id: int,
    task_ids: Sequence[int],
    labels: Sequence[str],
    config: LabelConfig,
) -> Answers:
    """Annotate a task and copy that to the others; what is missing is to be written singly."""
    answers: Answers = {}
    source = None
    for task_id in task_ids[:_N_SOURCES]:
        (answers[task_id],) = write(visitor, project_id, [task_id], labels, config)
        one = answers[task_id]
        if isinstance(one, Written) and one.before is None:
            source = one
            break
    if source is None:
        return answers
    left = [task_id for task_id in task_ids if task_id not in answers]
    is_silent = False
    label_studio = visitor.label_studio
    try:
        label_studio.data_manager.copy_annotation(project_id, source.annotation_id, left)
    except LabelStudioUnreachableError:
        is_silent = True
    except LabelStudioError as error:
        log.warning("project %d: labels cannot be copied: %s", project_id, error)
    try:
        exported = label_studio.annotated_tasks(project_id, left)
    except LabelStudioError:
        exported, is_silent = [], True
    for task in exported:
        for copy in _own(visitor, task):
            if copy.get("parent_annotation") == source.annotation_id:
                answers[task["id"]] = Written(task["id"], copy["id"], None, source.after)
    if is_silent:  # it may still be done: written singly, it would be there twice
        for task_id in left:
            answers.setdefault(task_id, silent(task_id))
    return answers


def _delete(visitor: Visitor, project_id: int, made: Sequence[Written]) -> Answers:
    """Delete annotations of tasks in which the visitor has nothing else, as they were made."""
    label_studio = visitor.label_studio
    exported = label_studio.annotated_tasks(project_id, [one.task_id for one in made])
    tasks = {task["id"]: task for task in exported}
    plain = [one for one in made if _is_all(one, visitor, tasks.get(one.task_id))]
    if len(plain) <= FEW:
        return {}
    task_ids = [one.task_id for one in plain]
    try:
        label_studio.data_manager.delete_annotations(project_id, task_ids, visitor.user_id)
    except LabelStudioUnreachableError:
        return {one.task_id: silent(one.task_id) for one in made}
    except LabelStudioError as error:
        log.warning("project %d: labels cannot be taken back at once: %s", project_id, error)
        return {}
    return {one.task_id: one for one in plain}


def _is_all(one: Written, visitor: Visitor, task: dict[str, Any] | None) -> bool:
    """Tell that an annotation is as it was written, and nothing else there is the visitor's."""
    if task is None or task["drafts"]:
        return False
    own = _own(visitor, task)
    return len(own) == 1 and own[0]["id"] == one.annotation_id and said(own[0]) == one.after


def _own(visitor: Visitor, task: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in task["annotations"] if one["completed_by"] == visitor.user_id]
