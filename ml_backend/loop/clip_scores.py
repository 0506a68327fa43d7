"""Scores of all clips of a project, labeled or not, for the pages.

``publish.py`` scores the clips that are queued next; this module scores every clip, in compact
arrays, so that a map can be colored by any score.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.learning.classifier import Classifier
from ml_backend.learning.decision import Rule
from ml_backend.learning.embedded_clips import EmbeddedClips
from ml_backend.similarity.knn import nearest_row
from ml_backend.similarity.vectors import SAME_DISTANCE
from ml_backend.strategies.uncertainty import binary_entropy, normalized_entropy

_STEPS = 65534


@dataclass(frozen=True)
class Nearest:
    """Each clip's nearest labeled clip.

    Attributes
    ----------
    labeled : ndarray of int64, shape=(n_labeled,)
        Rows of the labeled clips, ascending.
    rows : ndarray of int64, shape=(n_clips,)
        Row of the nearest labeled clip, the lowest of equally near ones; -1 if no clip is labeled.
    distance : ndarray of float32, shape=(n_clips,), range [0, 2]
        Cosine distance to it; 1 if no clip is labeled.
    """

    labeled: NDArray[np.int64]
    rows: NDArray[np.int64]
    distance: NDArray[np.float32]


@dataclass(frozen=True)
class ClipScores:
    """Scores of all clips by a model version; rows = clips, sorted by task number.

    Attributes
    ----------
    class_names : tuple of str
    multi_label : bool
    task_ids : ndarray of int64, shape=(n_clips,)
    probabilities : ndarray of float64, shape=(n_clips, n_classes), or None
        None before a classifier exists, like the next two.
    entropy : ndarray of float64, shape=(n_clips,), range [0, 1], or None
    disagreement : ndarray of float64, shape=(n_clips,), range [0, 1], or None
        1 minus the probability of the nearest labeled clip's label (of several labels, their mean
        probability); if it has no label, the largest probability; NaN if its label is none of
        these classes.
    coverage : ndarray of float32, shape=(n_clips,), range [0, 2]
        Distance to the nearest labeled clip.
    rank : ndarray of int32, shape=(n_clips,)
        Position in the ranking, from 1; 0 for clips that are not ranked.
    rule : Rule or None
        Decision rule; None before a classifier exists.
    """

    class_names: tuple[str, ...]
    multi_label: bool
    task_ids: NDArray[np.int64]
    probabilities: NDArray[np.float64] | None
    entropy: NDArray[np.float64] | None
    disagreement: NDArray[np.float64] | None
    coverage: NDArray[np.float32]
    rank: NDArray[np.int32]
    rule: Rule | None = None

    def predicted(self) -> NDArray[np.bool_] | None:
        """Predict the classes of each clip, ``(n_clips, n_classes)``.

        Exactly one per clip unless ``multi_label``; None before a classifier exists.
        """
        if self.probabilities is None or self.rule is None:
            return None
        return self.rule.decide(self.probabilities)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything as arrays to store; probabilities to four digits."""
        arrays: dict[str, NDArray[Any]] = {
            "class_names": np.array(self.class_names, dtype=np.str_),
            "multi_label": np.array(self.multi_label),
            "task_ids": self.task_ids,
            "coverage": self.coverage,
            "rank": self.rank,
        }
        if self.probabilities is not None:
            arrays["probabilities"] = np.rint(self.probabilities * _STEPS).astype(np.uint16)
        if self.rule is not None:
            arrays["objective"] = np.array(self.rule.objective)
            arrays["offsets"] = self.rule.offsets
        if self.entropy is not None:
            arrays["entropy"] = self.entropy.astype(np.float32)
        if self.disagreement is not None:
            arrays["disagreement"] = self.disagreement.astype(np.float32)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "ClipScores":
        """Return the scores whose ``to_arrays`` returned these arrays."""
        stored = arrays.get("probabilities")
        class_names = tuple(arrays["class_names"].tolist())
        multi_label = bool(arrays["multi_label"])
        return cls(
            class_names,
            multi_label,
            arrays["task_ids"],
            None if stored is None else stored / _STEPS,
            arrays.get("entropy"),
            arrays.get("disagreement"),
            arrays["coverage"],
            arrays["rank"],
            None if stored is None else Rule.from_arrays(arrays, len(class_names), multi_label),
        )


def score_all_clips(
    clips: EmbeddedClips,
    classifier: Classifier | None,
    prior: NDArray[np.float32] | None,
    order: NDArray[np.int64],
    labels_of: Mapping[int, frozenset[str]],
    nearest: Nearest,
    class_names: Sequence[str],
    *,
    multi_label: bool,
) -> ClipScores:
    """Score all clips of a project.

    Parameters
    ----------
    clips : EmbeddedClips
    classifier : Classifier or None
        None if there are too few labels to train one.
    prior : ndarray, shape=(n_clips, n_classes), or None
        The prior's logits; required if the classifier was trained with them.
    order : ndarray of int64
        Task numbers, best first.
    labels_of : mapping of int to frozenset of str
        The labels of each labeled task.
    nearest : Nearest
        Nearest labeled task of each clip.
    class_names : sequence of str
        Classes of the project, used without a classifier.
    multi_label : bool
    """
    rank = np.zeros(len(clips), dtype=np.int32)
    is_known = np.isin(order, clips.task_ids)
    rank[clips.rows(order[is_known])] = np.flatnonzero(is_known) + 1
    probabilities = entropy = disagreement = None
    if classifier is not None:
        class_names, multi_label = classifier.class_names, classifier.multi_label
        probabilities = classifier.probabilities(clips.embeddings, prior)
        entropy = (binary_entropy if multi_label else normalized_entropy)(probabilities)
        disagreement = _disagreement(probabilities, clips, labels_of, nearest, class_names)
    return ClipScores(
        tuple(class_names),
        multi_label,
        clips.task_ids,
        probabilities,
        entropy,
        disagreement,
        nearest.distance,
        rank,
        classifier.rule if classifier else None,
    )


def find_nearest(
    unit: NDArray[np.float32], labeled: NDArray[np.int64], before: Nearest | None = None
) -> Nearest:
    """Find each clip's nearest labeled clip.

    Parameters
    ----------
    unit : ndarray, shape=(n_clips, embedding_dim)
        Rows of length 1; the distance of a row of zeros to any other is 1.
    labeled : ndarray of int64
        Rows of the labeled clips, ascending.
    before : Nearest, optional
        Result for the same clips with fewer labels: then only the new ones are compared.

    Examples
    --------
    >>> unit = np.eye(3, dtype=np.float32)
    >>> find_nearest(unit, np.array([1])).distance.tolist()
    [1.0, 0.0, 1.0]
    """
    rows: NDArray[np.int64] = np.full(len(unit), -1, dtype=np.int64)
    distance: NDArray[np.float32] = np.ones(len(unit), dtype=np.float32)
    new = labeled
    if before is not None and len(before.labeled) and np.isin(before.labeled, labeled).all():
        rows, distance = before.rows, before.distance
        new = np.setdiff1d(labeled, before.labeled)
    if not len(new):
        return Nearest(labeled, rows, distance)
    best, similarity = nearest_row(unit, unit[new])
    found = 1.0 - similarity
    found[found < SAME_DISTANCE] = 0.0
    found = np.minimum(found, 2.0)
    is_tie = (found == distance) & (new[best] < rows)
    is_nearer = (rows < 0) | (found < distance) | is_tie
    return Nearest(
        labeled, np.where(is_nearer, new[best], rows), np.where(is_nearer, found, distance)
    )


def _disagreement(
    probabilities: NDArray[np.float64],
    clips: EmbeddedClips,
    labels_of: Mapping[int, frozenset[str]],
    nearest: Nearest,
    class_names: Sequence[str],
) -> NDArray[np.float64]:
    if not len(nearest.labeled):
        return np.full(len(probabilities), np.nan)
    place_of = {name: place for place, name in enumerate(class_names)}
    shares = np.zeros((len(nearest.labeled), len(class_names)))
    is_empty = np.zeros(len(nearest.labeled), dtype=bool)
    for row, task_id in enumerate(clips.task_ids[nearest.labeled].tolist()):
        is_empty[row] = not labels_of[task_id]
        shares[row, [place_of[name] for name in labels_of[task_id] if name in place_of]] = 1.0
    with np.errstate(invalid="ignore"):
        shares /= shares.sum(axis=1, keepdims=True)  # NaN for labels of other classes
    place = np.searchsorted(nearest.labeled, nearest.rows)
    agreement = np.einsum("ij,ij->i", probabilities, shares[place])
    disagreement = np.where(is_empty[place], probabilities.max(axis=1), 1.0 - agreement)
    return np.asarray(np.clip(disagreement, 0.0, 1.0))
