"""After a round: what its classifier is worth, kept with the round."""

import threading
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.embedded import EmbeddedClips
from ml_backend.evaluation import kappa
from ml_backend.figures import audit, cross_validate, decide_about, is_due
from ml_backend.label_config import LabelConfig
from ml_backend.mistakes import find_confusions, find_suspects
from ml_backend.out_of_fold import judge_out_of_fold
from ml_backend.store import Store
from ml_backend.training import Learned

N_WATCHED = 1_000
"""On so many clips a classifier is compared with the one before."""

_Decided = tuple[NDArray[np.int64], NDArray[np.int8]]


class Gauge:
    """Takes figures when there are enough new labels; remembers what classifiers decided."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._decided: dict[int, _Decided] = {}
        self._lock = threading.Lock()

    def measure(
        self,
        project_id: int,
        number: int,
        learned: Learned,
        clips: EmbeddedClips,
        config: LabelConfig,
        prior: NDArray[np.float32] | None,
    ) -> None:
        """Take the figures of a round, if it is time, and keep them.

        Parameters
        ----------
        number : int
            Of the round.
        prior : ndarray, shape=(n_clips, n_classes), or None
            What ``learned`` was learned with.
        """
        past = self._store.versions.measured_rounds(project_id, limit=1)
        n_before = past[0].n_labeled if past else 0
        is_time = is_due(learned.n_labeled, n_before) or learned.n_labeled < n_before
        if learned.classifier is None or not is_time:
            return
        began = time.perf_counter()
        watched = np.sort(np.argsort(clips.lots, kind="stable")[-N_WATCHED:])
        decided = clips.task_ids[watched], decide_about(learned.classifier, clips, watched, prior)
        with self._lock:
            before = self._decided.get(project_id)
            self._decided[project_id] = decided
        judged = judge_out_of_fold(clips, learned.training, config, prior)
        figures: dict[str, Any] = {
            "cross_validated": cross_validate(judged, config),
            "confusion": find_confusions(judged, config),
            "suspects": find_suspects(judged, config),
            "audit": audit(learned.classifier, clips, learned.audit, config, prior),
            "n_audit": len(learned.audit),
            "kappa": None if before is None else _agreement(decided, before, config.multi_label),
            "seconds": round(time.perf_counter() - began, 4),
        }
        self._store.versions.set_figures(project_id, number, figures)


def _agreement(decided: _Decided, before: _Decided, multi_label: bool) -> float | None:
    """Give kappa on the clips that both decided about; None where the classes have changed."""
    _, now, then = np.intersect1d(decided[0], before[0], return_indices=True)
    says, said = decided[1][now], before[1][then]
    if says.shape != said.shape or not says.size:
        return None
    if multi_label:
        return round(kappa(says.ravel(), said.ravel()), 4)
    return round(kappa(says.argmax(axis=1), said.argmax(axis=1)), 4)
