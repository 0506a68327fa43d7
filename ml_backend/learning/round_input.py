"""What a round learns from, and the name of the version that it leads to: same input, same name."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ml_backend.clip import TaskLabels
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.learning.classifier import Classifier
from ml_backend.learning.decision import F1
from ml_backend.learning.embedded_clips import EmbeddedClips
from ml_backend.strategies.registry import QueryStrategy

_METHOD = "unit rows, prior that fades, sharp, rule"
"""What is learned from the same state when this changes is another version."""
_SIGN = "+"


@dataclass(frozen=True)
class Pinned:
    """A version that is pinned, and its classifier."""

    model_version: str
    classifier: Classifier

    def name(self, digest: str) -> str:
        """Name the order that it makes of a state."""
        return f"{self.model_version}{_SIGN}{digest}"


def learned_version(model_version: str) -> str:
    """Give the version whose classifier a version has: another one's while that is pinned.

    Examples
    --------
    >>> learned_version("earmark-40-1a2b+3c4d"), learned_version("earmark-40-1a2b")
    ('earmark-40-1a2b', 'earmark-40-1a2b')
    """
    return model_version.partition(_SIGN)[0]


@dataclass(frozen=True)
class RoundInput:
    """The state of a project that a round learns from.

    Parameters
    ----------
    clips : EmbeddedClips
        Every embedded clip of the project.
    labels : iterable of TaskLabels
        What people said so far.
    config : LabelConfig
        The classes, in their fixed order.
    strategy : QueryStrategy
        Ranks the pool.
    embedder_id : str
    prior : ndarray of float32, shape=(n_clips, n_classes), or None
        What is known before any label (``Prior.logits``), by rows of ``clips``; a class without
        it is a column of NaN.
    audit_share : float
        Share of the clips that is set aside to measure on (``audit_slice.py``).
    pinned : Pinned or None
        Ranks instead of a classifier that is trained (``pinned_version.py``).
    first : ndarray of int64, or None
        Task numbers that people want to be asked about; answered and unknown ones do not matter.
    n_annotators_wanted : int
        How many annotators the project wants for each clip.
    objective : str
        What the rule is learned for (``decision.learn_rule``).

    Raises
    ------
    ValueError
        If the prior has another shape.
    """

    clips: EmbeddedClips
    labels: Iterable[TaskLabels]
    config: LabelConfig
    strategy: QueryStrategy
    embedder_id: str
    prior: NDArray[np.float32] | None = None
    audit_share: float = 0.0
    pinned: Pinned | None = None
    first: NDArray[np.int64] | None = None
    n_annotators_wanted: int = 1
    objective: str = F1

    def __post_init__(self) -> None:
        wanted = (len(self.clips), len(self.config.class_names))
        if self.prior is not None and self.prior.shape != wanted:
            raise ValueError(f"the prior has shape {self.prior.shape}; wanted {wanted}")

    @cached_property
    def answers(self) -> list[TaskLabels]:
        """Give the labels in the order of the tasks' numbers."""
        return sorted(self.labels, key=lambda one: one.task_id)

    @cached_property
    def is_answered(self) -> NDArray[np.bool_]:
        """Tell by rows of the clips, shape=(n_clips,), whether somebody has answered."""
        found = np.zeros(len(self.clips), dtype=bool)
        found[self.clips.rows([one.task_id for one in self.answers])] = True
        return found

    @cached_property
    def begun(self) -> NDArray[np.int64]:
        """Give the rows of the clips that some, but not enough, annotators have answered.

        Ties are none of them: Label Studio serves those unranked (``ties.py``), and no prediction
        is to lead whoever decides.
        """
        return self.clips.rows(
            [
                one.task_id
                for one in self.answers
                if one.state not in ("skipped", "tied")
                and one.n_annotators < self.n_annotators_wanted
            ]
        )

    @cached_property
    def asked(self) -> NDArray[np.int64]:
        """Give the rows of the clips that people want to be asked about and nobody has answered."""
        if self.first is None:
            return np.empty(0, dtype=np.int64)
        return self.clips.rows(np.setdiff1d(self.first, [one.task_id for one in self.answers]))

    @cached_property
    def model_version(self) -> str:
        """Name the version that this leads to, without the work."""
        n_usable = sum(one.labels is not None for one in self.answers)
        digest = self._digest()[:12]
        return self.pinned.name(digest) if self.pinned else f"earmark-{n_usable}-{digest}"

    def _digest(self) -> str:
        said = [
            [one.task_id, None if one.labels is None else sorted(one.labels), one.n_annotators]
            for one in self.answers
        ]
        state = [
            _METHOD,
            self.objective,
            self.audit_share,
            self.embedder_id,
            self.strategy.name,
            self.config.class_names,
            self.config.multi_label,
            said,
        ]
        digest = hashlib.sha256(json.dumps(state).encode())
        digest.update(self.clips.task_ids.tobytes())
        digest.update("".join(self.clips.clip_keys).encode())
        if self.prior is not None:
            digest.update(self.prior.tobytes())
        digest.update(self.clips.task_ids[self.asked].tobytes())
        if len(self.begun):
            digest.update(b"begun" + self.clips.task_ids[self.begun].tobytes())
        return digest.hexdigest()
