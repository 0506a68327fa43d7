"""A project as its pages see it: rounds over a fake Label Studio, and what is made of them."""

import io
import threading

import numpy as np

from ml_backend.clip import content_hash
from ml_backend.label_studio.label_config import label_config_xml
from ml_backend.loop.maps import MapUpdater
from ml_backend.loop.page_data import PageData
from ml_backend.loop.reconcile import Reconciler
from ml_backend.web.snapshot.packed import unpack
from tests.turns import whole_turn
from tests.visiting import BASIC, Place

EMBEDDER = "toy-1"


class SeenProject:
    """Clips with toy embeddings in as many clouds as there are classes.

    ``truth`` names the class of each clip; ``read`` asks a page as a script does.
    """

    def __init__(self, folder, n=30, *, classes=("siren", "other"), multi_label=False, data=None,
                 is_embedded=True, embedder_id=EMBEDDER, dim=8, seed=0):  # fmt: skip
        self.place = Place(folder)
        self.store, self.studio = self.place.store, self.place.studio
        self.classes, self.embedder_id = tuple(classes), embedder_id
        rng = np.random.default_rng(seed)
        centers = 3 * rng.normal(size=(len(classes), dim))
        kinds = np.arange(n) % len(classes)
        self.truth = [self.classes[kind] for kind in kinds]
        self.embeddings = (centers[kinds] + rng.normal(size=(n, dim))).astype(np.float32)
        self.keys = [content_hash(f"{seed} {row}".encode()) for row in range(n)]
        said = data or [
            {"clip": f"clip {row}.wav", "recording_id": f"r{row // 3}"} for row in range(n)
        ]
        datas = [
            {"audio": f"/data/{row}.wav", "content_hash": key, **one}
            for row, (key, one) in enumerate(zip(self.keys, said, strict=True))
        ]
        config = label_config_xml(self.classes, multi_label=multi_label)
        self.control = "label" if 'name="label"' in config else "sound"
        self.project_id, self.task_ids = self.place.add_project(config, datas)
        self.store.facts.write("embedder", {"embedder_id": embedder_id, "warning": None})
        if is_embedded and n:
            self.store.clips.add_embeddings(embedder_id, self.keys, self.embeddings)
        client = self.studio.client()
        self.reconciler = Reconciler(self.store, client, self.place.settings, embedder_id)
        self.map_updater = MapUpdater(self.store, embedder_id, folder / "maps")
        self.page_data = PageData(
            self.store, self.reconciler, embedder_id, self.map_updater, quiet_s=0.0
        )
        self.client = self.place.app.test_client()

    def label(self, row, *labels, **how):
        """Answer a clip, with its true class unless told otherwise."""
        self.studio.annotate(
            self.task_ids[row], *(labels or [self.truth[row]]), control=self.control, **how
        )

    def follow(self):
        """Do a round, and then what can wait."""
        self.reconciler.reconcile(whole_turn(self.project_id))
        self.page_data.look(self.project_id)

    def fit_maps(self):
        self.page_data.fit_maps(self.project_id, threading.Event())

    def get(self, path, **how):
        """Ask until the answer is made."""
        for _ in range(200):
            answer = self.client.get(f"/projects/{self.project_id}/{path}", auth=BASIC, **how)
            if answer.status_code != 202:
                return answer
        raise AssertionError(f"{path} is still being made: {answer.json}")

    def read(self, path):
        """Give what an answer in the packed form tells, and its columns by name."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return unpack(answer.get_data())

    def column(self, name):
        """Give a column's values: names of categories, numbers else; None where missing."""
        (column,) = self.read(f"column?name={name}")[1].values()
        return decoded(column)

    def search(self, content, name="dropped.wav"):
        form = {"audio": (io.BytesIO(content), name)}
        for _ in range(200):
            answer = self.client.post(f"/projects/{self.project_id}/search", data=form, auth=BASIC)
            form = {"audio": (io.BytesIO(content), name)}
            if answer.status_code != 202:
                return answer
        raise AssertionError("the search does not end")


def decoded(column):
    stored = column.stored
    if stored.dtype.kind == "u":
        is_missing = stored == np.iinfo(stored.dtype).max
    else:
        is_missing = np.isnan(stored.astype(float))
    values = (stored * column.scale if column.scale else stored).tolist()
    if column.names is not None:
        values = [
            None if gone else column.names[code]
            for code, gone in zip(stored, is_missing, strict=True)
        ]
    return [None if gone else value for value, gone in zip(values, is_missing, strict=True)]
