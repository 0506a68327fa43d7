"""From order to annotator: the head of the order first, the rest when it is quiet.

What Label Studio's queue needs is the head: a round follows every label within seconds, so only
the first few clips of an order are ever asked about. The rest, and behind it the clips that
somebody has answered, are published for those who look through the Data Manager, and for a queue
that must do without the backend.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ml_backend.classifier import Classifier
from ml_backend.embedded import EmbeddedClips
from ml_backend.judge import Judgment, judge
from ml_backend.label_config import LabelConfig
from ml_backend.label_studio import LabelStudio
from ml_backend.prediction import build_prediction
from ml_backend.prior import Prior
from ml_backend.store.versions import Version


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
        """Write the predictions of positions ``start`` to ``stop``, less tasks deleted since.

        An answered clip has the last place, behind the order.
        """
        task_ids = self.task_ids
        wanted = np.arange(start, min(stop, len(task_ids)))
        positions = wanted[np.isin(task_ids[wanted], clips.task_ids)]
        chosen = task_ids[positions]
        ranks = np.minimum(positions, len(self.order))
        return self.write(chosen, clips.embeddings[clips.rows(chosen)], ranks)

    def judge(self, embeddings: NDArray[np.float32]) -> Judgment:
        """Judge clips by the classifier and by the labeled set."""
        is_read = self.classifier is not None and self.classifier.needs_prior
        prior = self.prior.logits(embeddings) if self.prior is not None and is_read else None
        return judge(self.classifier, embeddings, self.labeled_unit, prior)

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
        judged = self.judge(embeddings)
        return [
            build_prediction(
                int(task_id),
                self.config,
                None if judged.probabilities is None else judged.probabilities[row],
                entropy=None if judged.entropy is None else float(judged.entropy[row]),
                margin=None if judged.margin is None else float(judged.margin[row]),
                coverage_distance=float(judged.coverage_distance[row]),
                rank=int(rank),
                n_pool=len(self.order),
                model_version=self.model_version,
                predicted=None if judged.predicted is None else judged.predicted[row],
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


def publish_head(
    label_studio: LabelStudio,
    project_id: int,
    edition: Edition,
    clips: EmbeddedClips,
    n_head: int,
    *,
    is_back: bool = False,
) -> int:
    """Hand the head of the order over in one call, then make the version current.

    Label Studio serves only tasks with a prediction of its current version, and takes a version
    as current only when one prediction has it: hence this order. Where the order is empty, the
    answered clips take its place. Gives the number of clips handed over.

    Parameters
    ----------
    is_back : bool
        Whether the version was current before, so that Label Studio may hold predictions of it:
        they are not written twice.
    """
    n_clips = min(n_head, len(edition.order) or len(edition.answered))
    if n_clips:
        written = edition.between(clips, 0, n_clips)
        if is_back:
            task_ids = edition.task_ids[:n_clips].tolist()
            held = label_studio.data_manager.prediction_versions(project_id, task_ids)
            done = {task_id for task_id in held if edition.model_version in held[task_id]}
            written = [one for one in written if one["task"] not in done]
        label_studio.import_predictions(project_id, written)
        label_studio.set_model_version(project_id, edition.model_version)
    return n_clips
