"""A project in the middle of its work: clips that are heard, labels, rounds, some of them wrong."""

import numpy as np

from ml_backend.clip import content_hash
from ml_backend.label_studio.label_config import label_config_xml
from ml_backend.loop.reconcile import Reconciler
from tests.turns import whole_turn
from tests.visiting import Place

EMBEDDER_ID = "drawn-1"
SPOTS = 3.0


class Project:
    """Clips around one spot per class; every eleventh label is wrong."""

    def __init__(self, folder, names=("siren", "other"), *, n_clips=120, multi_label=False):
        self.names = names
        self.place = Place(folder, audit_share=0.15)
        self.studio, self.store = self.place.studio, self.place.store
        rng = np.random.default_rng(0)
        self.kinds = rng.integers(len(names), size=n_clips)
        spots = rng.standard_normal((len(names), 16))
        vectors = SPOTS * spots[self.kinds] + rng.standard_normal((n_clips, 16))
        keys = [content_hash(vector.tobytes()) for vector in vectors]
        self.store.facts.write("embedder", {"embedder_id": EMBEDDER_ID, "warning": None})
        self.store.clips.add_embeddings(EMBEDDER_ID, keys, vectors.astype(np.float32))
        datas = [
            {
                "audio": f"/data/{key}.wav",
                "content_hash": key,
                "clip": f"street <{row}>.wav",
                "recording_id": str(row // 2),
            }
            for row, key in enumerate(keys)
        ]
        config = label_config_xml(names, multi_label=multi_label)
        self.project_id, self.task_ids = self.place.add_project(config, datas)
        self.now = 1_700_000_000.0
        self.n_labeled = 0
        self.reconciler = Reconciler(
            self.store,
            self.studio.client(),
            self.place.settings,
            EMBEDDER_ID,
            clock=lambda: self.now,
        )

    def round(self):
        self.now += 60.0
        return self.reconciler.reconcile(whole_turn(self.project_id))

    def label(self, n_labels, by=1):
        for row in range(self.n_labeled, self.n_labeled + n_labels):
            kind = self.kinds[row] + (row % 11 == 10)
            self.studio.annotate(self.task_ids[row], self.names[kind % len(self.names)], by=by)
        self.n_labeled += n_labels
        return self.round()

    def address(self, more=""):
        return f"/projects/{self.project_id}{more}"
