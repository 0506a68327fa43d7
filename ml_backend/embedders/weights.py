"""Where the weights of the mn networks come from: a path of the user's, or the official release.

The release publishes no checksums. The sha256 of mn04 is known here and pinned; for the others
it is recorded beside the file at the first download and held from then on, and a file must fit
its network exactly (``mn.load_network``). A file of the user's under a name of its own (weights
trained further, say) is checked by that fit alone; the embedder's id carries its sha256.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import uuid4

from ml_backend.errors import WeightsError

RELEASE_URL = "https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1"
FILE_NAMES = {
    "mn04": "mn04_as_mAP_432.pt",
    "mn10": "mn10_as_mAP_471.pt",
    "mn20": "mn20_as_mAP_478.pt",
    "mn40": "mn40_as_mAP_484.pt",
}
PINNED_SHA256 = {"mn04": "899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c"}
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Weights:
    """A file of weights and what it contains, as 64 hexadecimal digits."""

    path: Path
    sha256: str


def find_weights(
    name: str, weights: Path | None, cache_dir: Path, release_url: str = RELEASE_URL
) -> Weights:
    """Find the weights of a network, downloading them where no path is given and none are cached.

    Parameters
    ----------
    name : str
        One of ``FILE_NAMES``.
    weights : Path, optional
        A file, or a folder that holds the file of the official name.
    cache_dir : Path
        Where downloads are kept; a damaged one is fetched again.
    release_url : str
        Folder of the release.

    Raises
    ------
    WeightsError
        If there is no such file, it cannot be fetched or kept, or its sha256 is not the known one.

    Examples
    --------
    >>> find_weights("mn04", Path("no/such/folder"), Path(".earmark"))
    Traceback (most recent call last):
    ml_backend.errors.WeightsError: no/such/folder: no such file. Let EARMARK_WEIGHTS name \
mn04_as_mAP_432.pt, or the folder that holds it.
    """
    if weights is not None:
        return _local_weights(name, weights)
    path = cache_dir / FILE_NAMES[name]
    record = path.with_suffix(".sha256")
    expected = PINNED_SHA256.get(name)
    if expected is None and record.is_file():
        expected = record.read_text(encoding="ascii").strip()
    if path.is_file() and sha256_of(path) == expected:
        return Weights(path, expected)
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        sha256 = download(f"{release_url}/{path.name}", path, expected)
        record.write_text(sha256 + "\n", encoding="ascii")
    except OSError as error:
        raise WeightsError(
            f"{cache_dir}: weights cannot be kept there ({error}). "
            "Let EARMARK_DATA name a folder that can be written."
        ) from error
    return Weights(path, sha256)


def sha256_of(path: Path) -> str:
    """Name a file by what it contains: 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def written_beside(path: Path) -> Iterator[IO[bytes]]:
    """Write a file beside ``path`` and rename it into place; on failure nothing is left.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with written_beside(Path(folder) / "a.txt") as file:
    ...         _ = file.write(b"whole")
    ...     [entry.name for entry in Path(folder).iterdir()]
    ['a.txt']
    """
    part = path.with_name(f"{path.name}.{uuid4().hex}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _local_weights(name: str, weights: Path) -> Weights:
    path = weights / FILE_NAMES[name] if weights.is_dir() else weights
    if not path.is_file():
        raise WeightsError(
            f"{path}: no such file. Let EARMARK_WEIGHTS name {FILE_NAMES[name]}, "
            "or the folder that holds it."
        )
    sha256 = sha256_of(path)
    is_official = path.name == FILE_NAMES[name]
    if is_official and sha256 != PINNED_SHA256.get(name, sha256):
        raise WeightsError(
            f"{path}: sha256 {sha256}, wanted {PINNED_SHA256[name]}; the file is damaged. "
            f"Fetch {RELEASE_URL}/{path.name} again, or unset EARMARK_WEIGHTS."
        )
    return Weights(path, sha256)


def download(url: str, path: Path, expected: str | None) -> str:
    """Fetch ``url`` into ``path`` and give its sha256, which must be the expected one.

    Raises
    ------
    WeightsError
        If it cannot be had or has another sha256; nothing is left at ``path`` then.
    """
    import httpx

    remedy = f"Fetch {url} yourself and let EARMARK_WEIGHTS name the file or its folder."
    timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    digest = hashlib.sha256()
    try:
        with (
            httpx.stream("GET", url, timeout=timeout, follow_redirects=True) as answer,
            written_beside(path) as file,
        ):
            if answer.status_code != 200:
                raise WeightsError(f"{url}: answered {answer.status_code}. {remedy}")
            for piece in answer.iter_bytes():
                digest.update(piece)
                file.write(piece)
            sha256 = digest.hexdigest()
            if sha256 != (expected or sha256):
                raise WeightsError(f"{url}: came with sha256 {sha256}, wanted {expected}. {remedy}")
    except httpx.HTTPError as error:
        raise WeightsError(f"{url}: cannot be fetched ({error}). {remedy}") from error
    return sha256
