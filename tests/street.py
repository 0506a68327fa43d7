"""A project in a Label Studio in memory, with its rounds and what can wait done by hand."""

from collections import Counter

import numpy as np

from ml_backend.clip import content_hash
from ml_backend.label_studio.label_config import label_config_xml
from ml_backend.loop.background import BackgroundPublisher
from ml_backend.loop.reconcile import Reconciler
from ml_backend.settings import Settings
from ml_backend.store import open_store
from tests.fake_label_studio import FakeLabelStudio

EMBEDDER_ID = "drawn-1"
N_CLIPS, HEAD = 35, 10
QUIET_S = 20.0


class Drawn:
    """Stands where the embedder would: all clips are embedded already."""

    embedder_id, embedding_dim, sample_rate_hz, warning = EMBEDDER_ID, 8, 16_000, None


class Rounds:
    """Rounds of one project, and what can wait, by hand; a clock that only moves when told.

    Who is one has ``studio``, ``project_id``, ``settings`` and ``store``, and begins with
    ``restart``.
    """

    now = 1000.0

    def restart(self):
        client = self.studio.client()
        self.reconciler = Reconciler(
            self.store, client, self.settings, EMBEDDER_ID, clock=lambda: self.now
        )
        self.rest = BackgroundPublisher(
            self.store, client, self.settings, self.reconciler, clock=lambda: self.now
        )

    def hint(self, **what):
        self.store.agenda.hint(self.project_id, now=self.now, **what)

    def round(self):
        self.now += 1.0
        turn = self.store.agenda.take(self.project_id, now=self.now, lease_s=1.0)
        version = self.reconciler.reconcile(turn)
        self.store.agenda.finish(turn, now=self.now)
        return version

    @property
    def version(self):
        return self.studio.projects[self.project_id]["model_version"]


class Street(Rounds):
    """A project whose clips are embedded."""

    def __init__(self, folder):
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
        self.restart()
        self.hint(tasks=True)
        self.round()

    def label(self, task_id, label):
        made = self.studio.annotate(task_id, label)
        self.hint()
        self.round()
        return made

    def swap(self, task_ids):
        """Delete tasks and add as many others with the same sounds, so that no number tells."""
        task_ids = [int(task_id) for task_id in task_ids]
        datas = [self.studio.tasks[task_id]["data"] for task_id in task_ids]
        self.studio.delete_tasks(task_ids)
        return self.studio.add_tasks(self.project_id, datas)

    def go_on(self):
        return self.rest.go_on(self.project_id)

    def go_on_to_the_end(self):
        while self.go_on():
            pass

    @property
    def current(self):
        return [one for one in self.studio.predictions if one["model_version"] == self.version]

    @property
    def n_published(self):
        return len(self.current)

    @property
    def progress(self):
        return self.store.versions.progress(self.project_id)

    @property
    def order(self):
        return self.store.versions.current(self.project_id).ranking["task_ids"].tolist()

    @property
    def head(self):
        return self.order[:HEAD]

    @property
    def predicted(self):
        """How many predictions each task has."""
        return Counter(one["task"] for one in self.studio.predictions)

    @property
    def superseded(self):
        return self.predicted - Counter(one["task"] for one in self.current)

    @property
    def versions_held(self):
        return {one["model_version"] for one in self.studio.predictions}
