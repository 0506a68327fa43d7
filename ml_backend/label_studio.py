"""Label Studio's API, and the only module that knows it.

``label-studio-sdk`` deals with the tokens (legacy ones, and personal access tokens that it
exchanges as they expire). The calls themselves are made here: the SDK's own client loads pandas
(3 s) and checks every field of every task on its way in and out.

Only reading is tried again when the connection breaks: nothing is ever sent twice.
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from ml_backend.errors import (
    LabelStudioAuthError,
    LabelStudioError,
    LabelStudioNotFoundError,
    LabelStudioUnreachableError,
)

if TYPE_CHECKING:
    import httpx

BULK_TIMEOUT_S = 300.0
MAX_DOWNLOAD_BYTES = 1 << 30
RETRY_PAUSES_S = (0.2, 0.8)
TASKS_PER_PAGE = 10_000
# Where Label Studio serves files; a task's address must not make us call anything else.
FILE_FOLDERS = ("/data/", "/storage-data/", "/static/", "/tasks/", "/projects/")

Json = dict[str, Any]


class LabelStudio:
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
        How long an everyday call may take; bulk calls have ``BULK_TIMEOUT_S``.
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
        import httpx
        from label_studio_sdk.core.api_error import ApiError
        from label_studio_sdk.core.client_wrapper import SyncClientWrapper

        self.url = url.rstrip("/")
        if not api_key:
            raise LabelStudioAuthError(
                f"There is no token for Label Studio at {self.url}. "
                "Copy one from Account & Settings there and set LABEL_STUDIO_API_KEY."
            )
        self._client = httpx.Client(timeout=timeout_s, transport=transport)
        try:
            self._tokens = SyncClientWrapper(
                api_key=api_key, base_url=f"{self.url}/", httpx_client=self._client
            )
        except ApiError as error:
            raise self._refusal(
                error.status_code or 401, _detail(error.body), "the token"
            ) from None

    # --- Label Studio itself ---------------------------------------------------------------

    def version(self) -> str:
        """Give Label Studio's version, such as ``1.23.2``."""
        return str(self._get("/api/version").get("release", "unknown"))

    def whoami(self) -> Json:
        """Describe the owner of the token: ``id``, ``email`` and more."""
        return dict(self._get("/api/current-user/whoami"))

    # --- projects --------------------------------------------------------------------------

    def projects(self) -> list[Json]:
        """List every project that the token's owner can see."""
        return self._pages("/api/projects", "count", "results", page_size=1000)

    def project(self, project_id: int) -> Json:
        """Describe one project."""
        return dict(self._get(f"/api/projects/{project_id}"))

    def create_project(self, **fields: Any) -> Json:
        """Create a project; a title needs 3 characters."""
        return dict(self._send("POST", "/api/projects", body=fields))

    def update_project(self, project_id: int, **fields: Any) -> Json:
        """Change fields of a project."""
        return dict(self._send("PATCH", f"/api/projects/{project_id}", body=fields))

    def set_model_version(self, project_id: int, model_version: str) -> None:
        """Make a version current: Label Studio's queue obeys its scores.

        Label Studio refuses a version of which the project holds no prediction yet.
        """
        self.update_project(project_id, model_version=model_version)

    # --- tasks and annotations -------------------------------------------------------------

    def tasks(self, project_id: int) -> list[Json]:
        """List every task as ``{"id": ..., "data": ...}``, in the order of their ids."""
        rows = self._pages(
            "/api/tasks",
            "total",
            "tasks",
            page_size=TASKS_PER_PAGE,
            project=project_id,
            fields="task_only",
            include="id,data",
        )
        return [{"id": row["id"], "data": row["data"]} for row in rows]

    def annotated_tasks(self, project_id: int) -> list[Json]:
        """List the tasks that hold annotations, the cancelled ones included, with all of them."""
        return list(
            self._get(f"/api/projects/{project_id}/export", bulk=True, query={"exportType": "JSON"})
        )

    def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> int:
        """Create tasks from ``{"data": {...}}``, all or none; give the number created."""
        if not tasks:
            return 0
        path = f"/api/projects/{project_id}/import"
        return int(self._send("POST", path, body=list(tasks), bulk=True)["task_count"])

    def next_task(self, project_id: int) -> Json | None:
        """Take the task that the token's owner is to label next; None when all are done."""
        try:
            return dict(self._get(f"/api/projects/{project_id}/next"))
        except LabelStudioNotFoundError:
            self.project(project_id)  # raises when it is the project that is missing
            return None

    def annotate(
        self, task_id: int, result: Sequence[Mapping[str, Any]], *, was_cancelled: bool = False
    ) -> Json:
        """Submit an annotation as the token's owner; cancelled means skipped."""
        body = {"result": list(result), "was_cancelled": was_cancelled}
        return dict(self._send("POST", f"/api/tasks/{task_id}/annotations/", body=body))

    # --- predictions -----------------------------------------------------------------------

    def import_predictions(self, project_id: int, predictions: Sequence[Mapping[str, Any]]) -> int:
        """Create predictions in one call, all or none; give the number created.

        One unknown task among them makes Label Studio refuse them all.
        """
        if not predictions:
            return 0
        path = f"/api/projects/{project_id}/import/predictions"
        return int(self._send("POST", path, body=list(predictions), bulk=True)["created"])

    def delete_predictions(self, project_id: int, model_version: str) -> None:
        """Delete a version's predictions; about 10 ms each, so never in a round."""
        path = f"/api/projects/{project_id}/model-versions/"
        self._send("DELETE", path, body={"model_version": model_version}, bulk=True)

    # --- set-up: backends, webhooks, storages, tabs -----------------------------------------

    def backends(self, project_id: int) -> list[Json]:
        """List the project's ML backends."""
        return list(self._get("/api/ml", query={"project": project_id}))

    def add_backend(self, project_id: int, **fields: Any) -> Json:
        """Connect an ML backend; Label Studio asks for its health before it answers."""
        return dict(self._send("POST", "/api/ml", body={"project": project_id, **fields}))

    def update_backend(self, backend_id: int, **fields: Any) -> Json:
        """Change fields of an ML backend; Label Studio asks for its health again."""
        return dict(self._send("PATCH", f"/api/ml/{backend_id}", body=fields))

    def webhooks(self, project_id: int) -> list[Json]:
        """List the project's webhooks."""
        return list(self._get("/api/webhooks", query={"project": project_id}))

    def add_webhook(self, project_id: int, **fields: Any) -> Json:
        """Create a webhook of the project."""
        return dict(self._send("POST", "/api/webhooks/", body={"project": project_id, **fields}))

    def update_webhook(self, webhook_id: int, **fields: Any) -> Json:
        """Change fields of a webhook."""
        return dict(self._send("PATCH", f"/api/webhooks/{webhook_id}/", body=fields))

    def storages(self, project_id: int) -> list[Json]:
        """List the project's local-files storages."""
        return list(self._get("/api/storages/localfiles", query={"project": project_id}))

    def add_storage(self, project_id: int, **fields: Any) -> Json:
        """Let the project's annotators see the files of a folder."""
        body = {"project": project_id, **fields}
        return dict(self._send("POST", "/api/storages/localfiles", body=body))

    def views(self, project_id: int) -> list[Json]:
        """List the project's tabs in the Data Manager."""
        return list(self._get("/api/dm/views", query={"project": project_id}))

    def add_view(self, project_id: int, data: Mapping[str, Any]) -> Json:
        """Create a tab in the Data Manager."""
        body = {"project": project_id, "data": dict(data)}
        return dict(self._send("POST", "/api/dm/views/", body=body))

    def update_view(self, view_id: int, project_id: int, data: Mapping[str, Any]) -> Json:
        """Change a tab in the Data Manager."""
        body = {"project": project_id, "data": dict(data)}
        return dict(self._send("PATCH", f"/api/dm/views/{view_id}/", body=body))

    # --- files -----------------------------------------------------------------------------

    def upload_file(self, project_id: int, name: str, content: bytes) -> str:
        """Store a file with the project, without making a task of it; give its address."""
        answer = self._send(
            "POST",
            f"/api/projects/{project_id}/import",
            query={"commit_to_project": "false"},
            files={"file": (name, content)},
            bulk=True,
        )
        stored = self._get(f"/api/import/file-upload/{answer['file_upload_ids'][0]}")["file"]
        return f"/data/{quote(stored)}"

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
        import httpx

        for _ in range(4):
            url = self._file_url(address)
            try:
                with self._client.stream("GET", url, headers=self._headers()) as response:
                    if response.has_redirect_location:
                        address = str(response.url.join(response.headers["location"]))
                        continue
                    if response.is_error:
                        response.read()
                        raise self._refusal(response.status_code, _detail_of(response), address)
                    return _bounded(response, address, max_bytes)
            except httpx.TransportError as error:
                raise self._silence(error) from None
        raise LabelStudioError(f"{address}: Label Studio redirects in a circle.")

    def serves(self, address: str) -> bool:
        """Tell whether an address is a file of this Label Studio."""
        try:
            self._file_url(address)
        except LabelStudioError:
            return False
        return True

    def _file_url(self, address: str) -> str:
        here = urlsplit(self.url)
        try:
            parts = urlsplit(address)
            elsewhere = (parts.scheme or parts.netloc) and (
                (parts.scheme, parts.netloc) != (here.scheme, here.netloc)
            )
        except ValueError:
            elsewhere = True
        if elsewhere:
            raise LabelStudioError(f"{address}: not an address on Label Studio at {self.url}.")
        path = parts.path.removeprefix(here.path) if here.path else parts.path
        plain = unquote(path)
        is_file = plain.startswith(FILE_FOLDERS) and ".." not in PurePosixPath(plain).parts
        if not is_file or "\\" in plain:
            raise LabelStudioError(f"{address}: not a file that Label Studio at {self.url} serves.")
        return self.url + path + (f"?{parts.query}" if parts.query else "")

    # --- how a call is made ----------------------------------------------------------------

    def _get(self, path: str, *, query: Mapping[str, Any] | None = None, bulk: bool = False) -> Any:
        for pause_s in RETRY_PAUSES_S:
            try:
                return self._send("GET", path, query=query, bulk=bulk)
            except LabelStudioUnreachableError as error:
                if isinstance(error, _TooSlowError):
                    raise
                time.sleep(pause_s)
        return self._send("GET", path, query=query, bulk=bulk)

    def _pages(
        self, path: str, total_name: str, rows_name: str, *, page_size: int, **query: Any
    ) -> list[Json]:
        rows: dict[int, Json] = {}
        page = 1
        while True:
            asked = {**query, "page": page, "page_size": page_size}
            try:
                answer = self._get(path, query=asked, bulk=True)
            except LabelStudioNotFoundError:
                if page == 1:
                    raise
                break  # the last page went as rows were deleted while we read
            rows.update((row["id"], row) for row in answer[rows_name])
            if not answer[rows_name] or len(rows) >= answer[total_name]:
                break
            page += 1
        return [rows[row_id] for row_id in sorted(rows)]

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        files: Any = None,
        bulk: bool = False,
    ) -> Any:
        import httpx

        try:
            response = self._client.request(
                method,
                self.url + path,
                headers=self._headers(),
                params=query,
                json=body,
                files=files,
                timeout=BULK_TIMEOUT_S if bulk else httpx.USE_CLIENT_DEFAULT,
            )
        except httpx.TransportError as error:
            raise self._silence(error) from None
        except httpx.InvalidURL:
            raise LabelStudioError(f"{self.url} is no address; set LABEL_STUDIO_URL.") from None
        if not response.is_success:
            raise self._refusal(response.status_code, _detail_of(response), f"{method} {path}")
        if response.status_code == 204 or not response.content:
            return {}
        try:
            return response.json()
        except json.JSONDecodeError:
            raise LabelStudioError(
                f"{self.url}{path} answers with something else than JSON; "
                "is LABEL_STUDIO_URL the address of a Label Studio?"
            ) from None

    def _headers(self) -> dict[str, str]:
        import httpx
        from label_studio_sdk.core.api_error import ApiError

        try:
            return self._tokens.get_headers()
        except httpx.TransportError as error:
            raise self._silence(error) from None
        except ApiError as error:
            status = error.status_code or 401
            raise self._refusal(status, _detail(error.body), "exchanging the token") from None
        except json.JSONDecodeError:
            raise LabelStudioError(f"{self.url} did not exchange the token.") from None

    def _silence(self, error: "httpx.TransportError") -> LabelStudioUnreachableError:
        import httpx

        if isinstance(error, httpx.TimeoutException) and not isinstance(
            error, httpx.ConnectTimeout
        ):
            return _TooSlowError(f"Label Studio at {self.url} did not answer in time.")
        return LabelStudioUnreachableError(
            f"Label Studio at {self.url} does not answer ({type(error).__name__}). "
            "Is it running, and is LABEL_STUDIO_URL its address?"
        )

    def _refusal(self, status: int, detail: str, what: str) -> LabelStudioError:
        said = f": {detail}" if detail else ""
        if status in (401, 403):
            return LabelStudioAuthError(
                f"Label Studio at {self.url} refuses {what} ({status}{said}). "
                "Is LABEL_STUDIO_API_KEY right, and may its owner do this?"
            )
        if status == 404:
            return LabelStudioNotFoundError(
                f"Label Studio at {self.url} does not know {what} (404{said})."
            )
        if status in (502, 503, 504):
            return LabelStudioUnreachableError(
                f"Label Studio at {self.url} is not ready ({status}{said})."
            )
        if 300 <= status < 400:
            return LabelStudioError(
                f"{self.url} redirects {what}; set LABEL_STUDIO_URL to where it leads{said}."
            )
        return LabelStudioError(f"Label Studio answers {status} to {what}{said}")


class _TooSlowError(LabelStudioUnreachableError):
    """An answer was on its way, but too late: asking again would only add to the load."""


def _bounded(response: "httpx.Response", address: str, max_bytes: int) -> bytes:
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > max_bytes:
            raise LabelStudioError(f"{address}: larger than {max_bytes} bytes; it is not read.")
    return bytes(content)


def _detail_of(response: "httpx.Response") -> str:
    if response.has_redirect_location:
        return str(response.headers["location"])[:200]
    try:
        return _detail(response.json())
    except ValueError:
        return ""


def _detail(body: Any) -> str:
    """Shorten what Label Studio says of an error to the part meant for people."""
    if not isinstance(body, Mapping):
        return str(body)[:300] if isinstance(body, list) else ""
    said = str(body.get("detail") or "")
    fields = body.get("validation_errors")
    if isinstance(fields, Mapping) and fields:
        said = "; ".join(f"{name}: {_plain(what)}" for name, what in fields.items())
    return said[:300]


def _plain(what: Any) -> str:
    return " ".join(map(str, what)) if isinstance(what, list) else str(what)
