"""Simulate the loop on clips with known labels, to compare query strategies.

Training, calibration and ranking are ``training.learn``, as in the live loop; only the annotator
is simulated, with the table's labels. A run proceeds in rounds: the initial strategy ranks the
first labels, the strategy the others, and after every round the classifier is measured on clips of
recordings that it was not trained on.

Runs differ in two ways: each leaves out a random tenth of the pool's recordings, and each has its
own random seed. The spread over runs thus shows the dependence on the recordings, also for a
deterministic strategy. In a run, every strategy has the same pool and test clips, and strategies
with the same initial strategy have the same first labels: differences are paired.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.clip import TaskLabels
from ml_backend.errors import SourceError
from ml_backend.evaluation.labeled_benchmark import Trial, split
from ml_backend.evaluation.metrics import measure
from ml_backend.learning.decision import BALANCED, F1
from ml_backend.learning.embedded_clips import EmbeddedClips
from ml_backend.learning.round_input import RoundInput
from ml_backend.learning.training import Learned, learn
from ml_backend.strategies.greedy import Ranking
from ml_backend.strategies.registry import Pool, QueryStrategy

N_HEAD = 200


@dataclass(frozen=True)
class Plan:
    """The rounds: ``n_initial`` labels first, then rounds of ``step`` up to ``n_labels``.

    As in the live loop, ``audit_share`` of them are a random sample that is not trained on, and the
    decision rule is learned for an ``objective`` (``learning/decision.py``).
    """

    n_initial: int
    step: int
    n_labels: int
    n_runs: int
    seed: int
    audit_share: float = 0.0
    objective: str = BALANCED


def simulate(
    trial: Trial,
    plan: Plan,
    strategies: Sequence[QueryStrategy],
    initial_strategies: Sequence[QueryStrategy] = (),
    on_progress: Callable[[int, int], None] = lambda n_done, n_total: None,
) -> list[dict[str, Any]]:
    """Simulate every run of every strategy, and return the figures after each round.

    Without ``initial_strategies`` each strategy ranks its own first labels, as in the live loop.

    Returns
    -------
    list of dict
        One per run and round, with ``strategy``, ``initial_strategy``, ``run``, ``seed``,
        ``n_labels``, ``per_class`` (labels of each class) and ``metrics.FIGURES``.

    Raises
    ------
    SourceError
        If the plan is not valid, or a pool is smaller than the initial labels.
    """
    if not 0 < plan.n_initial <= plan.n_labels or plan.step < 1 or plan.n_runs < 1:
        raise SourceError(
            f"{plan.n_initial} initial labels, rounds of {plan.step}, {plan.n_labels} labels, "
            f"{plan.n_runs} runs: all must be 1 or more, and no more initial labels than labels."
        )
    splits = [split(trial, plan.seed + run) for run in range(plan.n_runs)]
    smallest = min(len(pool) for pool, _ in splits)
    if smallest < plan.n_initial:
        raise SourceError(
            f"The pool has {smallest} clips (each run leaves a tenth of its recordings out), and "
            f"{plan.n_initial} initial labels are wanted. Lower --initial or widen the pool."
        )
    # Every run ends where the smallest pool ends, so that each mean is over the same runs.
    n_labels = min(plan.n_labels, smallest)
    pairs = [(initial, one) for initial in initial_strategies for one in strategies]
    pairs = pairs or [(one, one) for one in strategies]
    n_curves = plan.n_runs * len(pairs)
    rows: list[dict[str, Any]] = []
    n_done = 0
    for run, (pool, test) in enumerate(splits):
        seed = plan.seed + run
        annotator = Annotator(trial, pool, seed, plan.audit_share, plan.objective)
        first: dict[str, list[TaskLabels]] = {}
        for initial, strategy in pairs:
            if initial.name not in first:
                first[initial.name] = annotator.answer([], initial, plan.n_initial, plan.step)
            labels = first[initial.name]
            while True:
                learned = annotator.learn(labels, strategy)
                rows.append(
                    {
                        "strategy": strategy.name,
                        "initial_strategy": initial.name,
                        "run": run,
                        "seed": seed,
                        "n_labels": len(labels),
                        "per_class": _count(trial, labels),
                        **measure_on(trial, learned, test),
                    }
                )
                n_more = min(plan.step, n_labels - len(labels))
                if not n_more:
                    break
                labels = labels + annotator.answers_to(learned.order[:n_more])
            n_done += 1
            on_progress(n_done, n_curves)
    return rows


class Annotator:
    """The simulated annotator of one run: labels pool ``clips`` in the order of the queue."""

    def __init__(
        self,
        trial: Trial,
        pool: NDArray[np.int64],
        seed: int,
        audit_share: float = 0.0,
        objective: str = F1,
    ) -> None:
        self._trial = trial
        self.clips = _only(trial.clips, pool)
        self.prior = None if trial.prior is None else trial.prior[pool]
        self._seed = seed
        self._audit_share = audit_share
        self._objective = objective

    def learn(self, labels: Sequence[TaskLabels], strategy: QueryStrategy) -> Learned:
        """Train and rank with these labels as the live loop does."""
        given = RoundInput(
            self.clips,
            labels,
            self._trial.config,
            _Reseeded(strategy, self._seed),
            self._trial.embedder_id,
            prior=self.prior,
            audit_share=self._audit_share,
            objective=self._objective,
        )
        return learn(given, n_head=N_HEAD)

    def answer(
        self, labels: list[TaskLabels], strategy: QueryStrategy, n_labels: int, step: int
    ) -> list[TaskLabels]:
        """Continue in rounds of ``step`` until there are ``n_labels``."""
        while len(labels) < n_labels:
            n_more = min(step, n_labels - len(labels))
            labels = labels + self.answers_to(self.learn(labels, strategy).order[:n_more])
        return labels

    def answers_to(self, task_ids: NDArray[np.int64]) -> list[TaskLabels]:
        """Return the table's labels of clips."""
        names = self._trial.config.class_names
        return [
            TaskLabels(int(row), frozenset({names[self._trial.answers[row]]}), "labeled", 1)
            for row in task_ids
        ]


def _only(clips: EmbeddedClips, rows: NDArray[np.int64]) -> EmbeddedClips:
    return EmbeddedClips(
        clips.task_ids[rows],
        tuple(clips.clip_keys[row] for row in rows),
        clips.recordings[rows],
        clips.embeddings[rows],
    )


def _count(trial: Trial, labels: Sequence[TaskLabels]) -> dict[str, int]:
    rows = np.array([one.task_id for one in labels], dtype=np.int64)
    counts = np.bincount(trial.answers[rows], minlength=len(trial.config.class_names))
    return dict(zip(trial.config.class_names, counts.tolist(), strict=True))


def measure_on(trial: Trial, learned: Learned, test: NDArray[np.int64]) -> dict[str, float]:
    """Compute ``metrics.measure`` of a round's classifier on test rows."""
    n_classes = len(trial.config.class_names)
    truth = np.eye(n_classes, dtype=np.int8)[trial.answers[test]]
    if learned.classifier is None:
        return measure(truth, np.full(truth.shape, 1.0 / n_classes), trial.target)
    prior = None if trial.prior is None else trial.prior[test]
    probabilities = learned.classifier.probabilities(trial.clips.embeddings[test], prior)
    decided = learned.classifier.rule.decide(probabilities).argmax(axis=1)
    return measure(truth, probabilities, trial.target, decided)


@dataclass(frozen=True)
class _Reseeded:
    """A strategy with the random seed of a run."""

    strategy: QueryStrategy
    seed: int

    @property
    def name(self) -> str:
        return self.strategy.name

    def rank(self, pool: Pool, n_head: int, rng: np.random.Generator) -> Ranking:
        state = int(rng.integers(2**32))
        return self.strategy.rank(pool, n_head, np.random.default_rng([self.seed, state]))
