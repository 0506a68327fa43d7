"""What the address of a file on Label Studio tells: where the file lies, or whose it is."""

import re
from urllib.parse import parse_qs, unquote, urlsplit

# Label Studio finds some of its routes anywhere in an address, so this has to be all of it.
_UPLOADED = re.compile(r"/data/upload/(\d{1,18})/[^/]+", re.ASCII)


def local_file(address: str) -> str | None:
    """Return the path, below the document root, of a local file; None for any other address.

    Examples
    --------
    >>> local_file("/data/local-files/?d=clips/a%20b.wav")
    'clips/a b.wav'
    >>> local_file("/data/upload/1/a.wav") is None
    True
    """
    folder, _, name = urlsplit(address).path.rstrip("/").rpartition("/")
    paths = parse_qs(urlsplit(address).query).get("d")
    is_local = name == "local-files" and folder.endswith("/data") and paths
    return paths[-1].lstrip("/") if is_local and paths else None


def uploaded_to(path: str) -> int | None:
    """Return the project that a file was uploaded to; None for any other path on Label Studio.

    Examples
    --------
    >>> uploaded_to("/data/upload/3/a.wav")
    3
    >>> uploaded_to("/data/upload/3/data/local-files/") is None
    True
    """
    found = _UPLOADED.fullmatch(unquote(path))
    return int(found[1]) if found else None
