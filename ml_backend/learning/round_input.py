"""The input of a round, and the name of the version that it results in: same input, same name."""

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
"""Part of the digest: a change of the method results in another version from the same state."""
_SIGN = "+"


@dataclass(frozen=True)
class Pinned:
    """A pinned version and its classifier."""

    model_version: str
    classifier: Classifier

    def name(self, digest: str) -> str:
        """Return the name of the ranking that it computes from a state."""
        return f"{self.model_version}{_SIGN}{digest}"


def learned_version(model_version: str) -> str:
    """Return the version that trained the classifier of a version: another one while pinned.

    Examples
    --------
    >>> learned_version("earmark-40-1a2b+3c4d"), learned_version("earmark-40-1a2b")
    ('earmark-40-1a2b', 'earmark-40-1a2b')
    """
    return model_version.partition(_SIGN)[0]


@dataclass(frozen=True)
class RoundInput:
    """The state of a project that a round trains on.

    Parameters
    ----------
    clips : EmbeddedClips
        Every embedded clip of the project.
    labels : iterable of TaskLabels
        All labels so far.
    config : LabelConfig
        The classes, in their fixed order.
    strategy : QueryStrategy
        Ranks the pool.
    embedder_id : str
    prior : ndarray of float32, shape=(n_clips, n_classes), or None
        ``Prior.logits`` by rows of ``clips``; a class without a prior is a column of NaN.
    audit_share : float, range [0, 1]
        Share of the clips in the audit slice (``audit_slice.py``).
    pinned : Pinned or None
        Ranks instead of a newly trained classifier (``loop/pinned_version.py``).
    first : ndarray of int64, or None
        Task numbers requested first; answered and unknown ones are ignored.
    n_annotators_wanted : int
        Number of annotators that the project wants for each clip.
    objective : str
        Objective of the decision rule (``decision.learn_rule``).

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
        """Return the labels sorted by task number."""
        return sorted(self.labels, key=lambda one: one.task_id)

    @cached_property
    def is_answered(self) -> NDArray[np.bool_]:
        """Return whether each clip is answered, shape=(n_clips,)."""
        found = np.zeros(len(self.clips), dtype=bool)
        found[self.clips.rows([one.task_id for one in self.answers])] = True
        return found

    @cached_property
    def begun(self) -> NDArray[np.int64]:
        """Return the rows of the clips that some, but not enough, annotators have answered.

        Ties are not among them: Label Studio serves those unranked (``loop/ties.py``), so that no
        prediction influences the person who decides.
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
        """Return the rows of the unanswered clips that are requested first."""
        if self.first is None:
            return np.empty(0, dtype=np.int64)
        return self.clips.rows(np.setdiff1d(self.first, [one.task_id for one in self.answers]))

    @cached_property
    def model_version(self) -> str:
        """Return the name of the resulting version without computing it."""
        n_usable = sum(one.labels is not None for one in self.answers)
        digest = self._digest()[:12]
        return self.pinned.name(digest) if self.pinned else f"earmark-{n_usable}-{digest}"

    def _digest(self) -> str:
        answered = [
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
            answered,
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
