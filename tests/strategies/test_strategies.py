import numpy as np
import pytest
from scipy.special import softmax

from ml_backend.settings import STRATEGIES
from ml_backend.similarity.vectors import normalize_rows
from ml_backend.strategies.badge import residuals_of
from ml_backend.strategies.clusters import assign, cluster
from ml_backend.strategies.registry import Pool, get_strategy

DIM = 16
NOTHING = np.empty((0, DIM), np.float32)
STATES = ("0 labels", "1 class", "2 classes", "6 classes", "several labels")
# These look at rows one by one in an order drawn at random, or start from rows drawn at random.
DRAWN = {"random", "badge", "typiclust", "dropquery"}
FIXED = [name for name in STRATEGIES if name not in DRAWN]
SPREAD_OUT = [name for name in STRATEGIES if name != "random"]


def make_pool(state, n_pool=300, n_labeled=45, *, recordings=None, prior=False, seed=0):
    """Make a pool with twelve kinds of sound, read by a linear head."""
    rng = np.random.default_rng(seed)
    n_labeled = 0 if state == "0 labels" else n_labeled
    rows = rng.normal(size=(12, DIM))[rng.integers(0, 12, n_pool + n_labeled)]
    unit = normalize_rows((rows + 0.5 * rng.normal(size=rows.shape)).astype(np.float32))
    n_classes = 6 if state == "6 classes" else 2
    head = 3 * rng.normal(size=(DIM, n_classes))

    def predict(embeddings):
        logits = embeddings.astype(np.float64) @ head
        return 1 / (1 + np.exp(-logits)) if state == "several labels" else softmax(logits, axis=1)

    answers = predict(unit[n_pool:])
    if state == "several labels":
        labels = (answers >= 0.5).astype(np.int8)
    else:
        labels = np.eye(n_classes, dtype=np.int8)[answers.argmax(axis=1)]
    if state == "1 class":
        labels[:] = np.eye(n_classes, dtype=np.int8)[0]
    is_known = state not in ("0 labels", "1 class")
    return Pool(
        unit[:n_pool],
        unit[n_pool:],
        predict(unit[:n_pool]) if is_known else None,
        recordings,
        multi_label=state == "several labels",
        labels=labels,
        prior=rng.normal(size=(n_pool, n_classes)).astype(np.float32) if prior else None,
        predict=predict if is_known else None,
    )


def rank(name, pool, n_head=30, seed=0):
    return get_strategy(name).rank(pool, n_head, np.random.default_rng(seed))


def head(name, pool, n_head=30, seed=0):
    return rank(name, pool, n_head, seed).order[:n_head].tolist()


@pytest.mark.parametrize("prior", [False, True])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", STRATEGIES)
def test_every_row_comes_once_and_the_rest_by_score(name, state, prior):
    ranking = rank(name, make_pool(state, prior=prior))
    assert sorted(ranking.order.tolist()) == list(range(300))
    assert np.isfinite(ranking.acquisition).all()
    assert (np.diff(ranking.acquisition[ranking.order[30:]]) <= 0).all()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", STRATEGIES)
def test_the_same_seed_gives_the_same_order(name, state):
    pool = make_pool(state, prior=True)
    np.testing.assert_array_equal(rank(name, pool).order, rank(name, pool).order)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", SPREAD_OUT)
def test_no_recording_is_asked_for_twice_before_every_other_was(name, state):
    recordings = np.random.default_rng(4).permutation(np.arange(300) % 10)
    found = head(name, make_pool(state, recordings=recordings, prior=True))
    for start in (0, 10, 20):
        assert sorted(recordings[found[start : start + 10]]) == list(range(10))


@pytest.mark.parametrize("state", STATES[2:])
@pytest.mark.parametrize("name", FIXED)
def test_shuffling_the_pool_shuffles_the_order_alike(name, state):
    pool = make_pool(state, prior=True)
    shuffle = np.random.default_rng(3).permutation(300)
    shuffled = Pool(
        pool.embeddings[shuffle],
        pool.labeled,
        pool.probabilities[shuffle],
        None,
        pool.multi_label,
        pool.labels,
        pool.prior[shuffle],
        pool.predict,
    )
    assert shuffle[head(name, shuffled)].tolist() == head(name, pool)


@pytest.mark.parametrize("name", FIXED)
def test_equal_clips_come_by_row_number(name):
    pool = Pool(
        np.tile(np.eye(1, DIM, dtype=np.float32), (700, 1)),
        np.eye(DIM, dtype=np.float32)[1:3],
        np.full((700, 2), 0.5),
        None,
        labels=np.eye(2, dtype=np.int8),
        prior=np.zeros((700, 2), np.float32),
    )
    assert rank(name, pool, n_head=50).order.tolist() == list(range(700))


@pytest.mark.parametrize(
    "name", ["default", "entropy-coverage", "uherding", "k-center", "mismatch-first"]
)
def test_a_copy_of_what_is_labeled_or_was_just_picked_waits(name):
    pool = make_pool("2 classes")
    first = head(name, pool, 1)[0]
    twice = Pool(
        np.vstack([pool.embeddings, pool.embeddings[first], pool.labeled[7]]),
        pool.labeled,
        np.vstack([pool.probabilities, pool.probabilities[first], [0.5, 0.5]]),
        None,
        labels=pool.labels,
    )
    found = head(name, twice)
    assert found[0] == first
    assert not {300, 301} & set(found)


@pytest.mark.parametrize("n_pool", [0, 1, 3])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", STRATEGIES)
def test_a_small_pool_is_no_trouble(name, state, n_pool):
    pool = make_pool(state, n_pool, recordings=np.zeros(n_pool, np.int64), prior=True)
    assert sorted(rank(name, pool).order.tolist()) == list(range(n_pool))


def slow_uherding(pool, n_head):
    """Write out every pair before every pick."""
    unit, near = pool.embeddings.astype(np.float64), pool.labeled.astype(np.float64)
    between = np.sqrt(((near[:, None] - near) ** 2).sum(axis=2)) + 9 * np.eye(len(near))
    width = np.quantile(between.min(axis=1), 0.05)

    def kernel(left, right):
        return np.exp(-(((left[:, None] - right) ** 2).sum(axis=2)) / width**2)

    ordered = np.sort(pool.probabilities, axis=1)
    indecision = 1 - (ordered[:, -1] - ordered[:, -2])
    every = kernel(unit, unit)
    covered = kernel(unit, near).max(axis=1)
    picked = []
    for _ in range(n_head):
        gain = (indecision * np.maximum(every - covered, 0)).mean(axis=1)
        gain[picked] = -1
        picked.append(int(gain.argmax()))
        covered = np.maximum(covered, every[picked[-1]])
    return picked


@pytest.mark.parametrize("state", ["2 classes", "6 classes"])
def test_uherding_picks_what_writing_out_every_pair_picks(state):
    pool = make_pool(state)
    assert head("uherding", pool, 20) == slow_uherding(pool, 20)


@pytest.mark.slow
def test_in_a_large_pool_uherding_by_a_sample_covers_nearly_as_much():
    pool = make_pool("2 classes", n_pool=1_500)
    width = 0.5
    near = np.maximum(pool.embeddings @ pool.labeled.T, 0).max(axis=1)

    def covered(rows):
        to_rows = (pool.embeddings @ pool.embeddings[rows].T).max(axis=1)
        similarity = np.maximum(near, to_rows)
        indecision = 1 - np.abs(pool.probabilities[:, 0] - pool.probabilities[:, 1])
        return (indecision * np.exp((similarity - 1) * 2 / width**2)).mean()

    exact, sampled = slow_uherding(pool, 20), head("uherding", pool, 20)
    by_chance = head("random", pool, 20)
    gain, most = (covered(rows) - covered(by_chance) for rows in (sampled, exact))
    assert gain > 0.75 * most > 0


def slow_farthest(pool, n_head, leads):
    unit = pool.embeddings.astype(np.float64)
    near = list(pool.labeled.astype(np.float64))
    picked = []
    for _ in range(n_head):
        distance = (1 - unit @ np.array(near).T).min(axis=1)
        distance[picked] = -1
        distance += 3.0 * leads
        distance[picked] = -1
        picked.append(int(distance.argmax()))
        near.append(unit[picked[-1]])
    return picked


@pytest.mark.parametrize("state", ["2 classes", "6 classes", "several labels"])
def test_k_center_and_mismatch_first_pick_what_looking_at_every_clip_picks(state):
    pool = make_pool(state)
    assert head("k-center", pool, 20) == slow_farthest(pool, 20, np.zeros(300))
    nearest = (pool.embeddings @ pool.labeled.T).argmax(axis=1)
    neighbors = pool.labels[nearest]
    if pool.multi_label:
        differ = ((pool.probabilities >= 0.5) != (neighbors == 1)).any(axis=1)
    else:
        differ = pool.probabilities.argmax(axis=1) != neighbors.argmax(axis=1)
    assert 0 < differ.sum() < 300
    assert head("mismatch-first", pool, 20) == slow_farthest(pool, 20, differ.astype(float))
    first = head("mismatch-first", pool, int(differ.sum()))
    assert set(first) == set(np.flatnonzero(differ).tolist())


def test_margin_orders_by_the_difference_of_the_two_likeliest():
    pool = make_pool("6 classes")
    ordered = np.sort(pool.probabilities, axis=1)
    margins = ordered[:, -1] - ordered[:, -2]
    expected = np.argsort(margins, kind="stable")
    np.testing.assert_array_equal(rank("margin", pool).order, expected)


@pytest.mark.parametrize("state", ["2 classes", "6 classes", "several labels"])
def test_badge_begins_with_the_longest_gradient_and_draws_by_squared_distance(state):
    pool = make_pool(state, n_pool=5)
    residuals = residuals_of(pool.probabilities, multi_label=pool.multi_label)
    gradients = np.einsum("ik,id->ikd", residuals, pool.embeddings).reshape(5, -1)
    longest = int((gradients**2).sum(axis=1).argmax())
    drawn = np.array([head("badge", pool, 2, seed=seed) for seed in range(600)])
    assert (drawn[:, 0] == longest).all()
    squared = ((gradients - gradients[longest]) ** 2).sum(axis=1)
    found = np.bincount(drawn[:, 1], minlength=5) / 600
    np.testing.assert_allclose(found, squared / squared.sum(), atol=0.07)


def blobs(sizes, seed=0):
    rng = np.random.default_rng(seed)
    kind = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.eye(len(sizes), DIM)[kind] + 0.02 * rng.normal(size=(len(kind), DIM))
    return normalize_rows(rows.astype(np.float32)), kind


def test_typiclust_visits_the_largest_place_without_labels_and_takes_its_middle():
    unit, kind = blobs([60, 30, 10])
    middle = normalize_rows(np.eye(3, DIM, dtype=np.float32))
    found = head("typiclust", Pool(unit, middle[:1], None, None), 2)
    nearness = (unit @ middle.T)[found, kind[found]]
    assert kind[found[0]] == 1
    assert nearness[0] > np.median((unit @ middle.T)[kind == 1, 1])


def slow_typicality(unit, members, n_neighbors=20):
    typicality = np.zeros(len(unit))
    for row, group in enumerate(members):
        others = np.flatnonzero((members == group) & (np.arange(len(unit)) != row))
        apart = np.sort(np.linalg.norm(unit[others] - unit[row], axis=1))
        typicality[row] = 1 / apart[:n_neighbors].mean() if len(others) else 0.0
    return typicality


@pytest.mark.parametrize(("n_labeled", "n_head"), [(3, 5), (0, 30), (45, 40)])
def test_typiclust_picks_what_looking_at_every_cluster_picks(n_labeled, n_head):
    pool = make_pool("2 classes", n_labeled=n_labeled)
    every = np.vstack([pool.embeddings, pool.labeled])
    members, _ = cluster(every, n_labeled + n_head, np.random.default_rng(0))
    typicality = slow_typicality(pool.embeddings, members[:300])
    picked = []
    for row in head("typiclust", pool, n_head):
        asked = [*members[300:], *members[picked]]
        open_rows = [i for i in range(300) if i not in picked]
        first = min(
            {members[i] for i in open_rows},
            key=lambda group: (asked.count(group), -(members == group).sum(), group),
        )
        assert members[row] == first
        best = max(typicality[i] for i in open_rows if members[i] == first)
        assert typicality[row] == pytest.approx(best, rel=1e-3)
        picked.append(row)


def test_of_two_clips_alone_in_their_place_typiclust_takes_the_lower_row():
    rows = np.repeat(normalize_rows(np.eye(4, DIM, dtype=np.float32) + 0.3), 2, axis=0)
    rows[1::2] = normalize_rows(rows[1::2] + 0.1 * np.eye(DIM, dtype=np.float32)[8:12])
    assert all(row % 2 == 0 for row in head("typiclust", Pool(rows, rows[:0], None, None), 4))


def test_dropquery_asks_for_clips_whose_answer_hangs_on_a_few_features():
    rng = np.random.default_rng(0)
    firm = np.tile([1.0] * 8 + [0.0] * 8, (40, 1))
    frail = rng.permuted(np.tile([1.0] * 8 + [-1.0] * 8, (10, 1)), axis=1)
    unit = normalize_rows(np.vstack([firm, frail]).astype(np.float32))

    def predict(rows):
        yes = 1 / (1 + np.exp(-5 * (rows.sum(axis=1) + 0.2)))
        return np.stack([yes, 1 - yes], axis=1)

    pool = Pool(unit, NOTHING, predict(unit), None, predict=predict)
    found = head("dropquery", pool, 5)
    assert min(found) >= 40


def test_clusters_are_the_places_where_clips_are():
    unit, kind = blobs([50, 40, 30])
    best = max(
        len({(group, one) for group, one in zip(cluster(unit, 3, rng)[0], kind, strict=True)}) == 3
        for rng in map(np.random.default_rng, range(8))
    )
    assert best
    members, centers = cluster(unit, 12, np.random.default_rng(0))
    squared = ((unit[:, None] - centers) ** 2).sum(axis=2)
    assert members.tolist() == squared.argmin(axis=1).tolist() == assign(unit, centers).tolist()
    inertia = squared.min(axis=1).sum()
    start = unit[np.random.default_rng(1).choice(120, 12, replace=False)]
    assert inertia < ((unit[:, None] - start) ** 2).sum(axis=2).min(axis=1).sum()
