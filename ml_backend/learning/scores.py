"""Scores of clips: a classifier's probabilities, and the distance to the labeled set."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_backend.learning.classifier import Classifier
from ml_backend.similarity.coverage import coverage_distance
from ml_backend.similarity.vectors import normalize_rows
from ml_backend.strategies.uncertainty import (
    binary_entropy,
    binary_margin,
    margin,
    normalized_entropy,
)


@dataclass(frozen=True)
class Scores:
    """Scores with one row per clip; all but the distance are None without a classifier.

    Attributes
    ----------
    probabilities : ndarray of float64, shape=(n_clips, n_classes), range [0, 1], or None
    entropy, margin : ndarray of float64, shape=(n_clips,), range [0, 1], or None
    coverage_distance : ndarray, shape=(n_clips,)
        Distance to the nearest labeled clip.
    predicted : ndarray of bool, shape=(n_clips, n_classes), or None
        Predicted classes.
    """

    probabilities: NDArray[np.float64] | None
    entropy: NDArray[np.float64] | None
    margin: NDArray[np.float64] | None
    coverage_distance: NDArray[np.floating]
    predicted: NDArray[np.bool_] | None = None


def score_clips(
    classifier: Classifier | None,
    embeddings: NDArray[np.float32],
    labeled_unit: NDArray[np.float32],
    prior: NDArray[np.float32] | None = None,
) -> Scores:
    """Score clips by a classifier and by their distance to the labeled set.

    Parameters
    ----------
    classifier : Classifier or None
        None if there are too few labels to train one.
    embeddings : ndarray, shape=(n_clips, embedding_dim)
        The embedder's output.
    labeled_unit : ndarray, shape=(n_labeled, embedding_dim)
        The labeled clips, rows of length 1.
    prior : ndarray, shape=(n_clips, n_classes), or None
        The prior's logits; required if the classifier was trained with them.
    """
    distance = coverage_distance(normalize_rows(embeddings), labeled_unit)
    if classifier is None:
        return Scores(None, None, None, distance)
    probabilities = classifier.probabilities(embeddings, prior)
    entropy = binary_entropy if classifier.multi_label else normalized_entropy
    return Scores(
        probabilities,
        entropy(probabilities),
        binary_margin(probabilities) if classifier.multi_label else margin(probabilities),
        distance,
        classifier.rule.decide(probabilities),
    )
