"""From ranking to annotator: publish the head of the ranking first, the rest when it is quiet.

Label Studio's queue needs only the head: a round follows every label within seconds, so annotators
get only the first few clips of a ranking. The rest, followed by the answered clips, is published
for the Data Manager, and for the queue while the backend is down.

Label Studio selects a clip by the version that is current at the request, and shows the prediction
of the version that is current at the response. Therefore a round also publishes the first clips of
the previous rankings: otherwise a clip served meanwhile has no prediction.
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
"""Number of clips published before a version becomes current; annotators wait for them."""
PIECE = 48
"""Number of clips per piece of the rest of the head, about 0.1 s: a label that arrives meanwhile
waits no longer than that."""
_N_IN_FRONT = 8
_N_ORDERS = 3
N_OPENED = _N_IN_FRONT * _N_ORDERS
"""Most clips of previous rankings that are published with a head."""


class Opened:
    """The clips that may be open in a browser: the first of each project's last rankings.

    Clips are served by rank, so an open clip is among the first unanswered ones. Several rankings
    count, because a busy Label Studio takes longer to serve a clip than a round does.
    """

    def __init__(self) -> None:
        self._heads: dict[int, list[NDArray[np.int64]]] = {}

    def note(self, project_id: int, head: NDArray[np.int64]) -> None:
        """Store the head of a published ranking."""
        self._heads[project_id] = [head, *self._heads.get(project_id, [])][:_N_ORDERS]

    def among(self, project_id: int, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the first clips of the last rankings that are also in the next one.

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
    """A model version with everything that its predictions need.

    ``order`` holds task numbers, best first; ``answered`` those of answered clips; ``labeled_unit``
    the labeled clips as rows of length 1. ``classifier`` is None before one can be trained,
    ``prior`` if there is none.
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
        """Return all tasks in the order of publication: the ranking, then the answered clips."""
        return np.concatenate([self.order, self.answered])

    def between(self, clips: EmbeddedClips, start: int, stop: int) -> list[dict[str, object]]:
        """Return the predictions of positions ``start`` to ``stop``, without deleted tasks."""
        return self.at(clips, np.arange(start, min(stop, len(self.task_ids))))

    def at(self, clips: EmbeddedClips, positions: NDArray[np.int64]) -> list[dict[str, object]]:
        """Return the predictions of some positions, without deleted tasks.

        The rank of answered clips is the last one, after the ranking.
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
        """Return one prediction per task, in the given order.

        Parameters
        ----------
        task_ids : sequence of int
        embeddings : ndarray, shape=(n_tasks, embedding_dim)
        ranks : sequence of int
            Rank of each task, 0 = first.
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
    """Return the edition of a stored version."""
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
    """The number of published clips of a ranking; ``gone`` holds the deleted tasks."""

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
    """Publish the head of the ranking, and make the version current as soon as possible.

    Label Studio serves only tasks with a prediction of its current version, and accepts a version
    as current only if a prediction has it: therefore the first ``FIRST`` clips are published, then
    the version becomes current, then the rest of the head follows. If the ranking is empty, the
    answered clips are published instead. If all first clips are deleted, the following ones replace
    them; if none is left, no clip is published and the version does not become current.

    Parameters
    ----------
    label_studio : LabelStudio
    project_id : int
    edition : Edition
    clips : EmbeddedClips
    n_head : int
        Number of clips in the head.
    is_back : bool
        Whether the version was current before, so that Label Studio may have predictions of it:
        they are not written twice.
    opened : sequence of int
        Tasks that may be open in a browser; they are published with the first clips, with their
        ranks.
    is_hurried : callable
        Returns whether another round waits; the rest of the head is then left to it.
    rank_on : callable, optional
        Ranks the rest of the head after the first clips are served: given the published positions,
        which keep their clips, it returns the edition to continue with.

    Yields
    ------
    Published
        What has been published so far, after every piece.
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
