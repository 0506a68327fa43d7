import numpy as np

from ml_backend.strategies.greedy import descending, pick_greedily


def test_only_candidates_come_into_the_head():
    scores = np.arange(10.0)
    ranking = pick_greedily(scores, lambda rows, _: scores[rows], 4, None, np.array([2, 5]))
    assert ranking.order.tolist() == [5, 2, 9, 8, 7, 6, 4, 3, 1, 0]


def test_a_clip_is_looked_at_again_only_when_it_could_lead():
    rng = np.random.default_rng(0)
    start = rng.random(5_000)
    looked_at = []

    def halved_once_anything_is_picked(rows, picked):
        looked_at.extend(rows)
        return start[rows] / 2

    ranking = pick_greedily(start, halved_once_anything_is_picked, 10, None)
    assert ranking.order[0] == start.argmax()
    # All halve, so the order stays; but most of those far behind need never be known.
    assert ranking.order[:10].tolist() == np.argsort(-start)[:10].tolist()
    assert len(set(looked_at)) < 5_000


def test_no_clip_is_looked_at_twice_for_the_same_picks():
    rng = np.random.default_rng(1)
    start = rng.random(2_000)
    looks = []

    def falling(rows, picked):
        looks.extend((int(row), len(picked)) for row in rows)
        return start[rows] * 0.9 ** len(picked) * rng.random(len(rows))

    pick_greedily(start, falling, 8, None)
    assert len(set(looks)) == len(looks)


def test_among_many_equals_the_first_is_found_at_once():
    start = np.where(np.arange(50_000) % 7 == 3, 1.0, 0.5)
    looked_at = []

    def unchanged(rows, picked):
        looked_at.extend(rows)
        return start[rows]

    ranking = pick_greedily(start, unchanged, 5, None)
    assert ranking.order[:5].tolist() == [3, 10, 17, 24, 31]
    assert len(looked_at) < 500


def test_a_head_longer_than_the_pool_is_the_pool():
    start = np.array([1.0, 3.0, 2.0])
    ranking = pick_greedily(start, lambda rows, _: start[rows], 50, np.array([5, 5, 5]))
    assert ranking.order.tolist() == [1, 2, 0]


def test_equal_scores_keep_the_order_of_rows():
    assert descending(np.array([1.0, 2.0, 2.0, 1.0])).tolist() == [1, 2, 0, 3]
