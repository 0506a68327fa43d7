import subprocess
import sys

import numpy as np
import pytest

from ml_backend.similarity.alignment import align, in_square
from ml_backend.similarity.fit_process import BEFORE, EMBEDDINGS, POSITIONS, PROGRESS
from ml_backend.similarity.knn import nearest_neighbors
from ml_backend.similarity.map_layout import (
    DEFAULT,
    FEWEST,
    LOCALITIES,
    fit_map,
    place_clips,
    sketch_map,
)
from ml_backend.similarity.vectors import normalize_rows


def clouds(n, *, dim=12, n_clouds=3, seed=0, spread=0.2):
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(n_clouds, dim))
    rows = centers[np.arange(n) % n_clouds] + spread * rng.normal(size=(n, dim))
    return rows.astype(np.float32)


def turned(xy, degrees, *, mirror=False):
    radians = np.deg2rad(degrees)
    turn = np.array([[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]])
    return ((xy * [-1 if mirror else 1, 1]) @ turn).astype(np.float32)


def trustworthiness(embeddings, xy, k):
    """How much a picture's neighborhoods are true ones (Venna, Kaski 2001), row by row."""
    unit = normalize_rows(embeddings).astype(np.float64)
    n = len(unit)
    far = 1 - unit @ unit.T
    np.fill_diagonal(far, -1)
    rank = far.argsort(axis=1).argsort(axis=1)
    apart = ((xy[:, None, :] - xy[None, :, :]) ** 2).sum(axis=2)
    np.fill_diagonal(apart, -1)
    near = apart.argsort(axis=1)[:, 1 : k + 1]
    penalty = sum(np.maximum(rank[row, near[row]] - k, 0).sum() for row in range(n))
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * penalty


def test_the_sketch_is_the_principal_components_of_unit_rows():
    embeddings = clouds(60)
    unit = normalize_rows(embeddings).astype(np.float64)
    centered = unit - unit.mean(axis=0)
    left, lengths, _ = np.linalg.svd(centered, full_matrices=False)
    slow = left[:, :2] * lengths[:2]
    slow *= np.where((slow**3).sum(axis=0) < 0, -1, 1)
    assert sketch_map(embeddings) == pytest.approx(in_square(slow), abs=1e-4)


def test_the_sketch_lies_the_same_way_in_whatever_order_the_clips_come():
    embeddings = clouds(60)
    shuffled = np.random.default_rng(0).permutation(60)
    assert sketch_map(embeddings[shuffled]) == pytest.approx(
        sketch_map(embeddings)[shuffled], abs=1e-4
    )


@pytest.mark.parametrize("n", [0, 1, 2, 3, FEWEST - 1])
def test_few_clips_have_a_map_too(n):
    embeddings = clouds(n)
    for xy in (sketch_map(embeddings), fit_map(embeddings, LOCALITIES[DEFAULT])):
        assert xy.shape == (n, 2)
        assert ((xy >= 0) & (xy <= 1)).all()
        assert len(np.unique(xy, axis=0)) == n


def test_equal_clips_lie_in_the_middle():
    embeddings = np.ones((30, 4), dtype=np.float32)
    for xy in (sketch_map(embeddings), fit_map(embeddings, LOCALITIES[DEFAULT])):
        assert xy == pytest.approx(np.full((30, 2), 0.5), abs=1e-6)


def test_embeddings_of_one_number_are_a_line():
    xy = sketch_map(np.array([[1.0], [-1.0], [1.0]], dtype=np.float32))
    assert xy[:, 1].tolist() == [0.5, 0.5, 0.5]
    assert xy[0].tolist() == xy[2].tolist() != xy[1].tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_clip_that_is_no_number_is_nowhere_and_moves_nobody(bad):
    embeddings = clouds(9)
    with_bad = np.insert(embeddings, 4, bad, axis=0)
    for draw in (sketch_map, lambda rows: fit_map(rows, LOCALITIES[0])):
        xy = draw(with_bad)
        assert np.isnan(xy[4]).all()
        assert np.delete(xy, 4, axis=0) == pytest.approx(draw(embeddings), abs=1e-5)
    assert np.isnan(place_clips(with_bad[4:5], embeddings, sketch_map(embeddings))).all()
    placed = place_clips(embeddings[:1], with_bad, sketch_map(with_bad))
    assert placed == pytest.approx(sketch_map(with_bad)[:1], abs=1e-6)


@pytest.mark.parametrize(("degrees", "mirror"), [(0, False), (90, False), (217, True)])
def test_a_turned_picture_is_turned_back(degrees, mirror):
    xy = np.random.default_rng(0).random((20, 2)).astype(np.float32)
    moved = turned(xy, degrees, mirror=mirror) * 3 + 5
    assert align(moved, xy) == pytest.approx(xy, abs=1e-4)


def test_only_clips_on_both_pictures_decide_how_it_is_turned():
    xy = np.random.default_rng(0).random((20, 2)).astype(np.float32)
    known = xy.copy()
    known[12:] = np.nan
    moved = turned(xy, 90)
    assert align(moved, known) == pytest.approx(xy, abs=1e-4)
    assert np.array_equal(align(moved, np.full_like(xy, np.nan)), moved)
    moved[0] = np.nan
    assert align(moved, known)[1:] == pytest.approx(xy[1:], abs=1e-4)


def test_a_picture_fills_the_square_and_keeps_its_shape():
    xy = np.array([[0, 0], [4, 1], [2, np.nan]]) + 10
    inside = in_square(xy)
    assert inside[:2].min() == pytest.approx(0.02)
    assert inside[:2, 0].tolist() == pytest.approx([0.02, 0.98])
    assert (inside[1] - inside[0]).tolist() == pytest.approx([0.96, 0.24])


def test_a_copy_is_placed_where_its_original_is():
    embeddings = clouds(40)
    xy = sketch_map(embeddings)
    assert place_clips(embeddings[[7, 3]], embeddings, xy) == pytest.approx(xy[[7, 3]])
    assert place_clips(5 * embeddings[[7]], embeddings, xy) == pytest.approx(xy[[7]], abs=1e-5)


def test_a_clip_that_is_not_on_the_map_places_nobody():
    embeddings = clouds(40)
    xy = sketch_map(embeddings)
    xy[7] = np.nan
    placed = place_clips(embeddings[[7]], embeddings, xy)
    assert placed == pytest.approx(
        place_clips(embeddings[[7]], np.delete(embeddings, 7, 0), np.delete(xy, 7, 0))
    )
    assert not np.isnan(placed).any()


def test_a_new_clip_is_placed_within_its_neighbors():
    embeddings = clouds(90, spread=0.05)
    xy = (
        np.random.default_rng(0).random((90, 2)).astype(np.float32)
        + (np.arange(90) % 3)[:, None] * 5
    )
    placed = place_clips(clouds(3, spread=0.0), embeddings, xy)
    for cloud in range(3):
        corner = xy[cloud::3]
        assert (placed[cloud] >= corner.min(axis=0)).all()
        assert (placed[cloud] <= corner.max(axis=0)).all()


def test_a_new_clip_lies_where_most_of_its_neighbors_do_not_between_clouds():
    embeddings = clouds(15, n_clouds=1, spread=0.05)
    xy = np.zeros((15, 2), dtype=np.float32)
    xy[:4] = 1.0  # a few of its neighbors were drawn elsewhere
    xy += np.random.default_rng(0).normal(scale=0.01, size=xy.shape).astype(np.float32)
    placed = place_clips(clouds(1, n_clouds=1, spread=0.0), embeddings, xy)
    assert np.linalg.norm(placed) < 0.05


def test_where_nothing_is_on_the_map_nothing_can_be_placed():
    embeddings = clouds(3)
    nothing = np.full((3, 2), np.nan, dtype=np.float32)
    assert np.isnan(place_clips(embeddings, embeddings, nothing)).all()
    empty = np.empty((0, 12), dtype=np.float32)
    assert np.isnan(place_clips(embeddings, empty, np.empty((0, 2), dtype=np.float32))).all()
    assert place_clips(empty, embeddings, sketch_map(embeddings)).shape == (0, 2)


@pytest.mark.slow
def test_neighbors_stay_neighbors_better_than_on_the_sketch(real_embeddings):
    k = 12
    sketched = trustworthiness(real_embeddings, sketch_map(real_embeddings), k)
    told = []
    fitted = fit_map(real_embeddings, LOCALITIES[DEFAULT], told.append)
    assert trustworthiness(real_embeddings, fitted, k) > max(0.93, sketched + 0.02)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) >= 5
    assert ((fitted >= 0) & (fitted <= 1)).all()
    # It lies like the sketch: turning it does not bring it nearer.
    both = np.concatenate([fitted, in_square(align(fitted, sketch_map(real_embeddings)))])
    assert both[: len(fitted)] == pytest.approx(both[len(fitted) :], abs=1e-3)


@pytest.mark.slow
def test_the_same_clips_give_the_same_map_and_copies_lie_on_one_point():
    embeddings = np.concatenate([clouds(60, n_clouds=4), clouds(60, n_clouds=4)[:20]])
    first, second = (fit_map(embeddings, LOCALITIES[0], seed=3) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.array_equal(first[:20], first[60:])
    apart = np.linalg.norm(first[:60, None] - first[None, :60], axis=2)
    is_same = (np.arange(60)[:, None] % 4) == (np.arange(60)[None, :] % 4)
    assert apart[is_same].mean() < 0.5 * apart[~is_same].mean()


@pytest.mark.slow
def test_a_map_fitted_anew_lies_like_the_one_before():
    embeddings = clouds(120, n_clouds=5)
    before = fit_map(embeddings, LOCALITIES[DEFAULT])
    upside_down = turned(before, 180, mirror=True)
    known = np.concatenate([upside_down, np.full((120, 2), np.nan, dtype=np.float32)])
    grown = np.concatenate([embeddings, clouds(120, n_clouds=5, seed=0) + 0.01])
    again = fit_map(grown, LOCALITIES[DEFAULT], lies_like=known)
    here, there = again[:120] - again[:120].mean(axis=0), upside_down - upside_down.mean(axis=0)
    assert (here * there).sum() / np.sqrt((here**2).sum() * (there**2).sum()) > 0.7


@pytest.mark.slow
def test_a_process_of_its_own_makes_the_same_map(tmp_path):
    embeddings = clouds(40)
    np.save(tmp_path / EMBEDDINGS, embeddings)
    np.save(tmp_path / BEFORE, sketch_map(embeddings)[:, ::-1])
    command = [sys.executable, "-m", "ml_backend.similarity.fit_process", str(tmp_path), "1", "0"]
    subprocess.run(command, check=True, capture_output=True)
    wanted = fit_map(embeddings, LOCALITIES[1], lies_like=sketch_map(embeddings)[:, ::-1])
    assert np.array_equal(np.load(tmp_path / POSITIONS), wanted)
    assert float((tmp_path / PROGRESS).read_text()) == 1.0


@pytest.mark.slow
def test_new_clips_are_placed_where_clips_like_them_are(real_embeddings):
    rng = np.random.default_rng(0)
    new = rng.choice(len(real_embeddings), 100, replace=False)
    held = np.setdiff1d(np.arange(len(real_embeddings)), new)
    xy = fit_map(real_embeddings[held], LOCALITIES[DEFAULT])
    placed = place_clips(real_embeddings[new], real_embeddings[held], xy)
    unit = normalize_rows(real_embeddings)
    near, _ = nearest_neighbors(unit[new], 12, among=unit[held])
    to_neighbors = np.linalg.norm(placed[:, None] - xy[near], axis=2)
    to_anybody = np.linalg.norm(placed[:, None] - xy[None], axis=2)
    assert np.median(to_neighbors) < 0.25 * np.median(to_anybody)


@pytest.fixture(scope="module")
def real_embeddings(shared, tmp_path_factory):
    """Embeddings of 400 real clips."""
    from ml_backend.audio.reading import read_recording, waveform
    from ml_backend.embedders import load_embedder

    embedder = load_embedder("mn04", shared / "weights", tmp_path_factory.mktemp("cache"))
    files = sorted((shared / "data/us8k_dev/audio").glob("*.ogg"))[::3][:400]
    sounds = (waveform(read_recording(file), embedder.sample_rate_hz) for file in files)
    return np.concatenate([embedder.embed([sound]) for sound in sounds])
