"""From order to annotator: the head of the order first, the rest when it is quiet."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_backend.classifier import Classifier
from ml_backend.embedded import EmbeddedClips
from ml_backend.judge import judge
from ml_backend.label_config import LabelConfig
from ml_backend.label_studio import LabelStudio
from ml_backend.prediction import build_prediction
from ml_backend.prior import Prior
from ml_backend.store.versions import Version


@dataclass(frozen=True)
class Edition:
    """A model version in the form that predictions are written from.

    ``order`` holds task numbers, best first; ``labeled_unit`` the labeled clips as rows of
    length 1; ``classifier`` is None before one could be trained, ``prior`` where there is none.
    """

    model_version: str
    config: LabelConfig
    classifier: Classifier | None
    order: NDArray[np.int64]
    labeled_unit: NDArray[np.float32]
    prior: Prior | None = None

    def between(self, clips: EmbeddedClips, start: int, stop: int) -> list[dict[str, object]]:
        """Write the predictions of ranks ``start`` to ``stop``, less tasks deleted since."""
        wanted = np.arange(start, min(stop, len(self.order)))
        ranks = wanted[np.isin(self.order[wanted], clips.task_ids)]
        task_ids = self.order[ranks]
        return self.write(task_ids, clips.embeddings[clips.rows(task_ids)], ranks)

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
        is_read = self.classifier is not None and self.classifier.needs_prior
        prior = self.prior.logits(embeddings) if self.prior is not None and is_read else None
        judged = judge(self.classifier, embeddings, self.labeled_unit, prior)
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
    )


def publish_head(
    label_studio: LabelStudio,
    project_id: int,
    edition: Edition,
    clips: EmbeddedClips,
    n_head: int,
) -> int:
    """Hand the head of the order over in one call, then make the version current.

    Label Studio serves only tasks with a prediction of its current version, and takes a version
    as current only when one prediction has it: hence this order. Gives the number of ranks
    handed over.
    """
    n_ranks = min(n_head, len(edition.order))
    if n_ranks:
        label_studio.import_predictions(project_id, edition.between(clips, 0, n_ranks))
        label_studio.set_model_version(project_id, edition.model_version)
    return n_ranks
