"""The embedder in the web process: loaded when somebody needs it, by one at a time."""

import threading
from dataclasses import dataclass

from ml_backend.embedders import Embedder, load_embedder
from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.fetch import Fetcher
from ml_backend.learning.prior import Tagger, find_tagger
from ml_backend.loop.embed_clips import ClipEmbedder
from ml_backend.settings import Settings
from ml_backend.store import Store


@dataclass(frozen=True)
class Ears:
    """An embedder, what listens with it, and what knows names for what it hears, if anything."""

    embedder: Embedder
    clip_embedder: ClipEmbedder
    tagger: Tagger | None


class EarsOnDemand:
    """Loads the embedder on first use."""

    def __init__(self, settings: Settings, store: Store, label_studio: LabelStudio) -> None:
        self._settings = settings
        self._store = store
        self._label_studio = label_studio
        self._loading = threading.Lock()  # takes seconds: who needs no embedder does not wait
        self._ears: Ears | None = None

    @property
    def are_open(self) -> bool:
        """Tell whether the embedder is loaded."""
        return self._ears is not None

    def of(self, embedder_id: str) -> Ears | None:
        """Give the ears; None where the embedder is not this one, which the worker uses."""
        with self._loading:
            if self._ears is None:
                self._ears = self._open()
            ears = self._ears
        return ears if ears.embedder.embedder_id == embedder_id else None

    def _open(self) -> Ears:
        settings = self._settings
        cache_dir = settings.data_dir / "weights"
        embedder = load_embedder(settings.embedder, settings.weights, cache_dir)
        fetcher = Fetcher(self._label_studio, settings.files_root, settings.audio_hosts)
        tagger, _ = find_tagger(embedder, settings.weights, cache_dir, settings.names)
        return Ears(embedder, ClipEmbedder(self._store, fetcher, embedder), tagger)
