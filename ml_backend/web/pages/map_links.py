"""Addresses of views of the map, as ``static/data/address.js`` reads them."""

from collections.abc import Iterable, Mapping
from urllib.parse import quote

LONGEST_ADDRESS = 3_500
"""In characters: gunicorn refuses request lines beyond 4094."""


def map_of_filter(project_id: int, **filters: str) -> str:
    """Give the map on the clips whose columns have these values.

    Examples
    --------
    >>> map_of_filter(1, label="dog, barking", predicted="a.b")
    '/projects/1/map?f.label=dog%2C%20barking&f.predicted=a%2Eb'
    """
    return map_of_filters(
        project_id, {column: written_value(text) for column, text in filters.items()}
    )


def map_of_filters(project_id: int, filters: Mapping[str, str]) -> str:
    """Give the map on the clips that pass filters, each written as the map reads it.

    Examples
    --------
    >>> map_of_filters(1, {"meta:wind speed": "1..2", "skipped": "false"})
    '/projects/1/map?f.meta:wind%20speed=1..2&f.skipped=false'
    """
    parts = (f"f.{quote(column, safe=':@')}={text}" for column, text in filters.items())
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


def written_value(text: str) -> str:
    """Write a value so that no part of it means anything: a class may be called "-" or "a..b"."""
    written = quote(text, safe="!'()*:").replace(".", "%2E").replace("~", "%7E")
    if written == "-":
        return "%2D"
    return f"%21{written[1:]}" if written.startswith("!") else written
