import numpy as np
import pytest

from ml_backend.similarity.vectors import normalize_rows
from ml_backend.strategies import schedule
from ml_backend.strategies.registry import Pool, get_strategy


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


def typical_of(pool, n_head=300):
    return head("entropy-coverage", without_knowledge(pool), n_head)


def in_turns(first, second, is_turn):
    """Take from one list where it is its turn, from the other where not, nothing twice."""
    taken = []
    for turn in is_turn:
        taken.append(next(row for row in (second if turn else first) if row not in taken))
    return taken


@pytest.mark.parametrize("n_labeled", [0, 1, 2, 19])
def test_at_first_every_third_clip_is_a_likely_one_and_the_others_are_typical(n_labeled):
    pool = make_pool(n_labeled)
    turns = [(n_labeled + place) % 3 == 0 for place in range(9)]
    expected = in_turns(typical_of(pool), range(299, -1, -1), turns)
    assert head("default", pool, 9) == expected
    assert sum(turns) == schedule.N_ENOUGH


def test_the_same_turns_come_whether_one_clip_is_asked_at_a_time_or_many():
    likely = [299 in head("default", make_pool(n_labeled), 1) for n_labeled in range(9)]
    assert likely == [True, False, False] * 3


def test_a_head_searches_for_no_more_than_is_wanted():
    found = head("default", make_pool(0), 60)
    likely, turns = range(299, -1, -1), [place in (0, 3, 6) for place in range(60)]
    assert found == in_turns(typical_of(make_pool(0)), likely, turns)


@pytest.mark.parametrize("n_labeled", [20, 21, 22])
def test_once_the_named_class_was_found_every_third_clip_is_typical_and_the_others_unsure(
    n_labeled,
):
    pool = make_pool(n_labeled, counts=(schedule.N_ENOUGH, n_labeled - schedule.N_ENOUGH))
    turns = [(n_labeled + place) % 3 == 1 for place in range(12)]
    unsure = head("entropy-coverage", pool, 300)
    # Each order knows only its own head, so what they agree on is what does not depend on length.
    short_unsure, short_typical = head("entropy-coverage", pool), typical_of(pool, 12)
    assert unsure[:12] == short_unsure
    assert head("default", pool) == in_turns(short_unsure, short_typical, turns)


@pytest.mark.parametrize(("n_labeled", "is_searched_for"), [(42, True), (79, True), (80, False)])
def test_a_named_class_that_is_hardly_found_is_searched_for_until_60_labels_after_the_cold_start(
    n_labeled, is_searched_for
):
    pool = make_pool(n_labeled, counts=(2, n_labeled - 2))
    assert (299 in head("default", pool, 3)) == is_searched_for


def test_without_a_prior_it_is_herding_until_every_class_is_found():
    few = schedule.N_ENOUGH - 1
    early, late = (make_pool(n, counts=(few, n - few), prior=False) for n in (39, 40))
    assert head("default", early) == typical_of(early, 12)
    assert head("default", late)[1] == head("entropy-coverage", late)[0]


@pytest.mark.parametrize(("n_labeled", "is_cold"), [(19, True), (21, False)])
def test_without_a_prior_classes_that_are_found_early_end_the_cold_start(n_labeled, is_cold):
    counts = (schedule.N_ENOUGH, n_labeled - schedule.N_ENOUGH)
    pool = make_pool(n_labeled, counts, prior=False)
    assert (head("default", pool) == typical_of(pool, 12)) == is_cold


def test_classes_with_names_take_turns_the_one_with_the_fewest_labels_first():
    pool = make_pool(3, counts=(2, 1))
    prior = np.stack([np.arange(300), -np.arange(300)], axis=1).astype(np.float32)
    both = Pool(pool.embeddings, pool.labeled, None, None, labels=pool.labels, prior=prior)
    found = head("default", both, 10)
    # Labels 2 and 1: the second class catches up, then the first, then the second has 3.
    assert [found[place] for place in (0, 3, 6)] == [0, 299, 1]
    assert not {298, 2} & set(found[7:])


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
