"""How the clips of a project sound: their embeddings, and the names that AudioSet has for them.

Both are had in the background: reading the embeddings of 100,000 clips takes seconds.
"""

import logging

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ml_backend.embedders.audioset import read_audioset_names
from ml_backend.errors import RequestError, WeightsError
from ml_backend.learning.embedded_clips import EmbeddedClips
from ml_backend.loop.embedding_cache import Gatherer
from ml_backend.settings import Settings
from ml_backend.similarity.map_layout import PCA
from ml_backend.store import Store
from ml_backend.web.snapshot.background_job import Pending, Workshop
from ml_backend.web.snapshot.embedder import Ears, EarsOnDemand
from ml_backend.web.snapshot.packed import PackedColumn
from ml_backend.web.snapshot.snapshots import Snapshot

log = logging.getLogger(__name__)

WORD = "word:"
MAX_MATRIX_BYTES = 4 * 2**30
"""Embeddings of larger projects are not held by the web process."""
_N_PROJECTS = 2
_N_WORDS = 24
_BLOCK = 4096


class Sounds:
    """What the pages know of how clips sound: their embeddings, and the names for them."""

    def __init__(self, store: Store, settings: Settings, ears: EarsOnDemand) -> None:
        self._store = store
        self._settings = settings
        self._ears = ears
        self._gatherer = Gatherer(store, _N_PROJECTS)
        self._clips = Workshop[EmbeddedClips | RequestError](_N_PROJECTS)
        self._opened = Workshop[Ears | None](1)
        self._words = Workshop[NDArray[np.float32]](_N_WORDS)

    def clips(self, snapshot: Snapshot) -> EmbeddedClips | Pending:
        """Give the embedded clips of a project, or say that they are being read.

        Raises
        ------
        RequestError
            If there are too many for the web process to hold.
        """
        project_id, embedder_id = snapshot.project_id, snapshot.embedder_id

        def read(_pending: Pending) -> EmbeddedClips | RequestError:
            if 2 * self._store.clips.n_bytes(project_id, embedder_id) > MAX_MATRIX_BYTES:
                n_clips = len(snapshot.task_ids)
                return RequestError(
                    f"Project {project_id} has {n_clips} clips, too many to be compared here."
                )
            clips = self._gatherer.clips(project_id, embedder_id)
            _ = clips.unit  # made here, not by who asks first
            return clips

        state = "The embeddings are being read."
        found = self._clips.get(project_id, _version(snapshot), state, read)
        if isinstance(found, RequestError):
            raise found.with_traceback(None)
        return found

    def ears(self, snapshot: Snapshot) -> Ears | Pending | None:
        """Give the embedder; None where it is not the one that the project was embedded by."""
        embedder_id = snapshot.embedder_id
        return self._opened.get(
            "ears",
            embedder_id,
            "The embedder is being loaded.",
            lambda _: self._ears.of(embedder_id),
        )

    def names(self) -> tuple[str, ...]:
        """Give the names that the embedder at work knows; none where it knows none."""
        if why_no_words(self._store):
            return ()
        try:
            return read_audioset_names(self._settings.weights, self._settings.data_dir / "weights")
        except WeightsError as error:
            log.warning("sounds cannot be found by words: %s", error)
            return ()

    def word(self, snapshot: Snapshot, name: str) -> PackedColumn | Pending | None:
        """Give each clip's probability of an AudioSet class; None where it has no such name.

        The sigmoid of the tagger's logit, as it was trained: each class by itself.
        """
        names = self.names()
        if name not in names:
            return None
        clips = self.clips(snapshot)
        if isinstance(clips, Pending):
            return clips
        ears = self.ears(snapshot)
        if ears is None or isinstance(ears, Pending):
            return ears
        tagger = ears.tagger
        if tagger is None:
            return None
        place = names.index(name)

        def tag(pending: Pending) -> NDArray[np.float32]:
            logits = np.empty(len(clips), dtype=np.float32)
            for start in range(0, len(clips), _BLOCK):
                block = slice(start, start + _BLOCK)
                logits[block] = tagger.tag(clips.embeddings[block])[:, place]
                pending.progress = min(1.0, (start + _BLOCK) / len(clips))
            return logits

        key = (snapshot.project_id, name)
        logits = self._words.get(key, _version(snapshot), f"Looking for “{name}”.", tag)
        if isinstance(logits, Pending):
            return logits
        probabilities = expit(logits)
        return PackedColumn(WORD + name, "number", lined_up(snapshot, clips, probabilities))


def why_no_words(store: Store) -> str:
    """Tell why the embedder at work knows no words; empty where it knows some."""
    at_work = store.facts.read("embedder") or {}
    return str(at_work.get("why_no_names", "The embedder has not been loaded yet") or "")


def _version(snapshot: Snapshot) -> tuple[object, ...]:
    """Tell which embeddings a project has; the sketch is another one when there are more."""
    sketch = dict(snapshot.stamps.maps).get(PCA)
    return snapshot.stamps.sheet, sketch, snapshot.embedder_id


def lined_up(
    snapshot: Snapshot, clips: EmbeddedClips, values: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Bring values of embedded clips into the rows of a snapshot; NaN where there is none."""
    rows = np.full(len(snapshot.task_ids), np.nan, dtype=np.float32)
    is_shown = np.isin(clips.task_ids, snapshot.task_ids)
    places = np.searchsorted(snapshot.task_ids, clips.task_ids[is_shown])
    rows[places] = values[is_shown]
    return rows
