"""What annotators follow when a round begins, and whether the round would change any of it."""

from collections.abc import Callable
from dataclasses import dataclass

from ml_backend.loop.project_state import State
from ml_backend.store.agenda import Turn
from ml_backend.store.versions import Progress

FIRST_ORDER = 200
"""Number of clips to embed before the first ranking, in a project that has as many."""


@dataclass(frozen=True)
class Standing:
    """What annotators follow when a round begins; it may end at three looks, each dearer.

    ``progress`` is None before the first order; ``is_shown`` tells whether Label Studio's queue
    follows it.
    """

    progress: Progress | None
    is_shown: bool

    @property
    def model_version(self) -> str | None:
        """The version that stands."""
        return self.progress.model_version if self.progress else None

    def is_untouched(self, turn: Turn, *, is_asking_anew: bool) -> bool:
        """Tell that nothing was heard but the echo of its own publishing."""
        may_differ = turn.labels_changed or turn.tasks_changed or is_asking_anew
        return self.is_shown and not may_differ

    def is_too_early(
        self, state: State, n_left: Callable[[], int], is_embedding: Callable[[], bool]
    ) -> bool:
        """Tell that too few clips are embedded; meanwhile, an order is due when they have doubled.

        ``n_left`` counts the clips of the order that stands, less those deleted since.
        """
        if not len(state.clips):
            return True
        if state.is_news or not is_embedding():
            return False
        is_first = self.progress is None or (self.progress.n_ranked > 0 and n_left() == 0)
        return len(state.clips) < (FIRST_ORDER if is_first else 2 * n_left())

    def is_that_of(self, model_version: str) -> bool:
        """Tell that what is true now leads to the version that annotators follow already."""
        if self.progress is None or self.progress.model_version != model_version:
            return False
        return self.is_shown or not self.progress.n_ranked
