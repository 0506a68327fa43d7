"""Rounds, and what can wait: done where it is quiet, a piece at a time, in nobody's way."""

import threading

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError

from ml_backend import reconcile
from ml_backend import rest as rest_module
from ml_backend.clip import content_hash
from ml_backend.errors import LabelStudioError, LabelStudioUnreachableError
from ml_backend.label_config import label_config_xml
from ml_backend.reconcile import Reconciler
from ml_backend.rest import Rest
from ml_backend.settings import Settings
from ml_backend.store import open_store
from ml_backend.worker import Worker
from tests.fake_label_studio import FakeLabelStudio

EMBEDDER_ID = "drawn-1"
N_CLIPS, HEAD = 35, 10
QUIET_S = 20.0


class Street:
    """A project whose clips are embedded, and a clock that only moves when told."""

    def __init__(self, folder):
        self.now = 1000.0
        self.studio = FakeLabelStudio()
        self.project_id = self.studio.add_project(
            label_config_xml(("siren", "other"), multi_label=False)
        )
        keys = [content_hash(bytes([n])) for n in range(N_CLIPS)]
        datas = [{"audio": f"/data/{key}.wav", "content_hash": key} for key in keys]
        self.task_ids = self.studio.add_tasks(self.project_id, datas)
        self.settings = Settings(data_dir=folder, head_size=HEAD, quiet_s=QUIET_S, debounce_s=0.0)
        self.store = open_store(self.settings.store_url)
        vectors = np.random.default_rng(0).standard_normal((N_CLIPS, 8)).astype(np.float32)
        self.store.clips.add_embeddings(EMBEDDER_ID, keys, vectors)
        client = self.studio.client()
        self.reconciler = Reconciler(
            self.store, client, self.settings, EMBEDDER_ID, clock=lambda: self.now
        )
        self.rest = Rest(self.store, client, self.settings, self.reconciler, clock=lambda: self.now)
        self.hint(tasks=True)
        self.round()

    def hint(self, **what):
        self.store.agenda.hint(self.project_id, now=self.now, **what)

    def round(self):
        self.now += 1.0
        turn = self.store.agenda.take(self.project_id, now=self.now, lease_s=1.0)
        version = self.reconciler.reconcile(turn)
        self.store.agenda.finish(turn, now=self.now)
        return version

    def label(self, task_id, label):
        made = self.studio.annotate(task_id, label)
        self.hint()
        self.round()
        return made

    def go_on(self):
        return self.rest.go_on(self.project_id)

    def go_on_to_the_end(self):
        while self.go_on():
            pass

    @property
    def version(self):
        return self.studio.projects[self.project_id]["model_version"]

    @property
    def n_published(self):
        return sum(one["model_version"] == self.version for one in self.studio.predictions)

    @property
    def versions_held(self):
        return {one["model_version"] for one in self.studio.predictions}


@pytest.fixture
def street(tmp_path):
    made = Street(tmp_path)
    yield made
    made.store.close()


def test_the_rest_waits_for_quiet_and_comes_in_pieces(street):
    assert not street.go_on()
    assert street.n_published == HEAD
    street.now += QUIET_S
    assert street.go_on()
    assert street.n_published == 2 * HEAD
    street.go_on_to_the_end()
    assert street.n_published == N_CLIPS
    assert sorted(street.studio.queue(street.project_id)) == street.task_ids


def test_it_stands_back_as_soon_as_something_is_heard(street):
    street.now += QUIET_S
    assert street.go_on()
    street.hint()
    assert not street.go_on()
    assert street.n_published == 2 * HEAD


def test_a_task_deleted_unheard_stops_one_piece_and_a_round_mends_it(street):
    behind_the_head = street.reconciler.edition(
        street.project_id, street.reconciler.clips(street.project_id)
    ).order[HEAD + 3]
    deleted = street.studio.tasks.pop(int(behind_the_head))
    street.studio.add_tasks(street.project_id, [deleted["data"]])  # so that the number is right
    street.now += QUIET_S
    with pytest.raises(LabelStudioError, match="not found"):
        street.go_on()
    assert street.store.agenda.is_waiting(street.project_id)
    street.round()
    street.now += QUIET_S
    street.go_on_to_the_end()
    assert street.n_published == N_CLIPS


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [("is_broken", LabelStudioError), ("is_down", LabelStudioUnreachableError)],
)
def test_after_trouble_it_is_left_alone_for_a_minute_and_nothing_is_lost(street, trouble, kind):
    street.now += QUIET_S
    setattr(street.studio, trouble, True)
    with pytest.raises(kind):
        street.go_on()
    setattr(street.studio, trouble, False)
    if street.store.agenda.is_waiting(street.project_id):
        street.round()
    n_calls = len(street.studio.calls)
    assert not street.go_on()
    assert len(street.studio.calls) == n_calls
    street.now += rest_module.RETRY_S
    street.go_on_to_the_end()
    assert street.n_published == N_CLIPS


def test_superseded_predictions_go_when_all_is_published_and_long_quiet(street):
    for task_id, label in zip(street.task_ids[:4], ["siren", "other"] * 2, strict=True):
        street.label(task_id, label)
    assert len(street.versions_held) == 5
    street.now += QUIET_S
    street.go_on_to_the_end()
    assert len(street.versions_held) == 5
    street.now += 2 * QUIET_S
    assert street.go_on()
    assert len(street.versions_held) == 4
    street.go_on_to_the_end()
    assert street.versions_held == {street.version}
    assert street.n_published == N_CLIPS - 4


def test_what_takes_long_to_delete_stays_and_so_does_what_others_predicted(street, monkeypatch):
    monkeypatch.setattr(rest_module, "CLEARED_AT_MOST", HEAD)
    street.studio.predictions.append(
        {"task": street.task_ids[0], "model_version": "by hand", "score": 0.5, "result": []}
    )
    large = street.version
    street.now += QUIET_S
    street.go_on_to_the_end()
    street.label(street.task_ids[0], "siren")
    small = street.version
    street.label(street.task_ids[1], "other")
    street.now += 3 * QUIET_S
    street.go_on_to_the_end()
    assert street.versions_held == {large, "by hand", street.version}
    assert small not in street.versions_held


def test_a_version_that_comes_back_while_it_is_deleted_is_published_again(street, monkeypatch):
    before = street.version
    annotation_id = street.label(street.task_ids[0], "siren")
    street.now += 3 * QUIET_S
    while street.store.versions.progress(street.project_id).n_published < N_CLIPS - 1:
        street.go_on()
    client = street.rest._label_studio
    delete = client.delete_predictions

    def take_the_label_back_and_delete(project_id, model_version):
        del street.studio.annotations[annotation_id]
        street.hint()
        street.round()
        assert street.version == model_version == before
        delete(project_id, model_version)

    monkeypatch.setattr(client, "delete_predictions", take_the_label_back_and_delete)
    street.go_on()
    assert street.n_published == 0
    street.round()
    assert street.version == before
    assert street.n_published == HEAD


def test_a_changed_question_is_not_forgotten_when_its_round_fails(street, monkeypatch):
    project = street.studio.projects[street.project_id]
    street.label(street.task_ids[0], "siren")
    before = street.version
    project["label_config"] = project["label_config"].replace("other", "quiet")
    street.hint(labels=False)
    with monkeypatch.context() as patched:
        patched.setattr(reconcile, "learn", None)
        with pytest.raises(TypeError):
            street.round()
    street.now += 10.0
    assert street.round() != before
    assert street.version != before


def test_a_store_that_fails_ends_the_worker_so_that_it_is_started_again(street, caplog):
    class Drawn:
        embedder_id, embedding_dim, sample_rate_hz, warning = EMBEDDER_ID, 8, 16_000, None

    worker = Worker(street.settings, street.store, street.studio.client(), Drawn())
    with street.store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE label")
    stop, raised = threading.Event(), []

    def run():
        try:
            worker.run(stop)
        except OperationalError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()  # one project's round failed, the worker did not
    with street.store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE project")
    thread.join(5.0)
    assert not thread.is_alive()
    assert stop.is_set()
    assert "project" in str(raised[0])  # whoever started it is told why
