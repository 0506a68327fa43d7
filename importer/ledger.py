"""Remember which files have been prepared, so that a run does not decode what an earlier one did.

One JSON line per clip, appended as it is prepared. A killed run can at worst leave a torn last
line, which is skipped. Losing the ledger loses time, never a clip.
"""

import json
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from importer.prepare import PreparedClip, is_prepared
from importer.scan import Clip

PREPARATION = 1  # raise it when the same file would be prepared differently


class Ledger:
    """What has been prepared: file, size, time of change and window → content hash."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._prepared: dict[str, tuple[str, float]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            self._load()
        self._file = path.open("a", encoding="ascii")

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def find(self, clip: Clip, files_dir: Path) -> PreparedClip | None:
        """Recall a clip whose file has not changed and whose prepared files are there."""
        key = _key(clip)
        if key is None or key not in self._prepared:
            return None
        content_hash, duration_s = self._prepared[key]
        if not is_prepared(files_dir, content_hash):
            return None
        return PreparedClip(clip, content_hash, duration_s)

    def add(self, prepared: PreparedClip) -> None:
        """Remember a prepared clip, at once and for good."""
        key = _key(prepared.clip)
        if key is not None:
            self._prepared[key] = (prepared.content_hash, prepared.duration_s)
            line = json.dumps([key, prepared.content_hash, prepared.duration_s])
            self._file.write(line + "\n")
            self._file.flush()

    def _load(self) -> None:
        text = self._path.read_text(encoding="ascii", errors="replace")
        if text and not text.endswith("\n"):
            with self._path.open("a", encoding="ascii") as file:
                file.write("\n")
        for line in text.splitlines():
            with suppress(ValueError, TypeError):
                key, content_hash, duration_s = json.loads(line)
                self._prepared[str(key)] = (str(content_hash), float(duration_s))


def _key(clip: Clip) -> str | None:
    try:
        stat = clip.path.stat()
    except OSError:
        return None
    state: list[Any] = [PREPARATION, str(clip.path.absolute()), stat.st_size, stat.st_mtime_ns]
    return json.dumps([*state, clip.onset_s, clip.duration_s])
