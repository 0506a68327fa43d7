"""Measure a round's classifier, and store the figures with the round."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.evaluation.cross_validation import predict_out_of_fold
from ml_backend.evaluation.label_errors import count_confusions, find_suspects
from ml_backend.evaluation.measurements import Known, is_due, know, line_of, read_measurements
from ml_backend.evaluation.metrics import kappa
from ml_backend.evaluation.performance import audit, cross_validate, decide_about
from ml_backend.evaluation.pool_performance import estimate_pool
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.learning.classifier import Classifier
from ml_backend.learning.decision import Rule
from ml_backend.learning.embedded_clips import EmbeddedClips
from ml_backend.learning.training import Learned
from ml_backend.loop.project_state import State
from ml_backend.store import Store

N_WATCHED = 1_000
"""Number of clips to compare two classifiers on."""


class RoundMetrics:
    """Measures a round when it is due, and stores the figures with the round."""

    def __init__(self, store: Store, embedder_id: str) -> None:
        self._store = store
        self._embedder_id = embedder_id

    def measure(
        self,
        project_id: int,
        number: int,
        learned: Learned,
        state: State,
        prior: NDArray[np.float32] | None,
    ) -> None:
        """Measure a round if it is due, and store the figures.

        It is due if there are enough new labels since the last valid measurement, or if a label of
        the last measurement was withdrawn or changed.

        Parameters
        ----------
        project_id : int
        number : int
            Number of the round.
        learned : Learned
        state : State
        prior : ndarray, shape=(n_clips, n_classes), or None
            The prior of ``learned``.
        """
        measurements = read_measurements(self._store, project_id, state.labels)
        line = line_of(measurements)
        is_changed = bool(measurements) and measurements[0].n_held < measurements[0].n_labeled
        n_before = line[-1].n_labeled if line else 0
        if learned.classifier is None or not (is_changed or is_due(learned.n_labeled, n_before)):
            return
        earlier = [one for one in line if is_due(learned.n_labeled, one.n_labeled)]
        figures = {
            "embedder_id": self._embedder_id,
            **take_figures(
                learned,
                self._classifier(project_id, earlier[-1].model_version) if earlier else None,
                state.clips,
                state.config,
                prior,
            ),
        }
        packed = self._store.versions.measured_labels(project_id)
        embedded = set(state.clips.task_ids.tolist())
        used = [one for one in state.labels if one.task_id in embedded]
        known = know(used, number, None if packed is None else Known(**packed))
        self._store.versions.set_figures(project_id, number, figures, vars(known))

    def _classifier(self, project_id: int, model_version: str) -> Classifier | None:
        version = self._store.versions.find(project_id, model_version)
        if version is None or version.classifier is None:
            return None
        return Classifier.from_arrays(version.classifier)


def take_figures(
    learned: Learned,
    before: Classifier | None,
    clips: EmbeddedClips,
    config: LabelConfig,
    prior: NDArray[np.float32] | None,
) -> dict[str, Any]:
    """Measure a round's classifier.

    Parameters
    ----------
    learned : Learned
        With a classifier.
    before : Classifier or None
        Classifier of the previous measurement.
    clips : EmbeddedClips
    config : LabelConfig
    prior : ndarray of float32, shape=(n_clips, n_classes), or None
        The prior of ``learned``.

    Returns
    -------
    dict
        ``class_names``, and the number of ``labels`` of each; ``cross_validated`` and ``audit`` as
        returned by ``performance.summarize_recalls``, or None; ``n_audit``; ``pool`` by
        ``pool_performance.estimate_pool``; ``rule`` by ``Rule.describe``; ``confusion`` and
        ``suspects`` by ``label_errors.py``; ``kappa``, the agreement with ``before``, or None;
        ``seconds``, the duration.
    """
    began = time.perf_counter()
    assert learned.classifier is not None
    rule = learned.classifier.rule
    out_of_fold = predict_out_of_fold(clips, learned.training, config, prior)
    n_labels = learned.training.labels.sum(axis=0) + learned.audit.labels.sum(axis=0)
    return {
        "class_names": list(config.class_names),
        "labels": dict(zip(config.class_names, n_labels.tolist(), strict=True)),
        "rule": rule.describe(config.class_names),
        "pool": estimate_pool(
            learned.classifier, clips, learned.training, learned.audit, config, prior
        ),
        "cross_validated": cross_validate(out_of_fold, config, rule),
        "confusion": count_confusions(out_of_fold, config, rule),
        "suspects": find_suspects(out_of_fold, config),
        "audit": audit(learned.classifier, clips, learned.audit, config, prior),
        "n_audit": len(learned.audit),
        "kappa": _agreement(learned.classifier, before, clips, prior),
        "seconds": round(time.perf_counter() - began, 4),
    }


def _agreement(
    now: Classifier | None,
    before: Classifier | None,
    clips: EmbeddedClips,
    prior: NDArray[np.float32] | None,
) -> float | None:
    """Return kappa of two classifiers' predictions of the same clips; None if not comparable.

    The predictions are by the balanced rule, because thresholds also depend on the pool.
    """
    if now is None or before is None or not _is_comparable(now, before, prior):
        return None
    watched = np.sort(np.argsort(clips.lots, kind="stable")[-N_WATCHED:])
    rule = Rule.balanced(len(now.class_names), multi_label=now.multi_label)
    new, old = (decide_about(one, clips, watched, prior, rule) for one in (now, before))
    if now.multi_label:
        return round(kappa(new.ravel(), old.ravel()), 4)
    return round(kappa(new.argmax(axis=1), old.argmax(axis=1)), 4)


def _is_comparable(now: Classifier, before: Classifier, prior: NDArray[np.float32] | None) -> bool:
    return (
        now.class_names == before.class_names
        and now.multi_label == before.multi_label
        and now.weights.shape == before.weights.shape
        and (prior is not None or not before.needs_prior)
    )
