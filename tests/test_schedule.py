import numpy as np
import pytest

from ml_backend.coverage import normalize_rows
from ml_backend.query_strategy import Pool, get_strategy
from ml_backend.strategies import schedule


def make_pool(n_labeled, counts=(0, 0), *, prior=True, recordings=None, n_pool=300):
    """Make a pool in which the prior's logit of the first class rises with the row number."""
    rng = np.random.default_rng(0)
    unit = normalize_rows(rng.normal(size=(n_pool + n_labeled, 16)).astype(np.float32))
    logits = np.stack([np.arange(n_pool), np.full(n_pool, np.nan)], axis=1).astype(np.float32)
    labels = np.zeros((n_labeled, 2), np.int8)
    labels[: counts[0], 0] = labels[counts[0] :, 1] = 1
    return Pool(
        unit[:n_pool],
        unit[n_pool:],
        rng.dirichlet([1, 1], size=n_pool) if n_labeled > 1 else None,
        recordings,
        labels=labels,
        prior=logits if prior else None,
    )


def head(name, pool, n_head=12):
    return get_strategy(name).rank(pool, n_head, np.random.default_rng(0)).order[:n_head].tolist()


def without_knowledge(pool):
    return Pool(pool.embeddings, pool.labeled, None, pool.recordings)


@pytest.mark.parametrize("n_labeled", [0, 1, 2, 39])
def test_at_first_every_third_clip_is_a_likely_one_and_the_others_are_typical(n_labeled):
    pool = make_pool(n_labeled)
    found = head("default", pool)
    turns = [(n_labeled + place) % 3 == 0 for place in range(12)]
    likely = [row for row, turn in zip(found, turns, strict=True) if turn]
    typical = [row for row, turn in zip(found, turns, strict=True) if not turn]
    assert likely == sorted(set(range(300)) - set(typical), reverse=True)[:4]
    herded = head("entropy-coverage", without_knowledge(pool), 20)
    assert typical == [row for row in herded if row not in likely][:8]


def test_the_same_turns_come_whether_one_clip_is_asked_at_a_time_or_many():
    likely = [299 in head("default", make_pool(n_labeled), 1) for n_labeled in range(9)]
    assert likely == [True, False, False] * 3


def test_later_it_is_entropy_times_coverage_once_the_named_class_was_found():
    pool = make_pool(40, counts=(schedule.N_ENOUGH, 0))
    assert head("default", pool) == head("entropy-coverage", pool)


def test_a_named_class_that_is_hardly_found_is_searched_for_a_while():
    pool = make_pool(42, counts=(schedule.N_ENOUGH - 1, 0))
    assert head("default", pool)[0] == 299
    late = make_pool(schedule.N_COLD + schedule.N_SEARCH, counts=(0, 0))
    assert head("default", late) == head("entropy-coverage", late)


def test_without_a_prior_it_is_herding_and_then_entropy_times_coverage():
    early, late = (make_pool(n_labeled, prior=False) for n_labeled in (10, 40))
    assert head("default", early) == head("entropy-coverage", without_knowledge(early))
    assert head("default", late) == head("entropy-coverage", late)


def test_classes_with_names_take_turns_the_one_with_the_fewest_labels_first():
    pool = make_pool(3, counts=(2, 1))
    prior = np.stack([np.arange(300), -np.arange(300)], axis=1).astype(np.float32)
    both = Pool(pool.embeddings, pool.labeled, None, None, labels=pool.labels, prior=prior)
    found = head("default", both, 10)
    # Labels 2 and 1: the second class catches up, then they alternate, the first before it.
    assert [found[place] for place in (0, 3, 6, 9)] == [0, 299, 1, 298]


@pytest.mark.parametrize("n_labeled", [0, 39, 45])
def test_likely_clips_keep_to_one_a_recording_too(n_labeled):
    recordings = np.arange(300) // 10
    found = head("default", make_pool(n_labeled, recordings=recordings), 30)
    assert sorted(recordings[found]) == list(range(30))


def test_the_more_classes_the_longer_the_cold_start():
    pool = make_pool(45, counts=(10, 35))
    many = Pool(
        pool.embeddings,
        pool.labeled,
        np.full((300, 5), 0.2),
        None,
        labels=np.eye(5, dtype=np.int8)[np.arange(45) % 5],
        prior=np.full((300, 5), np.nan, np.float32),
    )
    assert head("default", many) == head("entropy-coverage", without_knowledge(many))
