"""How one call to Label Studio is made.

``label-studio-sdk`` deals with the tokens (legacy ones, and personal access tokens that it
exchanges as they expire). The calls themselves are made here: the SDK's own client loads pandas
(3 s) and checks every field of every task on its way in and out.

Only reading is tried again when the connection breaks: nothing is ever sent twice.
"""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from ml_backend.errors import (
    LabelStudioAuthError,
    LabelStudioError,
    LabelStudioNotFoundError,
    LabelStudioUnreachableError,
)
from ml_backend.label_studio.failures import (
    Failures,
    TooSlowError,
    detail,
    detail_of,
    token_kind,
)
from ml_backend.metadata.sanitize import read_json

if TYPE_CHECKING:
    import httpx

WRITE_TIMEOUT_S = 30.0
"""A change may still be made after its timeout, so it has a longer one than a question."""
BULK_TIMEOUT_S = 300.0
MAX_REDIRECTS = 3
RETRY_PAUSES_S = (0.2, 0.8)
SILENT_S = 1.0  # what took so long to fail is not about to come back
# Where Label Studio serves files; a task's address must not make us call anything else.
FILE_FOLDERS = ("/data/", "/storage-data/", "/static/", "/tasks/", "/projects/")

T = TypeVar("T")


class Connection:
    """Calls to one Label Studio with one token; safe to share between threads.

    Parameters are those of ``LabelStudio``.
    """

    def __init__(
        self, url: str, api_key: str, *, timeout_s: float, transport: "httpx.BaseTransport | None"
    ) -> None:
        import httpx
        from label_studio_sdk.core.api_error import ApiError
        from label_studio_sdk.core.client_wrapper import SyncClientWrapper

        self.url = url.rstrip("/")
        if not api_key:
            raise LabelStudioAuthError(
                f"There is no token for Label Studio at {self.url}. "
                "Make a personal access token in Account & Settings there and set "
                "LABEL_STUDIO_API_KEY to it."
            )
        self.failures = Failures(self.url, token_kind(api_key))
        self._timeout_s = timeout_s
        self._client = httpx.Client(timeout=timeout_s, transport=transport)
        try:
            self._tokens = SyncClientWrapper(
                api_key=api_key, base_url=f"{self.url}/", httpx_client=self._client
            )
        except ApiError as error:
            raise self.failures.refusal(
                error.status_code, detail(error.body), "the token"
            ) from None
        except (TypeError, ValueError, OverflowError):  # the SDK reads when it expires
            raise self.failures.refusal(401, "it cannot be read", "the token") from None

    def get(self, path: str, *, query: Mapping[str, Any] | None = None, bulk: bool = False) -> Any:
        """Read JSON, with retries."""
        return _with_retries(lambda: self.send("GET", path, query=query, bulk=bulk))

    def pages(
        self,
        path: str,
        total_name: str,
        rows_name: str,
        *,
        page_size: int,
        bulk: bool = False,
        **query: Any,
    ) -> list[dict[str, Any]]:
        """Read every page of a list, each row once, in the order of their ids."""
        rows: dict[int, dict[str, Any]] = {}
        page = 1
        while True:
            asked = {**query, "page": page, "page_size": page_size}
            try:
                answer = self.get(path, query=asked, bulk=bulk)
            except LabelStudioNotFoundError:
                if page == 1:
                    raise
                break  # rows were deleted while we read, and the last page with them
            rows.update((row["id"], row) for row in answer[rows_name])
            if not answer[rows_name] or len(rows) >= answer[total_name]:
                break
            page += 1
        return [rows[row_id] for row_id in sorted(rows)]

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        files: Any = None,
        bulk: bool = False,
    ) -> Any:
        """Make one call, once; bulk calls may take ``BULK_TIMEOUT_S``."""
        import httpx

        headers = self._headers()
        timeout_s = WRITE_TIMEOUT_S if method != "GET" else self._timeout_s
        try:
            response = self._client.request(
                method,
                self.url + path,
                headers=headers,
                params=query,
                json=body,
                files=files,
                timeout=BULK_TIMEOUT_S if bulk else timeout_s,
            )
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise self.failures.silence(error) from None
        except ValueError as error:
            raise LabelStudioError(f"{method} {path} cannot be written as JSON: {error}.") from None
        if not response.is_success:
            raise self.failures.refusal(
                response.status_code, detail_of(response), f"{method} {path}"
            )
        if not response.content:
            return {}
        try:
            return read_json(response.content)
        except ValueError:
            raise self.failures.failure(
                f"answers {method} {path} with something else than JSON.",
                "Is LABEL_STUDIO_URL the address of a Label Studio?",
            ) from None

    def download(self, address: str, max_bytes: int) -> bytes:
        """Read a file, with retries; see ``LabelStudio.download``."""
        return _with_retries(
            lambda: self._read_file(address, lambda answer: _bounded(answer, address, max_bytes))
        )

    def peek(self, address: str) -> None:
        """Check that a file can be read, with retries; raises as ``download`` does."""
        _with_retries(lambda: self._read_file(address, lambda _: None, {"Range": "bytes=0-0"}))

    def file_path(self, address: str) -> str:
        """Return the path of a file on this Label Studio; raise LabelStudioError for any other."""
        here = urlsplit(self.url)
        try:
            parts = urlsplit(address)
            is_here = not (parts.scheme or parts.netloc) or (
                (parts.scheme, parts.netloc) == (here.scheme, here.netloc)
            )
        except ValueError:
            is_here = False
        if not is_here:
            raise LabelStudioError(f"{address}: not an address on Label Studio.")
        path = parts.path.removeprefix(here.path)
        plain = unquote(path)
        leaves = "\\" in plain or ".." in PurePosixPath(plain).parts
        if leaves or not plain.startswith(FILE_FOLDERS):
            raise LabelStudioError(f"{address}: not a file that Label Studio serves.")
        return path

    def _read_file(
        self,
        address: str,
        read: Callable[["httpx.Response"], T],
        more_headers: Mapping[str, str] | None = None,
    ) -> T:
        import httpx

        where = address
        for _ in range(MAX_REDIRECTS + 1):
            query = urlsplit(where).query
            url = self.url + self.file_path(where) + (f"?{query}" if query else "")
            headers = {**self._headers(), **(more_headers or {})}
            try:
                with self._client.stream("GET", url, headers=headers) as response:
                    if response.has_redirect_location:
                        where = str(response.url.join(response.headers["location"]))
                        continue
                    if response.is_success:
                        return read(response)
                    response.read()
            except (httpx.RequestError, httpx.InvalidURL) as error:
                raise self.failures.silence(error) from None
            raise self.failures.refusal(response.status_code, detail_of(response), address)
        raise LabelStudioError(f"{address}: Label Studio redirects in a circle.")

    def _headers(self) -> dict[str, str]:
        import httpx
        from label_studio_sdk.core.api_error import ApiError

        try:
            return self._tokens.get_headers()
        except httpx.RequestError as error:
            raise self.failures.silence(error) from None
        except ApiError as error:
            raise self.failures.refusal(
                error.status_code, detail(error.body), "the personal access token"
            ) from None
        except json.JSONDecodeError:
            raise self.failures.failure("does not exchange the token.") from None


def _bounded(response: "httpx.Response", address: str, max_bytes: int) -> bytes:
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > max_bytes:
            raise LabelStudioError(f"{address}: larger than {max_bytes} bytes; it is not read.")
    return bytes(content)


def _with_retries(call: Callable[[], T]) -> T:
    for pause_s in RETRY_PAUSES_S:
        began = time.monotonic()
        try:
            return call()
        except TooSlowError:
            raise
        except LabelStudioUnreachableError:
            if time.monotonic() - began > SILENT_S:
                raise
            time.sleep(pause_s)
    return call()
