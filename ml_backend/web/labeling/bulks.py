"""Work on any number of labels, done in the background piece by piece, and how far it is."""

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ml_backend.errors import EarmarkError
from ml_backend.web.labeling.annotation_writer import Refused, Written, refusals
from ml_backend.web.labeling.undos import UNDO_S

log = logging.getLogger(__name__)

_N_KEPT = 1_000


@dataclass
class Bulk:
    """One piece of work in the background.

    ``labels`` are None of a skip; ``n`` clips were written, or taken back, of the first ``n_done``
    of ``n_all``.
    """

    word: str
    whose: tuple[int, int]
    began: float
    n_all: int
    is_undo: bool
    labels: list[str] | None = None
    n_done: int = 0
    n: int = 0
    answers: list[Refused] = field(default_factory=list)
    undo: str | None = None
    error: str | None = None
    is_stopped: bool = False
    is_over: bool = False

    def count(self, answers: Sequence[Written | Refused]) -> None:
        """Note what became of the next clips."""
        self.n += sum(isinstance(one, Written) for one in answers)
        self.answers += [one for one in answers if isinstance(one, Refused)]
        self.n_done += len(answers)

    def facts(self) -> dict[str, object]:
        """Tell how far it is, and once it is over, what was not done."""
        told = ("labels", "n_all", "n_done", "n", "is_undo", "undo", "error", "is_over")
        facts: dict[str, object] = {"bulk": self.word} | {one: getattr(self, one) for one in told}
        if facts["is_over"]:
            facts["answered"] = [one.task_id for one in self.answers if one.is_answered]
            facts["refused"] = refusals(self.answers)
        return facts


class Bulks:
    """What is being done in the background, and what was; safe to share between threads.

    An own cache: what is not over is kept, whatever its age.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Bulk] = OrderedDict()

    def start(
        self, whose: tuple[int, int], n_all: int, work: Callable[[Bulk], None], **about: Any
    ) -> Bulk:
        """Begin work in a thread of its own; ``work`` looks whether it is stopped."""
        bulk = Bulk(secrets.token_urlsafe(16), whose, self._clock(), n_all, **about)
        with self._lock:
            for old in list(self._kept.values()):
                is_old = self._clock() - old.began > UNDO_S or len(self._kept) >= _N_KEPT
                if old.is_over and is_old:
                    del self._kept[old.word]
            self._kept[bulk.word] = bulk
        threading.Thread(target=_do, args=(bulk, work), name="bulk", daemon=True).start()
        return bulk

    def find(self, word: str, whose: tuple[int, int]) -> Bulk | None:
        """Give one of somebody's in a project; None where there is none of this name."""
        with self._lock:
            found = self._kept.get(word)
        return found if found is not None and found.whose == whose else None

    def of(self, whose: tuple[int, int]) -> list[Bulk]:
        """List somebody's in a project, in the order they began."""
        with self._lock:
            return [one for one in self._kept.values() if one.whose == whose]


def _do(bulk: Bulk, work: Callable[[Bulk], None]) -> None:
    try:
        work(bulk)
    except EarmarkError as error:
        log.warning("project %d: a bulk of labels ends: %s", bulk.whose[1], error)
        bulk.error = error.plain
    except Exception:
        log.exception("project %d: a bulk of labels failed", bulk.whose[1])
        bulk.error = "The backend failed on it; its log says where."
    finally:
        bulk.is_over = True
