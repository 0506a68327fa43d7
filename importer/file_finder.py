"""Find the files that a table names, whatever the spelling of its umlauts and slashes."""

import os
import unicodedata
from pathlib import Path


class FileFinder:
    """Finds files by name below one folder.

    Parameters
    ----------
    root : Path
        The folder.
    takes_any_path : bool
        Whether an absolute path may lead out of it.
    """

    def __init__(self, root: Path, takes_any_path: bool) -> None:
        self._root = Path(os.path.normpath(root.absolute()))
        self._takes_any_path = takes_any_path
        self._by_name: dict[str, list[Path]] | None = None

    def find(self, named: str) -> Path | str:
        """Return the path, or the reason why there is none."""
        path = Path(os.path.normpath(self._root / named))
        is_allowed = self._takes_any_path and Path(named).is_absolute()
        if not is_allowed and not path.is_relative_to(self._root):
            return f"lies outside {self._root}. Name the folder above all recordings with --root."
        spellings = [named, *(unicodedata.normalize(form, named) for form in ("NFC", "NFD"))]
        if "/" not in named:
            spellings.append(named.replace("\\", "/"))
        try:
            for spelling in spellings:
                if (self._root / spelling).is_file():
                    return self._root / spelling
        except (OSError, ValueError) as error:
            return f"is no usable file name: {error}."
        below = self._below().get(named, [])
        if len(below) > 1:
            return f"is ambiguous: {len(below)} files below {self._root} have this name."
        return below[0] if below else f"there is no such file below {self._root}."

    def _below(self) -> dict[str, list[Path]]:
        if self._by_name is None:
            self._by_name = {}
            for path in self._root.rglob("*"):
                self._by_name.setdefault(path.name, []).append(path)
        return self._by_name
