"""How one call to Label Studio is made, and what its failures are called.

``label-studio-sdk`` deals with the tokens (legacy ones, and personal access tokens that it
exchanges as they expire). The calls themselves are made here: the SDK's own client loads pandas
(3 s) and checks every field of every task on its way in and out.

Only reading is tried again when the connection breaks: nothing is ever sent twice.
"""

import json
import re
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
from ml_backend.metadata.sanitize import read_json

if TYPE_CHECKING:
    import httpx

WRITE_TIMEOUT_S = 30.0
"""A change that is given up on may still be made; so it is given up on later than a question."""
BULK_TIMEOUT_S = 300.0
MAX_REDIRECTS = 3
RETRY_PAUSES_S = (0.2, 0.8)
SILENT_S = 1.0  # what took so long to fail is not about to come back
# Where Label Studio serves files; a task's address must not make us call anything else.
FILE_FOLDERS = ("/data/", "/storage-data/", "/static/", "/tasks/", "/projects/")

_TOKEN_ADVICE = {
    "personal": "LABEL_STUDIO_API_KEY is a personal access token: is it of this Label Studio, not "
    "revoked or expired, and may its owner do this?",
    "legacy": "LABEL_STUDIO_API_KEY is a legacy token: is it of this Label Studio, and may its "
    "owner do this? Many Label Studios refuse legacy tokens; take a personal access token.",
    "unknown": "LABEL_STUDIO_API_KEY is neither a personal access token (eyJ...) nor a legacy "
    "token (40 hexadecimal digits): was all of it copied?",
}

T = TypeVar("T")


class TooSlowError(LabelStudioUnreachableError):
    """An answer was on its way, but too late: asking again would only add to the load."""


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
        self._token_kind = token_kind(api_key)
        self._timeout_s = timeout_s
        self._client = httpx.Client(timeout=timeout_s, transport=transport)
        try:
            self._tokens = SyncClientWrapper(
                api_key=api_key, base_url=f"{self.url}/", httpx_client=self._client
            )
        except ApiError as error:
            raise self._refusal(error.status_code, _detail(error.body), "the token") from None
        except (TypeError, ValueError, OverflowError):  # the SDK reads when it expires
            raise self._refusal(401, "it cannot be read", "the token") from None

    def get(self, path: str, *, query: Mapping[str, Any] | None = None, bulk: bool = False) -> Any:
        """Read JSON, patiently."""
        return _patiently(lambda: self.send("GET", path, query=query, bulk=bulk))

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
            raise self._silence(error) from None
        except ValueError as error:
            raise LabelStudioError(f"{method} {path} cannot be written as JSON: {error}.") from None
        if not response.is_success:
            raise self._refusal(response.status_code, _detail_of(response), f"{method} {path}")
        if not response.content:
            return {}
        try:
            return read_json(response.content)
        except ValueError:
            raise self._failure(
                f"answers {method} {path} with something else than JSON.",
                "Is LABEL_STUDIO_URL the address of a Label Studio?",
            ) from None

    def download(self, address: str, max_bytes: int) -> bytes:
        """Read a file, patiently; see ``LabelStudio.download``."""
        return _patiently(
            lambda: self._read_file(address, lambda answer: _bounded(answer, address, max_bytes))
        )

    def peek(self, address: str) -> None:
        """See that a file could be read, patiently; raises as ``download`` does."""
        _patiently(lambda: self._read_file(address, lambda _: None, {"Range": "bytes=0-0"}))

    def file_path(self, address: str) -> str:
        """Give the path of a file on this Label Studio, and refuse any other address."""
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
                raise self._silence(error) from None
            raise self._refusal(response.status_code, _detail_of(response), address)
        raise LabelStudioError(f"{address}: Label Studio redirects in a circle.")

    def _headers(self) -> dict[str, str]:
        import httpx
        from label_studio_sdk.core.api_error import ApiError

        try:
            return self._tokens.get_headers()
        except httpx.RequestError as error:
            raise self._silence(error) from None
        except ApiError as error:
            detail = _detail(error.body)
            raise self._refusal(error.status_code, detail, "the personal access token") from None
        except json.JSONDecodeError:
            raise self._failure("does not exchange the token.") from None

    def _silence(self, error: "httpx.RequestError | httpx.InvalidURL") -> LabelStudioError:
        import httpx

        if isinstance(error, httpx.DecodingError):
            return self._failure(
                "answers with something that cannot be decompressed.",
                "Is there a proxy on the way that spoils it?",
            )
        if isinstance(error, httpx.TimeoutException) and not isinstance(
            error, httpx.ConnectTimeout
        ):
            return self._failure("did not answer in time.", kind=TooSlowError)
        return self._failure(
            f"does not answer ({type(error).__name__}).",
            "Is it running, and is LABEL_STUDIO_URL its address?",
            kind=LabelStudioUnreachableError,
        )

    def _refusal(self, status: int | None, detail: str, what: str) -> LabelStudioError:
        status = status or 401  # the SDK refuses tokens itself, without a status
        said = f": {detail}" if detail else ""
        if status in (401, 403):
            return self._failure(
                f"refuses {what} ({status}{said}).",
                _TOKEN_ADVICE[self._token_kind],
                kind=LabelStudioAuthError,
            )
        if status == 404:
            return self._failure(
                f"does not know {what} (404{said}).", kind=LabelStudioNotFoundError
            )
        if status in (502, 503):
            return self._failure(
                f"is not ready ({status}{said}).", kind=LabelStudioUnreachableError
            )
        if status == 504:
            return self._failure(f"took too long over {what} (504).", kind=TooSlowError)
        if 300 <= status < 400:
            return self._failure(
                f"redirects {what}.", f"Set LABEL_STUDIO_URL to where it leads{said}."
            )
        return self._failure(f"answers {status} to {what}{said}")

    def _failure(
        self,
        what_it_does: str,
        advice: str = "",
        *,
        kind: type[LabelStudioError] = LabelStudioError,
    ) -> LabelStudioError:
        """Name the address, and what to mend, to whoever runs Earmark alone."""
        told = f"Label Studio at {self.url} {what_it_does} {advice}".rstrip()
        return kind(told, plain=f"Label Studio {what_it_does}")


def token_kind(api_key: str) -> str:
    """Tell what a token looks like: ``personal``, ``legacy`` or ``unknown``.

    Examples
    --------
    >>> token_kind("0123456789abcdef" * 2 + "01234567"), token_kind("eyJh.eyJ0.c2ln")
    ('legacy', 'personal')
    """
    if api_key.startswith("eyJ") and api_key.count(".") == 2:
        return "personal"
    return "legacy" if re.fullmatch(r"[0-9a-f]{40}", api_key) else "unknown"


def _bounded(response: "httpx.Response", address: str, max_bytes: int) -> bytes:
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > max_bytes:
            raise LabelStudioError(f"{address}: larger than {max_bytes} bytes; it is not read.")
    return bytes(content)


def _patiently(call: Callable[[], T]) -> T:
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


def _detail_of(response: "httpx.Response") -> str:
    if response.has_redirect_location:
        return str(response.headers["location"]).partition("?")[0][:200]
    try:
        return _detail(response.json())
    except ValueError:
        return ""


def _detail(body: Any) -> str:
    """Shorten what Label Studio says of an error to the part meant for people."""
    said = body if isinstance(body, list) else ""
    if isinstance(body, Mapping):
        fields = body.get("validation_errors")
        if isinstance(fields, Mapping) and fields:
            said = [
                _plain(what) if name == "non_field_errors" else f"{name}: {_plain(what)}"
                for name, what in fields.items()
            ]
        else:
            said = body.get("detail") or ""
    return re.sub(r"(<[^>]*>|\s)+", " ", _plain(said)).strip()[:300]


def _plain(what: Any) -> str:
    return "; ".join(map(str, what)) if isinstance(what, list) else str(what)
