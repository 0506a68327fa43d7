import gc
import threading
import weakref
from dataclasses import replace

import numpy as np
import pytest

from ml_backend.clip import Task
from ml_backend.errors import LabelStudioError
from ml_backend.loop import page_data
from ml_backend.loop.clip_scores import ClipScores
from ml_backend.loop.maps import WAITING
from ml_backend.similarity.map_layout import DEFAULT, FEWEST, PCA
from tests.seeing import SeenProject
from tests.turns import whole_turn


@pytest.fixture
def project(tmp_path):
    made = SeenProject(tmp_path, n=FEWEST - 2)
    made.follow()
    return made


def judged(project):
    version, arrays = project.store.clip_scores.read(project.project_id)
    return version, ClipScores.from_arrays(arrays)


def add_clips(project, n, seed=5):
    """Give the project clips that are heard at once."""
    rng = np.random.default_rng(seed)
    keys = [f"{seed:02d}{row:030d}" for row in range(n)]
    vectors = project.embeddings[rng.integers(len(project.embeddings), size=n)] + rng.normal(
        scale=0.1, size=(n, 8)
    )
    project.store.clips.add_embeddings(project.embedder_id, keys, vectors.astype(np.float32))
    datas = [{"audio": f"/data/new {key}.wav", "content_hash": key} for key in keys]
    return project.studio.add_tasks(project.project_id, datas)


def look_again(project):
    """Look without waiting for the pause between two drawings."""
    project.page_data._drawn.clear()
    project.page_data.look(project.project_id)


def drawn(project, locality):
    return project.store.maps.read(project.project_id, project.embedder_id, locality)


def standing(project, locality):
    return project.store.maps.standing(project.project_id, project.embedder_id)[locality]


def test_each_version_is_judged_once(project):
    first, _ = judged(project)
    assert first == project.store.versions.progress(project.project_id).model_version
    project.label(0)
    project.label(1)
    project.follow()
    second, made = judged(project)
    assert second != first
    assert made.coverage[:2].tolist() == [0.0, 0.0]
    made_from = project.store.clip_scores.stamp(project.project_id)
    project.store.clip_scores.write(project.project_id, "changed by nobody", {}, made_from)
    project.page_data.look(project.project_id)
    assert project.store.clip_scores.read(project.project_id)[0] == "changed by nobody"


def test_a_version_is_not_judged_before_its_head_is_published(project):
    before = judged(project)[0]
    project.label(0)
    project.label(1)
    project.studio.breaks_at = "/import/predictions"
    with pytest.raises(LabelStudioError):
        project.follow()
    project.page_data.look(project.project_id)
    assert project.store.versions.progress(project.project_id).model_version != before
    assert judged(project)[0] == before


def test_labels_added_to_the_same_clips_are_judged_as_if_anew(project):
    for row in range(4):
        project.label(row)
        project.follow()
    _, step_by_step = judged(project)
    project.page_data._nearest.clear()
    project.page_data._score(project.project_id, "again")
    _, at_once = judged(project)
    assert step_by_step.coverage == pytest.approx(at_once.coverage)
    assert step_by_step.disagreement == pytest.approx(at_once.disagreement, nan_ok=True)


def test_the_sheet_follows_the_tasks(project):
    kinds = project.store.sheets.kinds
    assert "meta:wet" not in kinds(project.project_id)
    tasks = [Task(1, "k", "/a.wav", None, {"wet": True})]
    project.store.clips.replace_tasks(project.project_id, tasks)
    project.page_data.look(project.project_id)
    assert kinds(project.project_id) == {"task_id": "number", "meta:wet": "boolean"}


def test_new_clips_are_placed_and_nobody_else_moves(project):
    project.fit_maps()
    before = {locality: drawn(project, locality) for locality in (PCA, DEFAULT)}
    new = add_clips(project, 3)
    project.follow()
    look_again(project)
    for locality, (ids, xy) in before.items():
        now_ids, now_xy = drawn(project, locality)
        assert now_ids.tolist() == [*ids.tolist(), *new]
        assert np.array_equal(now_xy[: len(ids)], xy)
        assert ((now_xy >= 0) & (now_xy <= 1)).all()


def test_clips_that_are_gone_leave_the_map(project):
    project.fit_maps()
    ids, xy = drawn(project, DEFAULT)
    del project.studio.tasks[project.task_ids[2]]
    project.follow()
    look_again(project)
    now_ids, now_xy = drawn(project, DEFAULT)
    assert now_ids.tolist() == np.delete(ids, 2).tolist()
    assert np.array_equal(now_xy, np.delete(xy, 2, axis=0))


def test_a_map_is_fitted_again_only_when_the_pool_has_doubled(tmp_path):
    project = SeenProject(tmp_path, n=4)
    project.follow()
    project.fit_maps()
    assert standing(project, DEFAULT).n_fitted == 4
    for n_more, n_fitted in ((3, 4), (1, 8)):
        add_clips(project, n_more, seed=n_more)
        project.follow()
        look_again(project)
        project.fit_maps()
        assert standing(project, DEFAULT).n_fitted == n_fitted
        assert standing(project, PCA).n_fitted == n_fitted


def test_only_maps_that_somebody_wants_are_fitted(project):
    project.fit_maps()
    maps = project.store.maps
    assert sorted(maps.standing(project.project_id, project.embedder_id)) == [PCA, DEFAULT]
    maps.want(project.project_id, project.embedder_id, 3)
    assert standing(project, 3).stamp == ""
    project.fit_maps()
    assert standing(project, 3).stamp != ""
    assert standing(project, 3).progress == 1.0


def test_no_map_is_fitted_while_clips_are_heard(tmp_path):
    project = SeenProject(tmp_path, n=6, is_embedded=False)
    store = project.store
    store.clips.add_embeddings(project.embedder_id, project.keys[:4], project.embeddings[:4])
    project.follow()
    project.fit_maps()
    assert (standing(project, DEFAULT).stamp, standing(project, DEFAULT).state) == ("", WAITING)
    for key in project.keys[4:]:
        store.clips.add_failed(project.embedder_id, key, "no sound", now=1.0)
    project.fit_maps()
    assert standing(project, DEFAULT).stamp != ""


class Clock:
    """Stands in for the time as the page_data reads it."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(project, monkeypatch):
    made = Clock()
    monkeypatch.setattr(page_data, "time", made)
    monkeypatch.setattr(project.page_data, "_quiet_s", 20.0)
    look_again(project)
    return made


def test_a_map_is_fitted_once_after_an_import_and_not_between_its_batches(
    project, clock, monkeypatch
):
    def fit_at_once(project_id, locality, embeddings, *_):
        return embeddings[:, :2]

    monkeypatch.setattr(project.map_updater, "_fit_aside", fit_at_once)  # when is all that counts
    for batch in range(1, 5):
        add_clips(project, len(project.embeddings), seed=batch)
        clock.now += 15.0
        project.follow()
        project.fit_maps()
        assert not project.reconciler.is_embedding(project.project_id)
        assert (standing(project, DEFAULT).stamp, standing(project, DEFAULT).state) == ("", WAITING)
        assert len(drawn(project, PCA)[0]) == (1 + batch) * len(project.embeddings)
    clock.now += 20.0
    project.fit_maps()
    assert standing(project, DEFAULT).n_fitted == 5 * len(project.embeddings)


def test_looks_that_find_no_new_clips_do_not_put_a_map_off(project, clock):
    for _ in range(3):
        clock.now += 8.0
        project.label(0)
        project.follow()
        project.page_data.embedded(project.project_id)
        project.page_data.look(project.project_id)
    project.fit_maps()
    assert standing(project, DEFAULT).stamp != ""


@pytest.mark.slow
def test_a_fit_that_the_pool_outgrows_is_given_up(tmp_path):
    project = SeenProject(tmp_path, n=FEWEST + 5)
    project.follow()
    add_clips(project, FEWEST + 5)
    outgrown = project.page_data._has_doubled

    def grow_meanwhile(*asked):
        project.reconciler.reconcile(whole_turn(project.project_id))
        look_again(project)
        return outgrown(*asked)

    project.page_data._has_doubled = grow_meanwhile
    project.fit_maps()
    assert standing(project, DEFAULT).n_fitted == 2 * (FEWEST + 5)


def test_a_project_that_is_gone_is_forgotten_whole(project):
    project.fit_maps()
    project.store.forget(project.project_id)
    assert project.store.sheets.kinds(project.project_id) == {}
    assert project.store.clip_scores.read(project.project_id) is None
    assert project.store.maps.standing(project.project_id, project.embedder_id) == {}


@pytest.mark.slow
def test_nothing_is_held_of_a_project_that_is_gone(project):
    project.label(0)
    project.follow()
    clips = weakref.ref(project.reconciler.clips(project.project_id))
    project.page_data.embedded(project.project_id)
    project.reconciler._reader._gatherer._held.clear()
    project.page_data.forget_all_but([project.project_id])
    assert clips() is not None  # for what is nearest to its labels
    project.page_data.forget_all_but([])
    gc.collect()
    assert clips() is None
    assert not project.page_data._embedded


def test_the_clips_of_a_few_projects_are_held_and_no_more(project):
    page_data, clips = project.page_data, project.reconciler.clips(project.project_id)
    for other in range(100, 120):
        page_data._find_nearest(other, replace(clips), project.task_ids[:1])
    assert list(page_data._nearest) == list(range(112, 120))


@pytest.mark.slow
def test_a_stopped_worker_leaves_no_half_map_and_no_folder(tmp_path):
    project = SeenProject(tmp_path, n=FEWEST + 5)
    project.follow()
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    project.page_data.fit_maps(project.project_id, stop)
    assert standing(project, DEFAULT).stamp == ""
    assert list((tmp_path / "maps").iterdir()) == []


@pytest.mark.slow
def test_a_map_is_fitted_by_a_process_of_its_own(tmp_path):
    project = SeenProject(tmp_path, n=60)
    project.follow()
    project.fit_maps()
    ids, xy = drawn(project, DEFAULT)
    assert ids.tolist() == project.task_ids
    assert not np.isnan(xy).any()
    assert standing(project, DEFAULT).progress == 1.0
    assert list((tmp_path / "maps").iterdir()) == []


def test_a_map_that_cannot_be_fitted_is_left_alone_for_a_while(tmp_path, monkeypatch):
    project = SeenProject(tmp_path, n=FEWEST + 5)
    project.follow()
    monkeypatch.setattr("sys.executable", "/bin/false")
    project.fit_maps()
    assert "could not be fitted" in standing(project, DEFAULT).state
    assert project.map_updater.due(project.project_id, 15) is None
    assert drawn(project, PCA) is not None
