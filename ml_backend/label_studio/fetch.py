"""Turn the audio address of a task into something that can be read.

Addresses are data from strangers: only Label Studio itself, the folder that it serves and the
hosts named in ``EARMARK_AUDIO_HOSTS`` are read, and the token goes to Label Studio alone.
"""

import posixpath
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ml_backend.errors import (
    AudioError,
    LabelStudioAuthError,
    LabelStudioError,
    LabelStudioNotFoundError,
    LabelStudioUnreachableError,
)
from ml_backend.label_studio import LabelStudio

if TYPE_CHECKING:
    import httpx

MAX_FILE_BYTES = 1 << 30
MAX_FETCH_S = 120.0
MAX_REDIRECTS = 3
PORTS = {"http": 80, "https": 443}


class Fetcher:
    """Reads audio from where it may be read; safe to share between threads.

    Parameters
    ----------
    label_studio
        Serves uploads, storages and (where ``files_root`` is None) local files.
    files_root
        Label Studio's document root, if it can be read from here.
    audio_hosts
        Other hosts that clips may come from, such as ``sounds.example.org`` or, with a port,
        ``192.168.0.7:9000``.
    max_bytes
        Larger files are not read over the network.
    transport
        Stands in for the network in tests.
    """

    def __init__(
        self,
        label_studio: LabelStudio,
        files_root: Path | None,
        audio_hosts: tuple[str, ...],
        *,
        max_bytes: int = MAX_FILE_BYTES,
        transport: "httpx.BaseTransport | None" = None,
    ) -> None:
        import httpx

        self._label_studio = label_studio
        self._files_root = files_root.resolve() if files_root else None
        self._audio_hosts = frozenset(host.lower() for host in audio_hosts)
        self._max_bytes = max_bytes
        self._client = httpx.Client(timeout=20.0, transport=transport)

    def fetch(self, address: str) -> Path | bytes:
        """Find the file on disk, or read it over the network.

        Raises
        ------
        AudioError
            If there is no such file, or it may not be read from there.
        LabelStudioUnreachableError, LabelStudioAuthError
            If Label Studio would have to be asked and cannot be: the clip may be fine.
        """
        if not isinstance(address, str) or not address:
            raise AudioError(f"The task's audio is {address!r}; it must be an address.")
        return self.on_disk(address) or self.download(address)

    def on_disk(self, address: str) -> Path | None:
        """Find the file on disk; None where the address leads elsewhere.

        Raises
        ------
        AudioError
            If there should be a file and is none, or the address leads out of the folder.
        """
        local = self._label_studio.local_file(address)
        if local is None or self._files_root is None:
            return None
        return _inside(self._files_root, local, repr(address[:200]))

    def download(self, address: str) -> bytes:
        """Read the file over the network; raises as ``fetch`` does."""
        shown = repr(address[:200])
        if self._label_studio.serves(address):
            return self._from_label_studio(address, shown)
        return self._from_elsewhere(address, shown)

    def check(self) -> None:
        """See that Label Studio itself answers, so that what cannot be fetched is a clip's fault.

        Raises
        ------
        LabelStudioUnreachableError, LabelStudioAuthError
            If it does not, or does not know the token.
        """
        self._label_studio.whoami()

    def _from_label_studio(self, address: str, shown: str) -> bytes:
        try:
            return self._label_studio.download(address, max_bytes=self._max_bytes)
        except (LabelStudioUnreachableError, LabelStudioAuthError):
            raise
        except LabelStudioNotFoundError:
            raise AudioError(
                f"{shown}: Label Studio has no such file. "
                "Put it back, or delete the task; local files also need a storage in the project."
            ) from None
        except LabelStudioError as error:
            raise AudioError(f"{shown} cannot be read: {error.plain}") from None

    def _from_elsewhere(self, address: str, shown: str) -> bytes:
        import httpx

        deadline = time.monotonic() + MAX_FETCH_S
        try:
            url = httpx.URL(address)
            for _ in range(MAX_REDIRECTS + 1):
                self._check_host(url, shown)
                with self._client.stream("GET", url) as response:
                    if not response.has_redirect_location:
                        return _content(response, shown, deadline, self._max_bytes)
                    url = url.join(response.headers["location"])
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise AudioError(f"{shown} cannot be fetched ({type(error).__name__}).") from None
        raise AudioError(f"{shown} redirects in a circle.")

    def _check_host(self, url: "httpx.URL", shown: str) -> None:
        if url.scheme not in PORTS:
            raise AudioError(
                f"{shown}: Earmark reads files that Label Studio serves and http(s) addresses. "
                "Import the clip with `earmark import`, or let a storage serve it."
            )
        names = {url.host.lower(), f"{url.host}:{url.port or PORTS[url.scheme]}".lower()}
        if not names & self._audio_hosts:
            raise AudioError(
                f"{shown}: clips are not fetched from {url.host or 'there'}. "
                "If they should be, add the host to EARMARK_AUDIO_HOSTS."
            )


def _inside(root: Path, local: str, shown: str) -> Path:
    try:
        path = (root / posixpath.normpath(local)).resolve()  # as Label Studio reads it
        if not path.is_relative_to(root):
            raise AudioError(
                f"{shown} leads out of the folder that Label Studio serves. "
                "Move the file into it and import it again."
            )
        if path.is_file():
            return path
    except (OSError, ValueError):
        raise AudioError(f"{shown} is no name for a file.") from None
    raise AudioError(f"{shown}: there is no such file. Put it back, or delete the task.")


def _content(response: "httpx.Response", shown: str, deadline: float, max_bytes: int) -> bytes:
    if response.is_error:
        raise AudioError(f"{shown}: its host answers {response.status_code}.")
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > max_bytes:
            raise AudioError(f"{shown}: larger than {max_bytes >> 20} MiB; it is not read.")
        if time.monotonic() > deadline:
            raise AudioError(f"{shown}: not read within {MAX_FETCH_S:.0f} s.")
    return bytes(content)
