"""What failures of Label Studio are called, and what whoever runs Earmark can do about them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ml_backend.errors import (
    LabelStudioAuthError,
    LabelStudioError,
    LabelStudioNotFoundError,
    LabelStudioUnreachableError,
)

if TYPE_CHECKING:
    import httpx

_TOKEN_ADVICE = {
    "personal": "LABEL_STUDIO_API_KEY is a personal access token: is it of this Label Studio, not "
    "revoked or expired, and may its owner do this?",
    "legacy": "LABEL_STUDIO_API_KEY is a legacy token: is it of this Label Studio, and may its "
    "owner do this? Many Label Studios refuse legacy tokens; take a personal access token.",
    "unknown": "LABEL_STUDIO_API_KEY is neither a personal access token (eyJ...) nor a legacy "
    "token (40 hexadecimal digits): was all of it copied?",
}


class TooSlowError(LabelStudioUnreachableError):
    """An answer was on its way, but too late: asking again would only add to the load."""


@dataclass(frozen=True)
class Failures:
    """Names the failures of the Label Studio at ``url``, called with a token of ``token_kind``."""

    url: str
    token_kind: str

    def silence(self, error: "httpx.RequestError | httpx.InvalidURL") -> LabelStudioError:
        """Return the error for a call that got no answer that can be read."""
        import httpx

        if isinstance(error, httpx.DecodingError):
            return self.failure(
                "answers with something that cannot be decompressed.",
                "Is there a proxy on the way that spoils it?",
            )
        if isinstance(error, httpx.TimeoutException) and not isinstance(
            error, httpx.ConnectTimeout
        ):
            return self.failure("did not answer in time.", kind=TooSlowError)
        return self.failure(
            f"does not answer ({type(error).__name__}).",
            "Is it running, and is LABEL_STUDIO_URL its address?",
            kind=LabelStudioUnreachableError,
        )

    def refusal(self, status: int | None, detail: str, what: str) -> LabelStudioError:
        """Return the error for an answer with a status other than success."""
        status = status or 401  # the SDK refuses tokens itself, without a status
        said = f": {detail}" if detail else ""
        if status in (401, 403):
            return self.failure(
                f"refuses {what} ({status}{said}).",
                _TOKEN_ADVICE[self.token_kind],
                kind=LabelStudioAuthError,
            )
        if status == 404:
            return self.failure(f"does not know {what} (404{said}).", kind=LabelStudioNotFoundError)
        if status in (502, 503):
            return self.failure(f"is not ready ({status}{said}).", kind=LabelStudioUnreachableError)
        if status == 504:
            return self.failure(f"took too long over {what} (504).", kind=TooSlowError)
        if 300 <= status < 400:
            return self.failure(
                f"redirects {what}.", f"Set LABEL_STUDIO_URL to where it leads{said}."
            )
        return self.failure(f"answers {status} to {what}{said}")

    def failure(
        self,
        what_it_does: str,
        advice: str = "",
        *,
        kind: type[LabelStudioError] = LabelStudioError,
    ) -> LabelStudioError:
        """Return an error; only whoever runs Earmark is shown the address and the advice."""
        told = f"Label Studio at {self.url} {what_it_does} {advice}".rstrip()
        return kind(told, plain=f"Label Studio {what_it_does}")


def token_kind(api_key: str) -> str:
    """Return what a token looks like: ``personal``, ``legacy`` or ``unknown``.

    Examples
    --------
    >>> token_kind("0123456789abcdef" * 2 + "01234567"), token_kind("eyJh.eyJ0.c2ln")
    ('legacy', 'personal')
    """
    if api_key.startswith("eyJ") and api_key.count(".") == 2:
        return "personal"
    return "legacy" if re.fullmatch(r"[0-9a-f]{40}", api_key) else "unknown"


def detail_of(response: "httpx.Response") -> str:
    """Return what a response says of an error, or where it redirects to."""
    if response.has_redirect_location:
        return str(response.headers["location"]).partition("?")[0][:200]
    try:
        return detail(response.json())
    except ValueError:
        return ""


def detail(body: Any) -> str:
    """Return the part meant for people of what Label Studio says of an error, shortened."""
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
