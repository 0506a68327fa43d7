"""Logistic regression with a temperature fitted by cross-validation.

Calibration (``calibration.py``) uses out-of-fold logits: no recording is in both the training and
the scored part. A class that is missing from a fold's training part is not held out: its clips are
scored by the fit to all.
"""

import numpy as np
from numpy.typing import NDArray

from ml_backend.learning.calibration import fit_temperature
from ml_backend.learning.folds import N_FOLDS, deal_folds

# Inverse strength of the L2 penalty. Measured from 0.04 to 1.2 on mn04 embeddings of unseen
# recordings: no difference up to 60 labels, beyond that weaker penalties overfit to recordings.
_C = 0.1

_Linear = tuple[NDArray[np.float64], NDArray[np.float64]]


def fit_calibrated(
    rows: NDArray[np.float64],
    answers: NDArray[np.int64],
    groups: NDArray[np.int64],
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Fit a logistic regression and divide its weights and biases by the fitted temperature.

    Parameters
    ----------
    rows : ndarray of float64, shape=(n_labeled, n_features)
    answers : ndarray of int64, shape=(n_labeled,)
        Class of each row, numbered from 0 without gaps; at least two classes.
    groups : ndarray of int64, shape=(n_labeled,)
        Recording of each row; a recording is never split between folds.
    seed : int
        Seed of the assignment of recordings to folds.

    Returns
    -------
    weights : ndarray of float64, shape=(n_seen, n_features)
    biases : ndarray of float64, shape=(n_seen,)
    held_out_logits : ndarray of float64, shape=(n_labeled, n_seen)
        Logits of each row from a fit without its recording; NaN where the row was not held out.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        small, rotation = _rotated(rows)
        weights, biases = _fit(small, answers)
        logits = small @ weights.T + biases
        was_held_out = np.zeros(len(answers), dtype=bool)
        folds = deal_folds(groups, answers, seed=seed)
        for fold in range(N_FOLDS):
            held_out = _held_out(answers, folds == fold)
            if held_out.any():
                part = _fit(small[~held_out], answers[~held_out])
                logits[held_out] = small[held_out] @ part[0].T + part[1]
                was_held_out |= held_out
        temperature = fit_temperature(logits, answers)
    if rotation is not None:
        weights = weights @ rotation
    held_out_logits = np.where(was_held_out[:, None], logits / temperature, np.nan)
    return weights / temperature, biases / temperature, held_out_logits


def _rotated(
    rows: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Rotate few clips into the space they span; an L2 penalty is invariant to that."""
    if len(rows) >= rows.shape[1]:
        return rows, None
    basis, triangle = np.linalg.qr(rows.T)  # (n_features, n_labeled), (n_labeled, n_labeled)
    return triangle.T, basis.T


def _fit(rows: NDArray[np.float64], answers: NDArray[np.int64]) -> _Linear:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=_C, class_weight="balanced", max_iter=200)
    model.fit(rows, answers)
    if len(model.classes_) == 2:
        return np.vstack([-model.coef_, model.coef_]) / 2, np.append(
            -model.intercept_, model.intercept_
        ) / 2
    return model.coef_, model.intercept_


def _held_out(answers: NDArray[np.int64], is_fold: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return is_fold & np.isin(answers, answers[~is_fold])
