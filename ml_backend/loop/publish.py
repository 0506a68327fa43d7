"""From order to annotator: the head of the order first, the rest when it is quiet.

What Label Studio's queue needs is the head: a round follows every label within seconds, so only
the first few clips of an order are ever asked about. The rest, and behind it the clips that
somebody has answered, are published for those who look through the Data Manager, and for a queue
that must do without the backend.

Label Studio chooses a clip by the version that was current when it was asked, and shows the
prediction of the version that is current when it answers. Hence a round publishes, too, what was
in front of the orders before: else whoever is served meanwhile sees no prediction.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ml_backend.errors import LabelStudioError
from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.label_studio.prediction import build_prediction
from ml_backend.learning.classifier import Classifier
from ml_backend.learning.embedded_clips import EmbeddedClips
from ml_backend.learning.prior import Prior
from ml_backend.learning.scores import Scores, score_clips
from ml_backend.loop.handover import hand_over
from ml_backend.store.versions import Version

FIRST = 16
"""Clips that are handed over before a version becomes current; annotators wait for them."""
PIECE = 48
"""Clips of the rest of the head that are handed over at once, about 0.1 s: a label that comes
meanwhile waits no longer than that."""
_N_IN_FRONT = 8
_N_ORDERS = 3
N_OPENED = _N_IN_FRONT * _N_ORDERS
"""Clips from orders before that are published with a head, at most."""


class Opened:
    """The clips that somebody may have opened: those in front of each project's last orders.

    Clips are served in their order: what is open is the first of those that are not answered. Of
    several orders, because a busy Label Studio takes longer to serve a clip than a round does.
    """

    def __init__(self) -> None:
        self._heads: dict[int, list[NDArray[np.int64]]] = {}

    def note(self, project_id: int, head: NDArray[np.int64]) -> None:
        """Remember the head of an order that was published."""
        self._heads[project_id] = [head, *self._heads.get(project_id, [])][:_N_ORDERS]

    def among(self, project_id: int, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give those of the last orders that the next one still has.

        Examples
        --------
        >>> opened = Opened()
        >>> opened.note(1, np.array([4, 7, 9]))
        >>> opened.among(1, np.array([2, 9, 7])).tolist()
        [7, 9]
        """
        fronts = [
            head[np.isin(head, order)][:_N_IN_FRONT] for head in self._heads.get(project_id, [])
        ]
        return np.unique(np.concatenate(fronts)) if fronts else np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Edition:
    """A model version in the form that predictions are written from.

    ``order`` holds task numbers, best first, ``answered`` those that somebody has answered;
    ``labeled_unit`` the labeled clips as rows of length 1; ``classifier`` is None before one could
    be trained, ``prior`` where there is none.
    """

    model_version: str
    config: LabelConfig
    classifier: Classifier | None
    order: NDArray[np.int64]
    labeled_unit: NDArray[np.float32]
    prior: Prior | None = None
    answered: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @property
    def task_ids(self) -> NDArray[np.int64]:
        """Give all tasks in the sequence in which they are published: the order, the answered."""
        return np.concatenate([self.order, self.answered])

    def between(self, clips: EmbeddedClips, start: int, stop: int) -> list[dict[str, object]]:
        """Write the predictions of positions ``start`` to ``stop``, less tasks deleted since."""
        return self.at(clips, np.arange(start, min(stop, len(self.task_ids))))

    def at(self, clips: EmbeddedClips, positions: NDArray[np.int64]) -> list[dict[str, object]]:
        """Write the predictions of some positions, less tasks deleted since.

        An answered clip has the last place, behind the order.
        """
        positions = positions[np.isin(self.task_ids[positions], clips.task_ids)]
        chosen = self.task_ids[positions]
        ranks = np.minimum(positions, len(self.order))
        return self.write(chosen, clips.embeddings[clips.rows(chosen)], ranks)

    def scores(self, embeddings: NDArray[np.float32]) -> Scores:
        """Score clips by the classifier and by their distance to the labeled set."""
        is_read = self.classifier is not None and self.classifier.needs_prior
        prior = self.prior.logits(embeddings) if self.prior is not None and is_read else None
        return score_clips(self.classifier, embeddings, self.labeled_unit, prior)

    def write(
        self,
        task_ids: Sequence[int] | NDArray[np.int64],
        embeddings: NDArray[np.float32],
        ranks: Sequence[int] | NDArray[np.int64],
    ) -> list[dict[str, object]]:
        """Write one prediction per task, in the order given.

        Parameters
        ----------
        task_ids : sequence of int
        embeddings : ndarray, shape=(n_tasks, embedding_dim)
        ranks : sequence of int
            Place of each task in the order, 0 = first.
        """
        if not len(task_ids):
            return []
        scores = self.scores(embeddings)
        return [
            build_prediction(
                int(task_id),
                self.config,
                None if scores.probabilities is None else scores.probabilities[row],
                entropy=None if scores.entropy is None else float(scores.entropy[row]),
                margin=None if scores.margin is None else float(scores.margin[row]),
                coverage_distance=float(scores.coverage_distance[row]),
                rank=int(rank),
                n_pool=len(self.order),
                model_version=self.model_version,
                predicted=None if scores.predicted is None else scores.predicted[row],
            )
            for row, (task_id, rank) in enumerate(zip(task_ids, ranks, strict=True))
        ]


def open_edition(
    version: Version, config: LabelConfig, clips: EmbeddedClips, prior: Prior | None
) -> Edition:
    """Bring a stored version into the form that predictions are written from."""
    ranking = version.ranking or {}
    labeled = clips.rows(ranking["labeled_task_ids"].astype(np.int64))
    return Edition(
        version.model_version,
        config,
        Classifier.from_arrays(version.classifier) if version.classifier else None,
        ranking["task_ids"].astype(np.int64),
        clips.unit[labeled],
        prior,
        ranking.get("answered_task_ids", np.empty(0)).astype(np.int64),
    )


@dataclass(frozen=True)
class Published:
    """How many clips of an order were handed over; ``gone`` numbers those that were deleted."""

    n_clips: int
    gone: frozenset[int] = frozenset()


def publish_head(
    label_studio: LabelStudio,
    project_id: int,
    edition: Edition,
    clips: EmbeddedClips,
    n_head: int,
    *,
    is_back: bool = False,
    opened: Sequence[int] | NDArray[np.int64] = (),
    is_hurried: Callable[[], bool] = lambda: False,
    rank_on: Callable[[NDArray[np.int64]], Edition] | None = None,
) -> Iterator[Published]:
    """Hand the head of the order over, and make the version current as soon as that is possible.

    Label Studio serves only tasks with a prediction of its current version, and takes a version
    as current only when one prediction has it: so the first ``FIRST`` clips are handed over, then
    the version becomes current, then the rest of the head follows. Where the order is empty, the
    answered clips take its place. Where the first ones were all deleted, what follows takes their
    place; if nothing is left, no clip is handed over and the version does not become current.
    Yields what has been handed over, after every piece.

    Parameters
    ----------
    is_back : bool
        Whether the version was current before, so that Label Studio may hold predictions of it:
        they are not written twice.
    opened : sequence of int
        Tasks that somebody may have opened; they are published with the first clips, at their
        places in the order.
    is_hurried : callable
        Tells whether another round waits; then the rest of the head is left to it.
    rank_on : callable, optional
        Ranks the rest of the head, once the first clips are served: given the positions that have
        been handed over, which keep their clips, returns the edition to go on with.
    """
    n_all = len(edition.order) or len(edition.answered)
    gone: set[int] = set()

    def publish(positions: NDArray[np.int64]) -> None:
        written = edition.at(clips, positions)
        if is_back:
            task_ids = edition.task_ids[positions].tolist()
            held = label_studio.data_manager.prediction_versions(project_id, task_ids)
            done = {task_id for task_id in held if edition.model_version in held[task_id]}
            written = [one for one in written if one["task"] not in done]
        gone.update(hand_over(label_studio, project_id, written))

    n_first = min(FIRST, n_head)
    for start in range(0, n_all, n_first):
        stop = min(start + n_first, n_all)
        behind = stop + np.flatnonzero(np.isin(edition.order[stop:], opened))
        publish(np.concatenate([np.arange(start, stop), behind]))
        task_ids = edition.task_ids[start:stop].tolist()
        if gone.issuperset(task_ids):
            continue
        try:
            label_studio.set_model_version(project_id, edition.model_version)
        except LabelStudioError:
            held = label_studio.data_manager.prediction_versions(project_id, task_ids)
            if any(edition.model_version in versions for versions in held.values()):
                raise
            gone.update(task_ids)  # after their predictions were taken
            continue
        yield Published(stop, frozenset(gone))
        n_head = min(max(n_head, stop), n_all)
        if stop < n_head and not is_hurried():
            done = np.concatenate([np.arange(stop), behind])
            edition = edition if rank_on is None else rank_on(done)
            for start_of_piece in range(stop, n_head, PIECE):
                if is_hurried():
                    return
                end = min(start_of_piece + PIECE, n_head)
                publish(np.setdiff1d(np.arange(start_of_piece, end), done))
                yield Published(end, frozenset(gone))
        return
    yield Published(0, frozenset(gone))
