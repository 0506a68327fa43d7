"""What visitors wrote and can take back, each by a word; kept in memory for an hour."""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ml_backend.web.access.visitors import Visitor
from ml_backend.web.labeling.annotation_writer import Written

UNDO_S = 3600.0
_N_CLIPS_OF_ONE = 200_000
_N_CLIPS = 1_000_000


class Undos:
    """What can be undone, the latest of everybody; safe to share between threads.

    An own cache: bounded by clips, of each visitor and of all, since one undo may be of a hundred
    thousand clips.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Undo] = OrderedDict()

    def add(
        self,
        visitor: Visitor,
        project_id: int,
        written: Sequence[Written],
        word: str | None = None,
    ) -> str | None:
        """Remember what was written; give the word that undoes it, and all it undid before.

        None where nothing was written under it.
        """
        before = self.take(word, visitor, project_id) if word is not None else None
        if not written and not before:
            return None
        word = word if word is not None else secrets.token_urlsafe(16)
        self.put_back(word, visitor, project_id, [*(before or ()), *written])
        return word

    def take(self, word: str, visitor: Visitor, project_id: int) -> list[Written] | None:
        """Give what a word undoes, once, and only to whom it was given."""
        with self._lock:
            kept = self._find(word, visitor, project_id)
            if kept is None:
                return None
            del self._kept[word]
        return list(kept.written)

    def holds(self, word: str, visitor: Visitor, project_id: int) -> bool:
        """Tell whether a word undoes anything."""
        with self._lock:
            return self._find(word, visitor, project_id) is not None

    def _find(self, word: str, visitor: Visitor, project_id: int) -> "_Undo | None":
        kept = self._kept.get(word)
        is_theirs = kept is not None and kept.whose == (visitor.user_id, project_id)
        return kept if kept is not None and is_theirs and self._clock() <= kept.until else None

    def put_back(
        self, word: str, visitor: Visitor, project_id: int, written: Sequence[Written]
    ) -> None:
        """Let a word undo this, if it is anything."""
        if not written:
            return
        kept = _Undo((visitor.user_id, project_id), tuple(written), self._clock() + UNDO_S)
        with self._lock:
            self._kept[word] = kept
            theirs = [one for one, undo in self._kept.items() if undo.whose[0] == kept.whose[0]]
            self._drop_oldest(theirs, _N_CLIPS_OF_ONE)
            self._drop_oldest(list(self._kept), _N_CLIPS)

    def _drop_oldest(self, words: Sequence[str], n_clips: int) -> None:
        n_kept = sum(len(self._kept[word].written) for word in words)
        for word in words:
            if n_kept <= n_clips:
                return
            n_kept -= len(self._kept.pop(word).written)


@dataclass(frozen=True)
class _Undo:
    whose: tuple[int, int]
    written: tuple[Written, ...]
    until: float
