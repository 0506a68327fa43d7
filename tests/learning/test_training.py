"""From labels to an order: at once, or the first clips first."""

import numpy as np
import pytest

from ml_backend.clip import TaskLabels, content_hash
from ml_backend.label_studio.label_config import label_config_xml, parse_label_config
from ml_backend.learning.embedded_clips import EmbeddedClips
from ml_backend.learning.round_input import RoundInput
from ml_backend.learning.training import keep_positions, train_and_rank
from ml_backend.strategies.registry import _STRATEGIES, get_strategy

CLASSES = ("siren", "other")
N_CLIPS, N_HEAD, N_FIRST = 90, 24, 6
CLIPS = EmbeddedClips(
    np.arange(1, N_CLIPS + 1),
    tuple(content_hash(str(row).encode()) for row in range(N_CLIPS)),
    np.arange(N_CLIPS) // 3,
    np.random.default_rng(0).normal(size=(N_CLIPS, 8)).astype(np.float32),
)


def learned(strategy, n_labeled, n_head):
    said = [
        TaskLabels(task_id, frozenset({CLASSES[task_id % 2]}), "labeled", 1)
        for task_id in range(1, n_labeled + 1)
    ]
    config = parse_label_config(label_config_xml(CLASSES, multi_label=False))
    given = RoundInput(
        CLIPS, said, config, get_strategy(strategy), "toy-1", audit_share=0.1,
        first=np.array([50, 51, 52]),
    )  # fmt: skip
    return train_and_rank(given, n_head=n_head)


@pytest.mark.parametrize("strategy", _STRATEGIES)
@pytest.mark.parametrize("n_labeled", [0, 12, 45])
def test_what_was_handed_over_keeps_its_positions_and_the_others_follow_the_longer_head(
    strategy, n_labeled
):
    short, ranking = learned(strategy, n_labeled, N_FIRST)
    long, _ = learned(strategy, n_labeled, N_HEAD)
    kept = np.array([0, 1, 2, 3, 4, 5, 11, 30])
    order = keep_positions(short.order, ranking.order(N_HEAD), kept).tolist()
    assert [order[place] for place in kept] == short.order[kept].tolist()
    handed_over = set(short.order[kept].tolist())
    left = [task_id for task_id in order if task_id not in handed_over]
    assert left == [task_id for task_id in long.order.tolist() if task_id not in handed_over]


@pytest.mark.parametrize("strategy", ["default", "entropy-coverage", "uherding", "margin"])
def test_a_greedy_strategy_begins_alike_whatever_the_length_of_the_head(strategy):
    for n_labeled in (0, 12, 45):
        short, long = (learned(strategy, n_labeled, n)[0] for n in (N_FIRST, N_HEAD))
        assert short.order[:N_FIRST].tolist() == long.order[:N_FIRST].tolist()


def test_with_nothing_kept_the_order_is_the_new_one_and_with_all_kept_the_one_before():
    before, again = np.array([4, 2, 9, 7]), np.array([9, 7, 4, 2])
    assert keep_positions(before, again, np.arange(0)).tolist() == again.tolist()
    assert keep_positions(before, again, np.arange(4)).tolist() == before.tolist()
