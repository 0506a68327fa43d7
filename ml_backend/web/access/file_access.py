"""Reach: which files a visitor is given through the addresses of a project's tasks.

Those addresses are data from strangers, while the backend's token and disk hold the files of all
projects. So a visitor is given what was uploaded to the project that is looked at, what lies below
its storages, and else only what Label Studio itself gives to this visitor. With the backend's
secret nothing is out of reach.
"""

import posixpath
import threading
import time
from collections.abc import Callable
from pathlib import Path

from cachetools import TTLCache, cachedmethod

from ml_backend.errors import AudioError, LabelStudioAuthError, LabelStudioNotFoundError
from ml_backend.label_studio import LabelStudio
from ml_backend.web.access.visitors import Visitor

KNOWN_S = 60.0
"""Time after which the storages of a project are asked for again, in s."""
_N_PROJECTS = 1_000


class Reach:
    """Tells what is within a visitor's reach; safe to share between threads.

    Parameters
    ----------
    label_studio : LabelStudio
        As the backend sees it.
    files_root : Path or None
        Label Studio's document root, if it can be read from here. Where the paths of storages lie
        elsewhere, Label Studio is asked for each file.
    """

    def __init__(
        self,
        label_studio: LabelStudio,
        files_root: Path | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._label_studio = label_studio
        self._files_root = files_root.absolute() if files_root else None
        self._storages: TTLCache[object, list[str]] = TTLCache(_N_PROJECTS, KNOWN_S, timer=clock)
        self._lock = threading.Lock()

    def check(self, visitor: Visitor | None, project_id: int, address: str) -> None:
        """See that a visitor may be given a file; addresses on other hosts are not judged.

        Raises
        ------
        AudioError
            If not.
        LabelStudioUnreachableError
            If Label Studio would have to be asked and does not answer.
        """
        if not self.holds(visitor, project_id, address):
            raise AudioError(
                f"{address[:200]!r}: this is no file of project {project_id}, and Label Studio "
                "does not give it to you. Upload it to the project, or let a storage of it hold it."
            )

    def holds(self, visitor: Visitor | None, project_id: int, address: str) -> bool:
        """Tell whether a visitor may be given a file; raises only as ``check`` does for silence."""
        if visitor is None or not self._label_studio.serves(address):
            return True
        return self._is_of_project(project_id, address) or visitor.label_studio.gives(address)

    def _is_of_project(self, project_id: int, address: str) -> bool:
        local = self._label_studio.local_file(address)
        if local is None:
            return self._label_studio.uploaded_to(address) == project_id
        if self._files_root is None:
            return False
        path = self._files_root / posixpath.normpath(local)
        return any(path.is_relative_to(folder) for folder in self._folders(project_id))

    @cachedmethod(
        lambda self: self._storages,
        key=lambda _, project_id: project_id,
        lock=lambda self: self._lock,
    )
    def _folders(self, project_id: int) -> list[str]:
        """List the folders of a project's storages."""
        try:
            storages = self._label_studio.storages(project_id)
        except (LabelStudioAuthError, LabelStudioNotFoundError):
            return []
        return [storage["path"] for storage in storages if storage["path"]]
