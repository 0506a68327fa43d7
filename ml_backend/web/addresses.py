"""Addresses of views of the map, as ``static/address.js`` reads them."""

from collections.abc import Iterable
from urllib.parse import quote


def map_of_filter(project_id: int, **filters: str) -> str:
    """Give the map on the clips whose columns have these values.

    Examples
    --------
    >>> map_of_filter(1, label="dog, barking", predicted="a.b")
    '/projects/1/map?f.label=dog%2C%20barking&f.predicted=a%2Eb'
    """
    parts = (f"f.{column}={_value(text)}" for column, text in filters.items())
    return f"/projects/{project_id}/map?{'&'.join(parts)}"


def map_of_clips(project_id: int, task_ids: Iterable[int]) -> str:
    """Give the map on chosen clips, the first one open; how many there are is no matter.

    Examples
    --------
    >>> map_of_clips(1, [12, 15])
    '/projects/1/map?focus=12#sel=12,15'
    """
    chosen = list(task_ids)
    return f"/projects/{project_id}/map?focus={chosen[0]}#sel={','.join(map(str, chosen))}"


def _value(text: str) -> str:
    """Write a value so that no part of it means anything: a class may be called "-" or "a..b"."""
    written = quote(text, safe="!'()*:").replace(".", "%2E").replace("~", "%7E")
    if written == "-":
        return "%2D"
    return f"%21{written[1:]}" if written.startswith("!") else written
