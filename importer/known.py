"""Remember which clips a project has had, so that one that somebody deleted does not come back.

Only what Label Studio confirmed, or was seen to hold, counts: what an import that was cut off did
not bring is new to the next one. A project is told from another with its number, as in a Label
Studio that was set up anew, by when it was made. Losing the file brings deleted clips back, and
loses none.
"""

from collections.abc import Iterable
from pathlib import Path


class Known:
    """The content hashes that a project was seen to hold, in a file of one line each.

    Parameters
    ----------
    path : Path
        Of the file.
    made_at : str
        When the project was made; what is kept of another one is dropped.
    """

    def __init__(self, path: Path, made_at: str) -> None:
        self._path = path
        self._hashes: set[str] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        head = f"project made at {made_at}"
        text = path.read_text(encoding="ascii", errors="replace") if path.exists() else ""
        kept, *hashes = text.split("\n")
        if kept != head:
            path.write_text(head + "\n", encoding="ascii")
            return
        self._hashes = set(hashes)
        if not text.endswith("\n"):  # a run was killed as it wrote
            self._write([""])

    def __contains__(self, content_hash: str) -> bool:
        return content_hash in self._hashes

    def add(self, content_hashes: Iterable[str]) -> None:
        """Remember clips, at once and for good."""
        new = sorted(set(content_hashes) - self._hashes)
        self._write(new)
        self._hashes.update(new)

    def _write(self, lines: Iterable[str]) -> None:
        with self._path.open("a", encoding="ascii") as file:
            file.writelines(f"{line}\n" for line in lines)
