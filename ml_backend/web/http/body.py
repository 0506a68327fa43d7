"""Reading what a client sent."""

from collections.abc import Mapping
from typing import Any

from flask import abort, request
from werkzeug.exceptions import RequestEntityTooLarge

from ml_backend.errors import RequestError
from ml_backend.metadata.sanitize import cleaned

MAX_REQUEST_BYTES = 64 * 2**20
"""Label Studio sends whole tasks, as many at once as were made or are to be predicted."""
MAX_JSON_BYTES = 4 * 2**20
"""Five times what the numbers of 100,000 tasks take."""


def json_body(*, max_bytes: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """Read the request's JSON object, cleaned as what Label Studio says is; 413 for a larger one.

    Raises
    ------
    RequestError
        If the body is no JSON object, or is nested deeper than can be read.
    """
    request.max_content_length = max_bytes
    try:
        body = request.get_json(force=True, silent=True)
    except RequestEntityTooLarge:
        abort(413, f"{request.path} takes a JSON object of at most {max_bytes} bytes.")
    except RecursionError:
        raise RequestError(f"{request.path} was sent JSON that is nested too deep.") from None
    if not isinstance(body, dict):
        raise RequestError(f"{request.path} takes a JSON object; the body is none.")
    return dict(cleaned(body))


def task_numbers(
    body: Mapping[str, Any],
    name: str = "task_ids",
    *,
    at_most: int | None = None,
    may_be_empty: bool = False,
    more_go: str = "",
) -> list[int]:
    """Read a list of tasks' numbers from a request, each once.

    Parameters
    ----------
    body : mapping of str to object
    name : str
        The key of the list.
    at_most : int, optional
        Maximum number of tasks.
    may_be_empty : bool
        Whether the list may be empty or absent.
    more_go : str
        The path that takes longer lists.

    Raises
    ------
    RequestError
        If it is no such list, is empty, is longer than it may be, or no task can have a number.

    Examples
    --------
    >>> task_numbers({"task_ids": [3, 1, 3]}, at_most=5)
    [3, 1]
    """
    said = body.get(name)
    if may_be_empty and not said:
        return []
    if not said or not isinstance(said, list) or not all(type(one) is int for one in said):
        wanted = "a list of tasks' numbers, with one at least"
        raise RequestError(f"'{name}' must be {wanted}, not {said!r:.60}.")
    impossible = next((one for one in said if not 0 < one < 2**63), None)
    if impossible is not None:
        raise RequestError(f"'{name}': there is no task {impossible!s:.60}; nothing was changed.")
    numbers = list(dict.fromkeys(said))
    if at_most is not None and len(numbers) > at_most:
        limit = f"{at_most} are the limit" + (f"; {more_go} takes more" if more_go else "")
        raise RequestError(f"{len(numbers)} tasks are too many at once; {limit}.")
    return numbers
