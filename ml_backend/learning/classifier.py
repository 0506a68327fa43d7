"""Classify embeddings: logistic regression with calibrated probabilities, from two labels up.

``features.py`` computes the features and scales them by *all* clips, so that the scale does not
depend on a few labels. Classes are balanced: probabilities assume that all classes are equally
frequent, because labeled clips are not a random sample. ``calibrated_fit.py`` fits the weights and
calibrates the probabilities.

A class without a label cannot be learned. Its probability is Laplace's ``1 / (n + K)`` for n labels
and K classes; that of a yes-or-no head with one kind of answer is ``(yes + 1) / (n + 2)``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.learning.calibrated_fit import fit_calibrated
from ml_backend.learning.calibration import log_softmax
from ml_backend.learning.decision import Rule
from ml_backend.learning.features import Layout, prior_weight
from ml_backend.similarity.vectors import check_finite_rows, normalize_rows


@dataclass(frozen=True)
class Classifier:
    """A trained classifier as arrays.

    Attributes
    ----------
    class_names : tuple of str
        In the order of the rows of ``weights``.
    multi_label : bool
        Whether each class is a yes-or-no head of its own.
    weights : ndarray of float32, shape=(n_classes, embedding_dim)
        Weights of unit embeddings; they include layout and temperature.
    prior_weights : ndarray of float64, shape=(n_classes, n_classes)
        Weights of the prior's logits; all 0 if trained without a prior.
    biases : ndarray of float64, shape=(n_classes,)
    constants : ndarray of float64, shape=(n_classes,)
        Probability of each class that could not be learned; NaN for the others.
    rule : Rule
        Decision rule.
    """

    class_names: tuple[str, ...]
    multi_label: bool
    weights: NDArray[np.float32]
    prior_weights: NDArray[np.float64]
    biases: NDArray[np.float64]
    constants: NDArray[np.float64]
    rule: Rule

    @property
    def needs_prior(self) -> bool:
        """Whether it uses the prior's logits beside the embedding."""
        return bool(self.prior_weights.any())

    def probabilities(
        self, embeddings: NDArray[np.float32], prior: NDArray[np.float32] | None = None
    ) -> NDArray[np.float64]:
        """Compute the class probabilities of clips.

        Parameters
        ----------
        embeddings : ndarray, shape=(n_clips, embedding_dim)
            The embedder's output.
        prior : ndarray, shape=(n_clips, n_classes), or None
            The prior's logits; required if ``needs_prior``.

        Returns
        -------
        ndarray of float64, shape=(n_clips, n_classes), range [0, 1]
            Rows sum to 1 unless ``multi_label``.

        Raises
        ------
        ValueError
            If ``embedding_dim`` differs from that of training, or the prior is missing.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != self.weights.shape[1]:
            raise ValueError(
                f"embeddings have shape {embeddings.shape}; wanted (n_clips, "
                f"{self.weights.shape[1]}), from the embedder that the classifier learned from"
            )
        logits = (normalize_rows(embeddings) @ self.weights.T).astype(np.float64) + self.biases
        if self.needs_prior:
            if prior is None or prior.shape != (len(embeddings), len(self.class_names)):
                raise ValueError(
                    f"the prior has shape {None if prior is None else prior.shape}; wanted "
                    f"{(len(embeddings), len(self.class_names))}: it was learned with one"
                )
            logits += np.nan_to_num(prior) @ self.prior_weights.T
        is_learned = np.isnan(self.constants)
        probabilities = np.tile(self.constants, (len(embeddings), 1))  # (n_clips, n_classes)
        if self.multi_label:
            probabilities[:, is_learned] = _sigmoid(logits[:, is_learned])
        else:
            share = 1.0 - self.constants[~is_learned].sum()
            probabilities[:, is_learned] = share * np.exp(log_softmax(logits[:, is_learned]))
        return probabilities

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything as arrays that ``numpy.savez`` stores without pickling."""
        return {
            "class_names": np.array(self.class_names, dtype=np.str_),
            "multi_label": np.array(self.multi_label),
            "unit_weights": self.weights,
            "prior_weights": self.prior_weights,
            "biases": self.biases,
            "constants": self.constants,
            "objective": np.array(self.rule.objective),
            "offsets": self.rule.offsets,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "Classifier":
        """Return the classifier whose ``to_arrays`` returned these arrays."""
        class_names = tuple(arrays["class_names"].tolist())
        multi_label = bool(arrays["multi_label"])
        return cls(
            class_names=class_names,
            multi_label=multi_label,
            weights=np.asarray(arrays["unit_weights"], dtype=np.float32),
            prior_weights=np.asarray(arrays["prior_weights"], dtype=np.float64),
            biases=np.asarray(arrays["biases"], dtype=np.float64),
            constants=np.asarray(arrays["constants"], dtype=np.float64),
            rule=Rule.from_arrays(arrays, len(class_names), multi_label),
        )


def fit_classifier(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int8],
    class_names: Sequence[str],
    *,
    multi_label: bool,
    groups: NDArray[np.int64] | None,
    layout: Layout,
    prior: NDArray[np.float32] | None = None,
    seed: int,
) -> Classifier | None:
    """Train on the labeled set, with the balanced decision rule.

    Parameters
    ----------
    embeddings : ndarray, shape=(n_labeled, embedding_dim)
        The embedder's output.
    labels : ndarray of int8, shape=(n_labeled, n_classes)
        1 where the clip has the class; exactly one per row unless ``multi_label``.
    class_names : sequence of str
    multi_label : bool
        Whether each class is a yes-or-no head of its own.
    groups : ndarray of int64, shape=(n_labeled,), or None
        Recording of each clip; a recording is never split between folds. None: one per clip.
    layout : Layout
        Scale of the features, computed from all clips of the project.
    prior : ndarray, shape=(n_labeled, n_classes), or None
        The prior's logits; a class it does not know is a column of NaN.
    seed : int
        Seed of the assignment of recordings to folds.

    Returns
    -------
    Classifier or None
        None if fewer than two classes are labeled or, with ``multi_label``, no class has both a
        yes and a no.

    Raises
    ------
    ValueError
        If shapes disagree, an embedding is not finite, or a row does not have exactly one label.

    Examples
    --------
    >>> classifier = fit_classifier(
    ...     np.array([[-1.0], [1.0]], dtype=np.float32), np.eye(2, dtype=np.int8), ["low", "high"],
    ...     multi_label=False, groups=None, layout=Layout(np.zeros(1, np.float32), 1.0), seed=0,
    ... )
    >>> classifier.probabilities(np.zeros((1, 1), dtype=np.float32)).round(3).tolist()
    [[0.5, 0.5]]
    """
    fitted = fit_and_predict(
        embeddings,
        labels,
        class_names,
        multi_label=multi_label,
        groups=groups,
        layout=layout,
        prior=prior,
        seed=seed,
    )
    return fitted[0] if fitted else None


def fit_and_predict(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int8],
    class_names: Sequence[str],
    *,
    multi_label: bool,
    groups: NDArray[np.int64] | None,
    layout: Layout,
    prior: NDArray[np.float32] | None = None,
    seed: int,
) -> tuple[Classifier, NDArray[np.float64]] | None:
    """Train like ``fit_classifier``, and return the out-of-fold probabilities too.

    Returns
    -------
    classifier : Classifier
    out_of_fold : ndarray of float64, shape=(n_labeled, n_classes)
        Probabilities from fits without the clip's recording; NaN where there is none.

    Raises
    ------
    ValueError
        As ``fit_classifier``.
    """
    _check(embeddings, labels, class_names, multi_label)
    rows = layout.rows(normalize_rows(embeddings), prior)  # (n_labeled, n_features)
    if groups is None:
        groups = np.arange(len(labels))
    n_labeled, n_classes = labels.shape
    embedding_dim = embeddings.shape[1]
    weight = prior_weight(labels, groups, prior)
    if rows.shape[1] > embedding_dim:
        rows[:, embedding_dim:] *= weight
    weights = np.zeros((n_classes, rows.shape[1]))
    biases = np.zeros(n_classes)
    out_of_fold = np.full(labels.shape, np.nan)
    if multi_label:
        constants = (labels.sum(axis=0) + 1.0) / (n_labeled + 2.0)
        for column in range(n_classes):
            answers = labels[:, column].astype(np.int64)
            if 0 < answers.sum() < n_labeled:
                *no_and_yes, held_out_logits = fit_calibrated(rows, answers, groups, seed)
                weights[column], biases[column] = (pair[1] - pair[0] for pair in no_and_yes)
                constants[column] = np.nan
                out_of_fold[:, column] = np.exp(log_softmax(held_out_logits))[:, 1]
    else:
        constants = np.full(n_classes, 1.0 / (n_labeled + n_classes))
        seen, answers = np.unique(labels.argmax(axis=1), return_inverse=True)
        if len(seen) > 1:
            weights[seen], biases[seen], held_out_logits = fit_calibrated(
                rows, answers, groups, seed
            )
            constants[seen] = np.nan
            out_of_fold[:, seen] = np.exp(log_softmax(held_out_logits))
    if not np.isnan(constants).any():
        return None
    unit_weights = weights[:, :embedding_dim] / layout.spread
    biases -= unit_weights @ layout.center
    prior_weights = np.zeros((n_classes, n_classes))
    if layout.prior_center is not None and layout.prior_scale is not None and prior is not None:
        prior_weights[:] = weights[:, embedding_dim:] * weight * layout.prior_scale
        biases -= prior_weights @ layout.prior_center
    classifier = Classifier(
        class_names=tuple(class_names),
        multi_label=multi_label,
        weights=unit_weights.astype(np.float32),
        prior_weights=prior_weights,
        biases=biases,
        constants=constants,
        rule=Rule.balanced(n_classes, multi_label=multi_label),
    )
    return classifier, out_of_fold


def _check(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int8],
    class_names: Sequence[str],
    multi_label: bool,
) -> None:
    if embeddings.ndim != 2 or labels.shape != (len(embeddings), len(class_names)):
        raise ValueError(
            f"embeddings of shape {embeddings.shape} and labels of shape {labels.shape} "
            f"for {len(class_names)} classes; wanted (n_labeled, embedding_dim) and "
            "(n_labeled, n_classes)"
        )
    check_finite_rows(embeddings, "labeled embeddings")
    if not multi_label and (labels.sum(axis=1) != 1).any():
        row = int(np.argmax(labels.sum(axis=1) != 1))
        raise ValueError(f"row {row} has {labels[row].sum()} labels; wanted exactly one")


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(-np.logaddexp(0.0, -logits)))
