"""What Earmark asks of the Data Manager: tasks by their predictions, and changes of many at once.

The calls that change anything take time by the number of rows, and on SQLite nobody can submit
meanwhile: callers keep them small.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ml_backend.errors import LabelStudioNotFoundError
from ml_backend.label_studio.connection import Connection

_ACTIONS = "/api/dm/actions"
TASKS_PER_QUERY = 200
"""Numbers of tasks that go into one address."""
_OF_ANNOTATIONS = "completed_by,result,was_cancelled,ground_truth"
"""What ``include`` must name, too: it chooses among the fields of whatever a task holds."""


class DataManager:
    """The Data Manager of one Label Studio; errors are those of ``LabelStudio``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def prediction_versions(self, project_id: int, task_ids: Sequence[int]) -> dict[int, list[str]]:
        """Name the model versions that predict some tasks; deleted tasks are missing.

        A prediction without a version is an empty name. About 0.15 s for 200 tasks.
        """
        rows = list(
            self._rows(project_id, task_ids, "predictions_model_versions,total_predictions")
        )
        held = {row["id"]: _names(row["predictions_model_versions"]) for row in rows}
        # Only the number tells of predictions without a name, and after a project was deleted
        # Label Studio may no longer keep it.
        doubtful = [row["id"] for row in rows if row["total_predictions"] != len(held[row["id"]])]
        for row in self._rows(project_id, doubtful, "predictions"):
            held[row["id"]] = [one["model_version"] or "" for one in row["predictions"]]
        return held

    def annotators(self, project_id: int, task_ids: Sequence[int]) -> dict[int, set[int]]:
        """Return who annotated or skipped each task; tasks of other projects are missing."""
        rows = self._rows(project_id, task_ids, "annotators")
        return {row["id"]: set(row["annotators"]) for row in rows}

    def changed_since(
        self, project_id: int, moment: datetime, *, at_most: int
    ) -> list[dict[str, Any]] | None:
        """List tasks that changed, or whose annotations did, after a moment of Label Studio's.

        Each has ``id``, ``updated_at`` and all of its ``annotations``, as far as labels are read
        from them. None where there are more than ``at_most``.
        """
        told = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        later = {"filter": "filter:tasks:updated_at", "operator": "greater", "type": "Datetime"}
        answer = self._connection.get(
            "/api/tasks",
            query={
                "project": project_id,
                "fields": "all",
                "include": "id,updated_at,annotations," + _OF_ANNOTATIONS,
                "page_size": at_most,
                "query": _where({**later, "value": told}),
            },
        )
        return None if answer["total"] > at_most else list(answer["tasks"])

    def take(self, project_id: int, task_id: int) -> bool:
        """Lock a task for the token's owner, as the labeling page does; tell whether it is theirs.

        It is not where as many as the project wants are at work on it, or have answered it. The
        lock ends when they answer, or after Label Studio's ``TASK_LOCK_TTL``. About 0.1 s.
        """
        try:
            taken = self._connection.send(
                "POST",
                _ACTIONS,
                query={"id": "next_task", "project": project_id},
                body={"selectedItems": {"all": False, "included": [task_id]}},
            )
        except LabelStudioNotFoundError:  # what it says where no task is left to serve
            return False
        return bool(taken["unique_lock_id"])

    def delete_predictions(self, project_id: int, task_ids: Sequence[int]) -> None:
        """Delete all predictions of some tasks, whoever made them; 14 to 20 ms each."""
        self._act("delete_tasks_predictions", project_id, task_ids)

    def copy_annotation(self, project_id: int, annotation_id: int, task_ids: Sequence[int]) -> None:
        """Annotate tasks with the same answer, as the token's owner; 1 to 2 ms each.

        The copies name it as their ``parent_annotation``. Tasks that are not there are left out; no
        webhook is called, and a task may have any number of annotations before.
        """
        body = {"source_annotation_id": annotation_id}
        self._act("propagate_annotations", project_id, task_ids, **body)

    def delete_annotations(self, project_id: int, task_ids: Sequence[int], user_id: int) -> None:
        """Delete all annotations and drafts of one user in some tasks; 2 to 3 ms each."""
        self._act("delete_tasks_annotations", project_id, task_ids, annotator=user_id)

    def set_field(
        self, project_id: int, task_ids: Sequence[int], name: str, value: str | float
    ) -> None:
        """Set one field of the task data of some tasks to one value; 0.1 to 0.2 s for 200.

        Other fields stay as they are, no webhook is called, and the tasks do not count as updated.
        PostgreSQL changes the field alone. On SQLite, Label Studio reads the data of these tasks
        and writes them back (0.1 s for 200), and what somebody else writes into the same task's
        data within that time is lost.
        """
        kind = "String" if isinstance(value, str) else "Number"
        body = {"value_name": name, "value_type": kind, "value": value}
        self._act("add_data_field", project_id, task_ids, **body)

    def _rows(
        self, project_id: int, task_ids: Sequence[int], columns: str
    ) -> Iterator[dict[str, Any]]:
        """Return ``id`` and some more columns of tasks; those that are not there are missing."""
        among = {"filter": "filter:tasks:id", "operator": "in_list", "type": "Number"}
        for start in range(0, len(task_ids), TASKS_PER_QUERY):
            chosen = {**among, "value": list(task_ids[start : start + TASKS_PER_QUERY])}
            yield from self._connection.pages(
                "/api/tasks",
                "total",
                "tasks",
                page_size=TASKS_PER_QUERY,
                project=project_id,
                fields="all",
                include=f"id,{columns}",
                query=_where(chosen),
            )

    def _act(self, action: str, project_id: int, task_ids: Sequence[int], **body: Any) -> None:
        if not task_ids:  # no selection means every task
            return
        selected = {"all": False, "included": list(task_ids)}
        self._connection.send(
            "POST",
            _ACTIONS,
            query={"id": action, "project": project_id},
            body={"selectedItems": selected, **body},
            bulk=True,
        )


def _where(condition: Mapping[str, Any]) -> str:
    return json.dumps({"filters": {"conjunction": "and", "items": [condition]}})


def _names(listed: Any) -> list[str]:
    """Read names separated by commas (SQLite, which leaves null out), or a list (PostgreSQL)."""
    separated = listed.split(",") if isinstance(listed, str) else listed
    return [name.strip() for name in separated or () if name]
