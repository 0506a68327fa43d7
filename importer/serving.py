"""Serve: three ways for Label Studio's pages to get at prepared files.

Local files suit a Label Studio that shares a disk with the importer; uploads need nothing but
its API; a base URL suits files that a web server or a bucket already serves.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from ml_backend.errors import SettingsError
from ml_backend.label_studio import LabelStudio


class Serving(Protocol):
    """A way to serve prepared files."""

    def check(self, files_dir: Path) -> None:
        """See that what lies in a folder can be served, before anything is put there."""

    def address(self, path: Path) -> str:
        """Return the address of a prepared file for task data, and see that it is served."""


@dataclass(frozen=True)
class LocalFiles:
    """Label Studio reads the files below its document root, through a local-files storage.

    Examples
    --------
    >>> LocalFiles(Path("/srv/files")).address(Path("/srv/files/my clips/a#1.wav"))
    '/data/local-files/?d=my%20clips/a%231.wav'
    """

    document_root: Path

    def address(self, path: Path) -> str:
        """Return the file's address below the document root.

        Raises
        ------
        SettingsError
            If it does not lie there.
        """
        return "/data/local-files/?d=" + _below(self.document_root, path)

    def check(self, files_dir: Path) -> None:
        """Raise SettingsError if the folder does not lie below the document root."""
        _below(self.document_root, files_dir)


@dataclass(frozen=True)
class BaseUrl:
    """Something else serves ``files_dir`` at ``url``.

    Examples
    --------
    >>> BaseUrl("https://sounds.example.org/", Path("/srv")).address(Path("/srv/a b.wav"))
    'https://sounds.example.org/a%20b.wav'
    """

    url: str
    files_dir: Path

    def address(self, path: Path) -> str:
        """Return the file's address below the base URL."""
        return f"{self.url.rstrip('/')}/{_below(self.files_dir, path)}"

    def check(self, files_dir: Path) -> None:
        """Raise SettingsError if the folder does not lie below the one that is served."""
        _below(self.files_dir, files_dir)


@dataclass(frozen=True)
class Upload:
    """Label Studio keeps a copy of every file with the project."""

    label_studio: LabelStudio
    project_id: int

    def address(self, path: Path) -> str:
        """Upload the file and give its address."""
        return self.label_studio.upload_file(self.project_id, path.name, path.read_bytes())

    def check(self, files_dir: Path) -> None:
        """Accept any folder: an upload is served wherever it came from."""


def _below(root: Path, path: Path) -> str:
    try:
        relative = path.resolve().relative_to(root.resolve())
    except ValueError:
        raise SettingsError(
            f"{path} does not lie below {root}, where Label Studio looks for files. "
            "Choose a files folder below it, or upload the files."
        ) from None
    return quote(relative.as_posix())
