"""Out-of-fold predictions: no labeled clip is predicted by a classifier that met its recording.

The labeled set is dealt out into folds by recording, and every fold is predicted by a classifier
trained on the others. What the training part could not know is not predicted: a class that was
labeled in one recording only, or a yes-or-no question with one answer.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.learning.classifier import fit_classifier
from ml_backend.learning.embedded_clips import EmbeddedClips
from ml_backend.learning.features import lay_out
from ml_backend.learning.folds import deal_folds
from ml_backend.learning.labeled_set import LabeledSet

_SEED = 0


@dataclass(frozen=True)
class OutOfFold:
    """Labeled clips and what was said of them.

    Attributes
    ----------
    task_ids : ndarray of int64, shape=(n_labeled,)
    labels : ndarray of int8, shape=(n_labeled, n_classes)
        0/1, as people said.
    probabilities : ndarray of float64, shape=(n_labeled, n_classes)
        NaN where nothing was predicted: whole rows, or single answers where a clip may have several
        labels.
    groups : ndarray of int64, shape=(n_labeled,)
        Recordings; clips of one are right or wrong together.
    """

    task_ids: NDArray[np.int64]
    labels: NDArray[np.int8]
    probabilities: NDArray[np.float64]
    groups: NDArray[np.int64]


def predict_out_of_fold(
    clips: EmbeddedClips,
    labeled: LabeledSet,
    config: LabelConfig,
    prior: NDArray[np.float32] | None,
    *,
    by_clip: bool = False,
) -> OutOfFold:
    """Predict every labeled clip by a classifier that never met its recording.

    With ``by_clip``, by one that never met the clip: of its recording, it knows other labeled clips
    as often as it does of the recordings of clips that nobody has labeled.

    Parameters
    ----------
    prior : ndarray of float32, shape=(n_clips, n_classes), or None
        By rows of ``clips``.
    """
    groups = clips.groups(labeled.rows)
    dealt = np.arange(len(labeled)) if by_clip else groups
    folds = deal_folds(dealt, labeled.labels.argmax(axis=1), seed=_SEED)
    layout = lay_out(clips.center, clips.spread, prior)
    probabilities = np.full(labeled.labels.shape, np.nan)
    for fold in np.unique(folds):
        inside, outside = folds != fold, folds == fold
        classifier = fit_classifier(
            clips.embeddings[labeled.rows[inside]],
            labeled.labels[inside],
            config.class_names,
            multi_label=config.multi_label,
            groups=groups[inside],
            layout=layout,
            prior=None if prior is None else prior[labeled.rows[inside]],
            seed=_SEED,
        )
        if classifier is not None:
            rows = labeled.rows[outside]
            said = classifier.probabilities(
                clips.embeddings[rows], None if prior is None else prior[rows]
            )
            is_known = _could_know(labeled.labels, inside, outside, config.multi_label)
            probabilities[outside] = np.where(is_known, said, np.nan)
    return OutOfFold(clips.task_ids[labeled.rows], labeled.labels, probabilities, groups)


def _could_know(
    labels: NDArray[np.int8],
    inside: NDArray[np.bool_],
    outside: NDArray[np.bool_],
    multi_label: bool,
) -> NDArray[np.bool_]:
    """Tell what the training part could know, shape=(1, n_classes) or (n_outside, 1)."""
    n_yes = labels[inside].sum(axis=0)
    if multi_label:
        return np.asarray((n_yes > 0) & (n_yes < inside.sum()))[None, :]
    return np.asarray(n_yes[labels[outside].argmax(axis=1)] > 0)[:, None]
