"""An earlier version is current again while it is held: it predicts and orders, nobody learns."""

import numpy as np
import pytest

from ml_backend.clip import content_hash
from ml_backend.errors import RequestError
from ml_backend.label_studio.label_config import label_config_xml
from ml_backend.learning.round_input import learned_version
from ml_backend.loop.pinned_version import pin, pinned_version
from ml_backend.settings import Settings
from ml_backend.store import open_store
from tests.fake_label_studio import FakeLabelStudio
from tests.street import EMBEDDER_ID, QUIET_S, Rounds

pytestmark = pytest.mark.slow

N_CLIPS, HEAD = 60, 20


class Street(Rounds):
    """Embedded clips of two kinds; the first sixteen labels are right, the next eight wrong."""

    def __init__(self, folder):
        self.studio = FakeLabelStudio()
        self.project_id = self.studio.add_project(
            label_config_xml(("siren", "other"), multi_label=False)
        )
        rng = np.random.default_rng(0)
        self.is_siren = rng.random(N_CLIPS) < 0.5
        self.vectors = rng.standard_normal((N_CLIPS, 8)) + 2 * self.is_siren[:, None]
        self.settings = Settings(
            data_dir=folder, head_size=HEAD, quiet_s=QUIET_S, audit_share=0.0,
            strategy="entropy-coverage",
        )  # fmt: skip
        self.store = open_store("sqlite://")
        self.store.facts.write("embedder", {"embedder_id": EMBEDDER_ID, "warning": None})
        self.task_ids = self.add_clips(self.vectors)
        self.restart()
        self.hint(tasks=True)
        self.round()
        self.label(range(16), is_right=True)
        self.good = self.version
        self.label(range(16, 24), is_right=False)

    def add_clips(self, vectors):
        keys = [content_hash(vector.tobytes()) for vector in vectors]
        self.store.clips.add_embeddings(EMBEDDER_ID, keys, vectors.astype(np.float32))
        datas = [{"audio": f"/data/{key}.wav", "content_hash": key} for key in keys]
        return self.studio.add_tasks(self.project_id, datas)

    def label(self, rows, *, is_right):
        for row in rows:
            kind = "siren" if self.is_siren[row] == is_right else "other"
            self.studio.annotate(self.task_ids[row], kind)
        self.hint()
        self.round()

    def pin(self, model_version):
        pin(self.store, self.project_id, model_version, now=self.now)
        self.round()

    def publish_all(self):
        self.now += QUIET_S
        while self.rest.go_on(self.project_id):
            pass

    @property
    def queue(self):
        return self.studio.queue(self.project_id)

    def said_by(self, model_version):
        return {
            one["task"]: one["result"][0]["meta"]["probabilities"]
            for one in self.studio.predictions
            if one["model_version"] == model_version
        }


@pytest.fixture
def street(tmp_path):
    made = Street(tmp_path)
    yield made
    made.store.close()


def test_what_annotators_get_is_what_the_version_said_back_then(street):
    bad = street.version
    street.pin(street.good)
    assert learned_version(street.version) == street.good
    now, then, between = (street.said_by(one) for one in (street.version, street.good, bad))
    both = now.keys() & then.keys()
    assert len(now) >= HEAD
    assert len(both) > 5
    assert all(now[task_id] == then[task_id] for task_id in both)
    assert any(now[task_id] != between[task_id] for task_id in now.keys() & between.keys())


def test_the_order_is_the_versions_own_and_holds_every_clip_that_nobody_labeled(street):
    street.pin(street.good)
    street.publish_all()
    assert sorted(street.queue) == street.task_ids[24:]
    said = street.said_by(street.version)
    first = said[street.queue[0]]["siren"]
    assert abs(first - 0.5) < np.median([abs(one["siren"] - 0.5) for one in said.values()])


def test_labels_are_read_meanwhile_and_nothing_is_learned_from_them(street):
    street.pin(street.good)
    learned = {learned_version(one) for one in street.store.versions.names(street.project_id)}
    n_measured = len(street.store.versions.measured_rounds(street.project_id))
    for row in (24, 30):
        street.label(range(row, row + 6), is_right=True)
        assert street.task_ids[row] not in street.queue
        assert learned_version(street.version) == street.good
    assert len(street.store.labels.read(street.project_id)) == 36
    names = street.store.versions.names(street.project_id)
    assert {learned_version(one) for one in names} == learned
    assert len(street.store.versions.measured_rounds(street.project_id)) == n_measured


def test_new_clips_are_predicted_by_it(street):
    street.pin(street.good)
    (new,) = street.add_clips(np.full((1, 8), 2.0))
    street.hint(tasks=True)
    street.round()
    street.publish_all()
    assert new in street.queue
    assert street.said_by(street.version)[new]["siren"] > 0.5


def test_going_on_learning_leads_to_where_it_would_be_without(street):
    before = street.version
    street.pin(street.good)
    street.pin(None)
    assert street.version == before
    assert pinned_version(street.store, street.project_id) is None
    street.pin(street.good)
    street.label([24], is_right=True)
    street.pin(None)
    assert street.version.startswith("earmark-25-")
    assert learned_version(street.version) == street.version


def test_the_same_state_gives_the_same_order_and_a_round_without_news_changes_nothing(street):
    street.pin(street.good)
    before, n_rounds = street.version, len(street.store.versions.rounds(street.project_id))
    street.restart()
    street.hint(tasks=True)
    assert street.round() == before
    assert len(street.store.versions.rounds(street.project_id)) == n_rounds
    street.pin(None)
    street.pin(street.good)
    assert street.version == before


def test_it_comes_back_although_its_predictions_were_deleted(street):
    street.publish_all()
    street.now += 2 * QUIET_S
    street.publish_all()
    assert street.said_by(street.good) == {}
    street.pin(street.good)
    assert len(street.queue) >= HEAD
    street.now += 3 * QUIET_S
    street.publish_all()
    assert sorted(street.queue) == street.task_ids[24:]
    assert {one["model_version"] for one in street.studio.predictions} == {street.version}


def test_an_order_of_a_held_version_can_be_named_to_hold_it(street):
    street.pin(street.good)
    order = street.version
    street.pin(None)
    street.pin(order)
    assert pinned_version(street.store, street.project_id) == street.good
    assert street.version == order


def test_the_version_that_is_current_can_be_kept_too(street):
    bad = street.version
    street.pin(bad)
    street.label([24], is_right=True)
    assert learned_version(street.version) == bad


def test_a_version_that_does_not_fit_any_more_waits_while_learning_goes_on(street):
    street.pin(street.good)
    project = street.studio.projects[street.project_id]
    fitting = project["label_config"]
    project["label_config"] = fitting.replace("other", "quiet")
    street.hint()
    street.round()
    assert learned_version(street.version) != street.good
    with pytest.raises(RequestError, match="its labels are not those"):
        street.pin(street.good)
    project["label_config"] = fitting
    street.hint()
    street.round()
    assert learned_version(street.version) == street.good


@pytest.mark.parametrize("fault", ["no such version", "no classifier", "another embedder"])
def test_what_cannot_be_held_is_refused_in_words(street, fault):
    name = street.good
    if fault == "no such version":
        name = "earmark-7-0123456789ab"
    if fault == "no classifier":
        name = street.store.versions.names(street.project_id)[-1]
    if fault == "another embedder":
        street.store.facts.write("embedder", {"embedder_id": "drawn-2"})
    with pytest.raises(RequestError, match=name):
        street.pin(name)
    assert pinned_version(street.store, street.project_id) is None


def test_a_project_that_is_gone_is_held_no_more(street):
    street.pin(street.good)
    street.store.forget(street.project_id)
    assert pinned_version(street.store, street.project_id) is None
