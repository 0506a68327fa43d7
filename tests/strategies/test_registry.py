import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_backend.errors import SettingsError
from ml_backend.settings import STRATEGIES
from ml_backend.similarity.vectors import normalize_rows
from ml_backend.strategies.registry import Pool, get_strategy
from ml_backend.strategies.uncertainty import binary_entropy, normalized_entropy
from tests.counting import peak_mb


def make_pool(n_pool=300, n_labeled=20, *, seed=0, n_classes=3, recordings=None, known=True):
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(12, 16))
    rows = centers[rng.integers(0, 12, n_pool + n_labeled)]
    rows = rows + 0.5 * rng.normal(size=rows.shape)
    unit = normalize_rows(rows.astype(np.float32))
    return Pool(
        embeddings=unit[n_labeled:],
        labeled=unit[:n_labeled],
        probabilities=rng.dirichlet(np.ones(n_classes), size=n_pool) if known else None,
        recordings=recordings,
    )


def rank(name, pool, n_head=30, seed=0):
    return get_strategy(name).rank(pool, n_head, np.random.default_rng(seed))


def slow_entropy_coverage(pool, n_head):
    """Look at every clip before every pick, in double precision."""
    unit, near = pool.embeddings.astype(np.float64), pool.labeled.astype(np.float64)
    recordings = pool.recordings if pool.recordings is not None else np.full(len(pool), -1)
    uncertainty = normalized_entropy(pool.probabilities)
    picked, asked, scores_then = [], set(), []
    while len(picked) < min(n_head, len(pool)):
        nearest = np.vstack([near, unit[picked]])
        scores = uncertainty * (1 - unit @ nearest.T).min(axis=1)
        free = [i for i in range(len(pool)) if i not in picked]
        open_ = [i for i in free if recordings[i] == -1 or recordings[i] not in asked]
        if not open_:
            asked.clear()
            continue
        best = max(open_, key=lambda i: (scores[i], -i))
        picked.append(best)
        scores_then.append(scores[best])
        asked.add(recordings[best])
    return picked, scores_then


@pytest.mark.parametrize("n_recordings", [None, 200, 12])
def test_entropy_coverage_picks_what_looking_at_every_clip_each_time_picks(n_recordings):
    rng = np.random.default_rng(1)
    recordings = None if n_recordings is None else rng.integers(-1, n_recordings, 600)
    pool = make_pool(600, recordings=recordings)
    ranking = rank("entropy-coverage", pool, n_head=40)
    picked, scores_then = slow_entropy_coverage(pool, 40)
    assert ranking.order[:40].tolist() == picked
    np.testing.assert_allclose(ranking.acquisition[picked], scores_then, atol=1e-6)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("n_labeled", [0, 5])
@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_ranks_every_row_once(name, n_labeled, known):
    ranking = rank(name, make_pool(n_labeled=n_labeled, known=known))
    assert sorted(ranking.order.tolist()) == list(range(300))
    assert ranking.acquisition.shape == (300,)
    assert np.isfinite(ranking.acquisition).all()


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("name", STRATEGIES)
def test_behind_the_head_the_score_at_the_start_decides(name, known):
    ranking = rank(name, make_pool(known=known), n_head=30)
    rest = ranking.acquisition[ranking.order[30:]]
    assert (np.diff(rest) <= 0).all()


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("name", STRATEGIES)
def test_the_same_pool_and_generator_give_the_same_order(name, known):
    pool = make_pool(800, known=known)
    np.testing.assert_array_equal(rank(name, pool).order, rank(name, pool).order)


@pytest.mark.parametrize("known", [True, False])
def test_shuffling_the_pool_shuffles_the_order_alike(known):
    pool = make_pool(known=known, recordings=np.random.default_rng(2).integers(0, 80, 300))
    shuffle = np.random.default_rng(3).permutation(300)
    shuffled = Pool(
        pool.embeddings[shuffle],
        pool.labeled,
        None if pool.probabilities is None else pool.probabilities[shuffle],
        pool.recordings[shuffle],
    )
    plain, again = (rank("entropy-coverage", one).order[:30] for one in (pool, shuffled))
    np.testing.assert_array_equal(shuffle[again], plain)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("name", ["entropy-coverage", "uncertainty"])
def test_no_recording_is_asked_for_twice_before_every_other_was(name, known):
    recordings = np.random.default_rng(4).integers(0, 10, 300)
    head = rank(name, make_pool(known=known, recordings=recordings), n_head=30).order[:30]
    for start in (0, 10, 20):
        assert sorted(recordings[head[start : start + 10]]) == list(range(10))


def test_clips_of_unknown_recording_are_never_held_back():
    recordings = np.full(300, -1)
    with_column = rank("entropy-coverage", make_pool(recordings=recordings))
    np.testing.assert_array_equal(with_column.order, rank("entropy-coverage", make_pool()).order)


def test_a_copy_of_a_labeled_clip_comes_last():
    pool = make_pool(n_pool=50, n_labeled=5)
    embeddings = pool.embeddings.copy()
    embeddings[7] = pool.labeled[2]
    copied = Pool(embeddings, pool.labeled, pool.probabilities, None)
    ranking = rank("entropy-coverage", copied, n_head=10)
    assert ranking.order[-1] == 7
    assert ranking.acquisition[7] == 0.0


def test_of_two_equal_clips_one_is_picked_and_the_other_waits():
    pool = make_pool(n_pool=50, n_labeled=5)
    best = rank("entropy-coverage", pool, n_head=1).order[0]
    twice = Pool(
        np.vstack([pool.embeddings, pool.embeddings[best]]),
        pool.labeled,
        np.vstack([pool.probabilities, pool.probabilities[best]]),
        None,
    )
    order = rank("entropy-coverage", twice, n_head=20).order
    assert order[0] == best  # the lower row number
    assert 50 not in order[:20]


def test_equal_clips_come_by_row_number():
    pool = Pool(
        np.tile(np.eye(1, 4, dtype=np.float32), (700, 1)),
        np.eye(4, dtype=np.float32)[1:2],
        np.full((700, 2), 0.5),
        None,
    )
    for name in ("entropy-coverage", "uncertainty"):
        assert rank(name, pool, n_head=300).order.tolist() == list(range(700))


def test_with_nothing_labeled_each_sound_is_heard_once_and_the_commonest_first():
    rng = np.random.default_rng(5)
    sizes = [60, 40, 25, 15]
    kind = np.repeat(np.arange(4), sizes)
    rows = np.eye(4, 16)[kind] + 0.02 * rng.normal(size=(140, 16))
    pool = Pool(normalize_rows(rows), np.empty((0, 16), dtype=np.float32), None, None)
    assert kind[rank("entropy-coverage", pool, n_head=4).order[:4]].tolist() == [0, 1, 2, 3]


def test_with_one_class_labeled_what_is_covered_waits():
    rng = np.random.default_rng(6)
    kind = np.repeat(np.arange(3), [60, 30, 10])
    rows = normalize_rows(np.eye(3, 16)[kind] + 0.02 * rng.normal(size=(100, 16)))
    pool = Pool(rows, rows[:2], None, None)
    assert kind[rank("entropy-coverage", pool, n_head=2).order[:2]].tolist() == [1, 2]


def test_an_oddity_is_not_asked_for_first():
    rng = np.random.default_rng(7)
    rows = np.eye(1, 16) + 0.1 * rng.normal(size=(100, 16))
    rows[33] = -np.eye(1, 16)
    pool = Pool(normalize_rows(rows), np.empty((0, 16), dtype=np.float32), None, None)
    assert rank("entropy-coverage", pool, n_head=1).order[0] != 33


def test_uncertainty_orders_by_entropy_alone():
    pool = make_pool()
    expected = np.argsort(-normalized_entropy(pool.probabilities), kind="stable")
    np.testing.assert_array_equal(rank("uncertainty", pool).order, expected)


def test_yes_or_no_heads_are_judged_as_such():
    heads = np.array([[0.5, 0.5], [0.9, 0.9], [0.0, 1.0]])
    pool = Pool(
        np.eye(3, dtype=np.float32), np.empty((0, 3), np.float32), heads, None, multi_label=True
    )
    ranking = rank("uncertainty", pool)
    assert ranking.order.tolist() == [0, 1, 2]
    np.testing.assert_allclose(ranking.acquisition, binary_entropy(heads))


def test_random_asks_for_another_order_with_another_generator():
    pool = make_pool()
    assert (
        rank("random", pool, seed=0).order.tolist() != rank("random", pool, seed=1).order.tolist()
    )


@given(st.integers(0, 40), st.integers(0, 60), st.integers(0, 2**16))
@settings(max_examples=40, deadline=None)
def test_any_size_of_pool_and_head_will_do(n_pool, n_head, seed):
    recordings = np.random.default_rng(seed).integers(-1, 5, n_pool)
    for known in (True, False):
        pool = make_pool(n_pool, 3, seed=seed, known=known, recordings=recordings)
        order = rank("entropy-coverage", pool, n_head=n_head).order
        assert sorted(order.tolist()) == list(range(n_pool))


@pytest.mark.parametrize("which", ["pool", "labeled set"])
def test_an_embedding_that_is_not_a_number_is_named(which):
    pool = make_pool()
    (pool.embeddings if which == "pool" else pool.labeled)[11, 2] = np.nan
    with pytest.raises(ValueError, match=f"row 11 of the {which}'s embeddings"):
        Pool(pool.embeddings, pool.labeled, None, None)


def test_columns_of_another_length_are_refused():
    pool = make_pool()
    with pytest.raises(ValueError, match="299 rows of probabilities for 300 pool clips"):
        Pool(pool.embeddings, pool.labeled, pool.probabilities[1:], None)


def test_the_strategies_are_those_the_settings_offer():
    assert [get_strategy(name).name for name in STRATEGIES] == list(STRATEGIES)
    with pytest.raises(SettingsError, match="choose one of default, entropy-coverage"):
        get_strategy("cleverest")


@pytest.mark.parametrize(("n_labeled", "known"), [(0, False), (60, True)])
def test_the_next_200_of_8732_clips_are_found_a_row_at_a_time(n_labeled, known):
    rng = np.random.default_rng(0)
    unit = normalize_rows(rng.normal(size=(8_732, 384)).astype(np.float32))
    probabilities = rng.dirichlet([1, 1], size=8_732) if known else None
    pool = Pool(unit, unit[:n_labeled], probabilities, rng.integers(0, 1_300, 8_732))
    # All distances at once would be 305 MB. This guards against a slip; the benchmark measures.
    assert peak_mb(lambda: rank("entropy-coverage", pool, n_head=200)) < 60
