"""What kind of answer a client can use: a page for people, or JSON."""

import re

from flask import request

_LOCAL = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")


def is_page() -> bool:
    """Tell whether a browser asks for a page: it says so, and scripts and images do not."""
    return request.method in ("GET", "HEAD", "POST") and any(
        kind in ("text/html", "application/xhtml+xml") for kind, _ in request.accept_mimetypes
    )


def local_path(said: str | None) -> str | None:
    r"""Give a path on this host to go on to; None for anything that leads elsewhere.

    Browsers read ``//host`` and ``/\host`` as other hosts, and skip control characters.

    Examples
    --------
    >>> local_path("/projects/1/map?color=entropy")
    '/projects/1/map?color=entropy'
    >>> [local_path(said) for said in ("//evil.example", "/\\evil.example", "https://e", None)]
    [None, None, None, None]
    """
    return said if said and _LOCAL.fullmatch(said) else None
