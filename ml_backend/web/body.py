"""Reading what a client sent."""

from typing import Any

from flask import request

from ml_backend.errors import RequestError


def json_body() -> dict[str, Any]:
    """Read the request's JSON object.

    Raises
    ------
    RequestError
        If the body is no JSON object.
    """
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise RequestError(f"{request.path} takes a JSON object; the body is none.")
    return body
