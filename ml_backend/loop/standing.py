"""The published ranking at the start of a round, and whether the round would change it."""

from collections.abc import Callable
from dataclasses import dataclass

from ml_backend.loop.project_state import State
from ml_backend.store.agenda import Turn
from ml_backend.store.versions import Progress

FIRST_ORDER = 200
"""Number of clips to embed before the first ranking, in a project that has as many."""


@dataclass(frozen=True)
class Standing:
    """The published version at the start of a round, with three checks of increasing cost.

    ``progress`` is None before the first ranking; ``is_shown`` is whether Label Studio's queue uses
    it. Each check may end the round.
    """

    progress: Progress | None
    is_shown: bool

    @property
    def model_version(self) -> str | None:
        """The published version."""
        return self.progress.model_version if self.progress else None

    def is_untouched(self, turn: Turn, *, is_asking_anew: bool) -> bool:
        """Return whether all events are echoes of publishing, so that nothing has changed."""
        may_differ = turn.labels_changed or turn.tasks_changed or is_asking_anew
        return self.is_shown and not may_differ

    def is_too_early(
        self, state: State, n_left: Callable[[], int], is_embedding: Callable[[], bool]
    ) -> bool:
        """Return whether too few clips are embedded for the first or for another ranking.

        While clips are being embedded, another ranking is due when their number has doubled.
        ``n_left`` counts the clips of the published ranking without deleted ones.
        """
        if not len(state.clips):
            return True
        if state.is_news or not is_embedding():
            return False
        is_first = self.progress is None or (self.progress.n_ranked > 0 and n_left() == 0)
        return len(state.clips) < (FIRST_ORDER if is_first else 2 * n_left())

    def is_that_of(self, model_version: str) -> bool:
        """Return whether the resulting version is the published one."""
        if self.progress is None or self.progress.model_version != model_version:
            return False
        return self.is_shown or not self.progress.n_ranked
