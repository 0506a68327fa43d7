"""A change of embedder: until there is an order made with it, the version of before is none."""

from dataclasses import replace

import numpy as np
import pytest

from ml_backend.loop.background import BackgroundPublisher
from ml_backend.loop.page_data import PageData
from ml_backend.loop.reconcile import Reconciler
from ml_backend.web import create_app
from tests.loop.test_background import EMBEDDER_ID, N_CLIPS, QUIET_S, Street
from tests.visiting import BASIC, SECRET

pytestmark = pytest.mark.slow

OTHER_ID, OTHER_DIM = "other-1", 5


class Changed(Street):
    """A project with a trained version, whose worker has another embedder since."""

    def __init__(self, folder):
        super().__init__(folder)
        self.settings = replace(self.settings, secret=SECRET, embedder="melstats")
        self.app = create_app(self.settings, self.studio.client()).test_client()
        self.store.facts.write("embedder", {"embedder_id": EMBEDDER_ID, "warning": None})
        for task_id, label in zip(self.task_ids[:4], ["siren", "other"] * 2, strict=True):
            self.label(task_id, label)
        self.before = self.store.versions.progress(self.project_id)

    def change_embedder(self, n_embedded):
        """Do what a worker with another embedder does first, and embed some clips."""
        client = self.studio.client()
        self.reconciler = Reconciler(
            self.store, client, self.settings, OTHER_ID, clock=lambda: self.now
        )
        self.rest = BackgroundPublisher(
            self.store, client, self.settings, self.reconciler, clock=lambda: self.now
        )
        self.store.facts.write("embedder", {"embedder_id": OTHER_ID, "warning": None})
        self.embed(n_embedded)

    def embed(self, n_embedded):
        keys = [task.clip_key for task in self.store.clips.tasks(self.project_id)][:n_embedded]
        vectors = np.random.default_rng(1).standard_normal((len(keys), OTHER_DIM))
        self.store.clips.add_embeddings(OTHER_ID, keys, vectors.astype(np.float32))

    def predict(self):
        tasks = [self.studio.tasks[task_id] for task_id in reversed(self.task_ids)]
        body = {"project": self.project_id, "tasks": tasks}
        return self.app.post("/predict", json=body, auth=BASIC)

    def set_up(self):
        body = {"project": f"{self.project_id}.1"}
        return self.app.post("/setup", json=body, auth=BASIC).get_json()["model_version"]


@pytest.fixture
def changed(tmp_path):
    made = Changed(tmp_path)
    yield made
    made.store.close()


@pytest.mark.parametrize("n_embedded", [0, 10, N_CLIPS])
def test_every_task_is_answered_in_order_and_no_version_is_named_until_there_is_one(
    changed, n_embedded
):
    assert changed.set_up() == changed.before.model_version
    changed.change_embedder(n_embedded)
    answer = changed.predict()
    assert answer.status_code == 200
    assert answer.get_json()["results"] == [{"result": [], "score": 1.0}] * N_CLIPS
    assert changed.set_up() is None

    changed.embed(N_CLIPS)
    changed.hint()
    changed.round()
    results = changed.predict().get_json()["results"]
    assert {one["model_version"] for one in results} == {changed.version} == {changed.set_up()}
    assert all(one["result"] for one in results)
    order = changed.store.versions.current(changed.project_id).ranking["task_ids"].tolist()
    scores = {
        task_id: one["score"]
        for task_id, one in zip(reversed(changed.task_ids), results, strict=True)
    }
    assert sorted(order, key=scores.get) == order


@pytest.mark.parametrize("n_embedded", [0, 10, N_CLIPS])
def test_nothing_is_noted_as_published_that_was_not(changed, n_embedded):
    n_before = changed.n_published
    assert changed.before.n_published == 10 < changed.before.n_ranked
    changed.change_embedder(n_embedded)
    changed.now += QUIET_S
    changed.go_on_to_the_end()
    assert changed.store.versions.progress(changed.project_id) == changed.before
    assert changed.n_published == n_before


def test_what_pages_show_is_not_made_of_two_embedders(changed):
    class Nothing:
        def follow(self, project_id, clips):
            """Draw no map."""

    changed.change_embedder(10)
    page_data = PageData(changed.store, changed.reconciler, OTHER_ID, Nothing(), quiet_s=0.0)
    page_data.look(changed.project_id)
    assert changed.store.clip_scores.read(changed.project_id) is None
    changed.embed(N_CLIPS)
    changed.hint()
    changed.round()
    page_data.look(changed.project_id)
    assert changed.store.clip_scores.read(changed.project_id)[0] == changed.version


def test_the_rest_of_the_new_order_follows(changed):
    changed.change_embedder(N_CLIPS)
    changed.hint()
    changed.round()
    changed.now += QUIET_S
    changed.go_on_to_the_end()
    progress = changed.store.versions.progress(changed.project_id)
    assert progress.n_published == progress.n_ranked == N_CLIPS - 4
