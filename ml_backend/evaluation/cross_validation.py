"""Out-of-fold predictions: no classifier predicts clips of a recording that it was trained on.

The labeled set is split into folds by recording, and each fold is predicted by a classifier trained
on the others. Predictions that the training part does not allow are NaN: of a class labeled in one
recording only, or a yes-or-no question with one answer.
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
    """Labeled clips and their out-of-fold predictions.

    Attributes
    ----------
    task_ids : ndarray of int64, shape=(n_labeled,)
    labels : ndarray of int8, shape=(n_labeled, n_classes)
        Labels, 0/1.
    probabilities : ndarray of float64, shape=(n_labeled, n_classes), range [0, 1]
        NaN where nothing was predicted: whole rows, or single classes if a clip may have several
        labels.
    groups : ndarray of int64, shape=(n_labeled,)
        Recordings; the errors of one recording's clips correlate.
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
    """Predict every labeled clip by a classifier that was not trained on its recording.

    With ``by_clip``, by one that was not trained on the clip: it knows other labeled clips of the
    recording as often as it knows labeled clips of a pool clip's recording.

    Parameters
    ----------
    clips : EmbeddedClips
    labeled : LabeledSet
    config : LabelConfig
    prior : ndarray of float32, shape=(n_clips, n_classes), or None
        By rows of ``clips``.
    by_clip : bool
        Whether folds may split a recording.
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
            predicted = classifier.probabilities(
                clips.embeddings[rows], None if prior is None else prior[rows]
            )
            is_known = _could_know(labeled.labels, inside, outside, config.multi_label)
            probabilities[outside] = np.where(is_known, predicted, np.nan)
    return OutOfFold(clips.task_ids[labeled.rows], labeled.labels, probabilities, groups)


def _could_know(
    labels: NDArray[np.int8],
    inside: NDArray[np.bool_],
    outside: NDArray[np.bool_],
    multi_label: bool,
) -> NDArray[np.bool_]:
    """Return what the training part allows to predict, shape=(1, n_classes) or (n_outside, 1)."""
    n_yes = labels[inside].sum(axis=0)
    if multi_label:
        return np.asarray((n_yes > 0) & (n_yes < inside.sum()))[None, :]
    return np.asarray(n_yes[labels[outside].argmax(axis=1)] > 0)[:, None]
