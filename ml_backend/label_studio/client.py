"""What Earmark asks of Label Studio, call by call; ``setup_calls`` holds those of set-up."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ml_backend.errors import (
    LabelStudioError,
    LabelStudioNotFoundError,
    LabelStudioUnreachableError,
)
from ml_backend.label_studio import addresses
from ml_backend.label_studio.connection import Connection
from ml_backend.label_studio.data_manager import DataManager
from ml_backend.label_studio.setup_calls import Json, SetupCalls

if TYPE_CHECKING:
    import httpx

MAX_DOWNLOAD_BYTES = 1 << 30
TASKS_PER_PAGE = 10_000


class LabelStudio(SetupCalls):
    """One Label Studio, seen by the owner of one token; safe to share between threads.

    Every method raises ``LabelStudioUnreachableError`` when no answer comes in time,
    ``LabelStudioAuthError`` when the token is refused, ``LabelStudioNotFoundError`` when the
    project, task or file is not there, and ``LabelStudioError`` for everything else.

    Parameters
    ----------
    url
        Where Label Studio answers, such as ``http://127.0.0.1:8080``.
    api_key
        A legacy token or a personal access token.
    timeout_s
        How long an everyday question may take; a change may take 30 s, bulk calls five minutes.
    transport
        Stands in for the network in tests.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout_s: float = 30.0,
        transport: "httpx.BaseTransport | None" = None,
    ) -> None:
        self._connection = Connection(url, api_key, timeout_s=timeout_s, transport=transport)
        self._transport = transport
        self.url = self._connection.url
        self.data_manager = DataManager(self._connection)

    def seen_by(self, api_key: str, *, timeout_s: float) -> "LabelStudio":
        """Return the same Label Studio, seen by the owner of another token."""
        return LabelStudio(self.url, api_key, timeout_s=timeout_s, transport=self._transport)

    # --- Label Studio itself ---------------------------------------------------------------

    def version(self) -> str:
        """Return Label Studio's version, such as ``1.23.2``."""
        return str(self._connection.get("/api/version").get("release", "unknown"))

    def whoami(self) -> Json:
        """Describe the owner of the token: ``id``, ``email`` and more."""
        return dict(self._connection.get("/api/current-user/whoami"))

    def users(self) -> list[Json]:
        """List everybody with an account: ``id``, ``email``, ``first_name`` and more."""
        return list(self._connection.get("/api/users/"))

    # --- projects --------------------------------------------------------------------------

    def projects(self) -> list[Json]:
        """List every project that the token's owner can see."""
        return self._connection.pages("/api/projects", "count", "results", page_size=1000)

    def project(self, project_id: int) -> Json:
        """Describe one project."""
        return dict(self._connection.get(f"/api/projects/{project_id}"))

    def create_project(self, **fields: Any) -> Json:
        """Create a project; a title needs 3 characters."""
        return dict(self._connection.send("POST", "/api/projects", body=fields))

    def update_project(self, project_id: int, **fields: Any) -> Json:
        """Change fields of a project."""
        return dict(self._connection.send("PATCH", f"/api/projects/{project_id}", body=fields))

    def set_model_version(self, project_id: int, model_version: str) -> None:
        """Make a version current: Label Studio's queue obeys its scores.

        Label Studio refuses a version of which the project holds no prediction yet.
        """
        self.update_project(project_id, model_version=model_version)

    # --- tasks and annotations -------------------------------------------------------------

    def tasks(self, project_id: int) -> list[Json]:
        """List every task as ``{"id": ..., "data": ...}``, in the order of their ids."""
        rows = self._connection.pages(
            "/api/tasks",
            "total",
            "tasks",
            page_size=TASKS_PER_PAGE,
            bulk=True,
            project=project_id,
            fields="task_only",
            include="id,data",
        )
        return [{"id": row["id"], "data": row["data"]} for row in rows]

    def annotated_tasks(self, project_id: int, task_ids: Sequence[int] | None = None) -> list[Json]:
        """List the tasks that hold annotations, the cancelled ones included, with all of them.

        Only of some tasks, a few hundred at most, where ``task_ids`` are given.
        """
        if task_ids is not None and not task_ids:
            return []
        query = {"exportType": "JSON", "ids[]": list(task_ids or ())}
        path = f"/api/projects/{project_id}/export"
        return list(self._connection.get(path, bulk=True, query=query))

    def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> int:
        """Create tasks from ``{"data": {...}}``, all or none; return the number created."""
        if not tasks:
            return 0
        path = f"/api/projects/{project_id}/import"
        return int(self._connection.send("POST", path, body=list(tasks), bulk=True)["task_count"])

    def next_task(self, project_id: int) -> Json | None:
        """Take the task that the token's owner is to label next; None when all are done."""
        try:
            return dict(self._connection.get(f"/api/projects/{project_id}/next"))
        except LabelStudioNotFoundError:
            self.project(project_id)  # raises when it is the project that is missing
            return None

    def annotate(
        self, task_id: int, result: Sequence[Mapping[str, Any]], *, was_cancelled: bool = False
    ) -> Json:
        """Submit an annotation as the token's owner; cancelled means skipped."""
        body = {"result": list(result), "was_cancelled": was_cancelled}
        return dict(self._connection.send("POST", f"/api/tasks/{task_id}/annotations/", body=body))

    def annotations(self, task_id: int) -> list[Json]:
        """List a task's annotations, the cancelled ones included; ``completed_by`` is a number."""
        return list(self.task(task_id)["annotations"])

    def update_task(self, task_id: int, **fields: Any) -> None:
        """Change fields of a task; 0.15 s, on PostgreSQL 0.3 s."""
        self._connection.send("PATCH", f"/api/tasks/{task_id}/", body=fields)

    def task(self, task_id: int) -> Json:
        """Describe one task, with its ``annotations`` as ``annotations`` gives them."""
        found = dict(self._connection.get(f"/api/tasks/{task_id}/"))
        found["annotations"] = [
            {**one, "completed_by": (one["completed_by"] or {}).get("id")}
            for one in found["annotations"]
        ]
        return found

    def annotation(self, annotation_id: int) -> Json:
        """Describe one annotation."""
        return dict(self._connection.get(f"/api/annotations/{annotation_id}/"))

    def update_annotation(self, annotation_id: int, **fields: Any) -> Json:
        """Change fields of an annotation, such as ``result`` or ``was_cancelled``."""
        path = f"/api/annotations/{annotation_id}/"
        return dict(self._connection.send("PATCH", path, body=fields))

    def delete_annotation(self, annotation_id: int) -> None:
        """Delete one annotation."""
        self._connection.send("DELETE", f"/api/annotations/{annotation_id}/")

    # --- predictions -----------------------------------------------------------------------

    def import_predictions(self, project_id: int, predictions: Sequence[Mapping[str, Any]]) -> int:
        """Create predictions in one call, all or none; return the number created.

        One unknown task among them makes Label Studio refuse them all.
        """
        if not predictions:
            return 0
        path = f"/api/projects/{project_id}/import/predictions"
        return int(
            self._connection.send("POST", path, body=list(predictions), bulk=True)["created"]
        )

    def delete_predictions(self, project_id: int, model_version: str) -> None:
        """Delete a version's predictions; about 10 ms each, so never in a round."""
        path = f"/api/projects/{project_id}/model-versions/"
        self._connection.send("DELETE", path, body={"model_version": model_version}, bulk=True)

    def count_predictions(self, project_id: int) -> dict[str, int]:
        """Count the predictions of each model version."""
        return dict(self._connection.get(f"/api/projects/{project_id}/model-versions/"))

    # --- files -----------------------------------------------------------------------------

    def upload_file(self, project_id: int, name: str, content: bytes) -> str:
        """Store a file with the project, without making a task of it; return its address."""
        path = f"/api/projects/{project_id}/import"
        query, files = {"commit_to_project": "false"}, {"file": (name, content)}
        try:
            answer = self._connection.send("POST", path, query=query, files=files, bulk=True)
        except LabelStudioError as error:
            # Where tasks have several fields, Label Studio keeps the file and then complains that
            # it cannot tell which of them it is for.
            stored = re.search(r"parse input file (\S+): .* more than one data key", str(error))
            if stored is None:
                raise
            return f"/data/upload/{project_id}/{quote(stored[1])}"
        file_id = answer["file_upload_ids"][0]
        return f"/data/{quote(self._connection.get(f'/api/import/file-upload/{file_id}')['file'])}"

    def download(self, address: str, *, max_bytes: int = MAX_DOWNLOAD_BYTES) -> bytes:
        """Read a file that this Label Studio serves.

        Parameters
        ----------
        address
            A path such as ``/data/upload/1/a.wav``, or the same with this Label Studio in front.
        max_bytes
            Larger files are refused.

        Raises
        ------
        LabelStudioError
            Also if the address, or one that it redirects to, is not a file of this Label Studio:
            the token goes nowhere else.
        """
        return self._connection.download(address, max_bytes)

    def gives(self, address: str) -> bool:
        """Check whether the token's owner may read a file that this Label Studio serves."""
        try:
            self._connection.peek(address)
        except LabelStudioUnreachableError:
            raise
        except LabelStudioError:
            return False
        return True

    def serves(self, address: str) -> bool:
        """Check whether an address is that of a file on this Label Studio."""
        try:
            self._connection.file_path(address)
        except LabelStudioError:
            return False
        return True

    def local_file(self, address: str) -> str | None:
        """Return the path, below the document root, of a local file; None for any other address."""
        return addresses.local_file(address) if self.serves(address) else None

    def uploaded_to(self, address: str) -> int | None:
        """Return the project that a file was uploaded to; None for any other address."""
        if not self.serves(address):
            return None
        return addresses.uploaded_to(self._connection.file_path(address))
