"""The prior in the live loop: it orders the queue, and whoever judges a clip later reads it too."""

import json

import numpy as np
import pytest

from ml_backend.clip import content_hash
from ml_backend.label_studio.label_config import label_config_xml
from ml_backend.learning.prior import Tagger
from ml_backend.loop.reconcile import Reconciler
from ml_backend.settings import Settings
from ml_backend.store import open_store
from ml_backend.web.snapshot.embedder import Ears, EarsOnDemand
from ml_backend.web.snapshot.predict import Predictor
from tests.fake_label_studio import FakeLabelStudio
from tests.turns import whole_turn

pytestmark = pytest.mark.slow

N_CLIPS = 60


def tag(embeddings):
    """Hear sirens in the first number of an embedding and nothing else."""
    return np.stack([embeddings[:, 0], np.zeros(len(embeddings))], axis=1).astype(np.float32)


@pytest.fixture
def loop(tmp_path):
    return Loop(tmp_path)


class Loop:
    """Sixty clips that are heard already; the later its task, the more a clip is a siren."""

    def __init__(self, folder):
        rng = np.random.default_rng(0)
        embeddings = rng.normal(size=(N_CLIPS, 8)).astype(np.float32)
        embeddings[:, 0] = np.linspace(-3, 3, N_CLIPS)
        self.studio = FakeLabelStudio()
        config = label_config_xml(("siren", "other"), multi_label=False)
        self.project_id = self.studio.add_project(config)
        self.keys = [content_hash(str(row).encode()) for row in range(N_CLIPS)]
        self.task_ids = self.studio.add_tasks(
            self.project_id,
            [{"audio": f"/data/{key}.wav", "content_hash": key} for key in self.keys],
        )
        self.store = open_store("sqlite://")
        self.store.clips.add_embeddings("toy-1", self.keys, embeddings)
        self.store.facts.write("embedder", {"embedder_id": "toy-1", "warning": None})
        self.settings = Settings(data_dir=folder, audit_share=0.0)
        self.tagger = Tagger(("Siren", "Dog"), tag)

    def reconcile(self, tagger):
        reconciler = Reconciler(
            self.store, self.studio.client(), self.settings, "toy-1", tagger=tagger
        )
        self.store.agenda.hint(self.project_id, now=1.0, tasks=True)
        return reconciler.reconcile(whole_turn(self.project_id))

    def label(self):
        for row in range(0, N_CLIPS, 6):
            self.studio.annotate(self.task_ids[row], "siren" if row > 30 else "other")


def test_the_first_clip_is_the_one_that_sounds_most_like_the_class(loop):
    loop.reconcile(loop.tagger)
    assert loop.studio.queue(loop.project_id)[0] == loop.task_ids[-1]


def test_the_names_that_were_matched_are_told(loop):
    loop.reconcile(loop.tagger)
    told = loop.store.facts.read(f"names of project {loop.project_id}")
    assert json.loads(json.dumps(told)) == {"siren": ["Siren"], "other": []}


def test_names_follow_the_label_config(loop):
    loop.reconcile(loop.tagger)
    project = loop.studio.projects[loop.project_id]
    for class_names, told in [(("dog", "rest"), {"dog": ["Dog"], "rest": []}), (("x", "y"), None)]:
        project["label_config"] = label_config_xml(class_names, multi_label=False)
        loop.reconcile(loop.tagger)
        assert loop.store.facts.read(f"names of project {loop.project_id}") == told


def test_another_prior_is_another_version_and_the_same_is_the_same(loop):
    loop.label()
    versions = [loop.reconcile(tagger) for tagger in (loop.tagger, None, loop.tagger)]
    assert versions[0] == versions[2] != versions[1]


class Toy:
    embedder_id = "toy-1"


def make_predictor(loop, tagger):
    ears = EarsOnDemand(loop.settings, loop.store, loop.studio.client())
    ears._ears = Ears(Toy(), None, tagger)
    return Predictor(loop.store, loop.studio.client(), ears)


def test_what_is_asked_of_the_backend_agrees_with_what_was_published(loop):
    loop.label()
    loop.reconcile(loop.tagger)
    predictor = make_predictor(loop, loop.tagger)
    published = {one["task"]: one for one in loop.studio.predictions}
    tasks = [
        {"id": task_id, "data": {"audio": "/data/x.wav", "content_hash": key}}
        for task_id, key in zip(loop.task_ids, loop.keys, strict=True)
        if task_id in published
    ]
    answers = predictor.predict(loop.project_id, tasks, None)
    assert len(tasks) == N_CLIPS - 10
    said = [answer["result"][-1]["value"]["choices"] for answer in (answers[0], answers[-1])]
    assert said == [["other"], ["siren"]]
    for task, answer in zip(tasks, answers, strict=True):
        assert answer["result"][-1]["value"] == published[task["id"]]["result"][-1]["value"]
        assert answer["result"][-1]["score"] == pytest.approx(
            published[task["id"]]["result"][-1]["score"]
        )


def test_a_backend_that_lost_its_names_does_not_guess(loop):
    loop.label()
    loop.reconcile(loop.tagger)
    predictor = make_predictor(loop, None)
    data = {"audio": "/data/x.wav", "content_hash": loop.keys[1]}
    answers = predictor.predict(loop.project_id, [{"id": loop.task_ids[1], "data": data}], None)
    assert answers[0]["result"] == []
