"""Names that public JSON had before. They stay beside the present ones for one version."""

from collections.abc import Mapping
from typing import Any

_FORMER = {
    "failed": "unheard",
    "n_failed": "n_unheard",
    "pinned": "held",
    "requested_by": "asked_by",
    "requested_at": "asked_at",
}


def with_former_names(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer with every value also under the name that it had before.

    Examples
    --------
    >>> with_former_names({"project": 1, "n_failed": 2})
    {'project': 1, 'n_failed': 2, 'n_unheard': 2}
    """
    return {**body, **{_FORMER[name]: body[name] for name in body if name in _FORMER}}
