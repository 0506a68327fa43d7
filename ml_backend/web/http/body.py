"""Reading what a client sent."""

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


def task_numbers(said: Any, *, at_most: int, more_go: str = "") -> list[int]:
    """Read a list of tasks' numbers, each once; ``more_go`` tells where more of them may go.

    Raises
    ------
    RequestError
        If it is no such list, is empty, or is longer than it may be.

    Examples
    --------
    >>> task_numbers([3, 1, 3], at_most=5)
    [3, 1]
    """
    is_list = isinstance(said, list) and all(type(one) is int and 0 < one < 2**63 for one in said)
    if not is_list or not said:
        raise RequestError("'task_ids' must be a list of the numbers of tasks, with one at least.")
    numbers = list(dict.fromkeys(said))
    if len(numbers) > at_most:
        limit = f"{at_most} are the limit" + (f"; {more_go} takes more" if more_go else "")
        raise RequestError(f"{len(numbers)} tasks are too many at once; {limit}.")
    return numbers
