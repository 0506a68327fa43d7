"""What the views of one application share: made once per application, never at import."""

from dataclasses import dataclass, field
from threading import Semaphore

from flask import Flask, current_app
from prometheus_client import CollectorRegistry

from ml_backend.label_studio import LabelStudio
from ml_backend.label_studio.user_names import UserNames
from ml_backend.loop.worker_report import WorkerReport
from ml_backend.settings import Settings, read_session_key
from ml_backend.store import Store, open_store
from ml_backend.web.access.file_access import Reach
from ml_backend.web.access.session_crypto import Seals
from ml_backend.web.access.throttle import Patience
from ml_backend.web.access.user_lock import OneByOne
from ml_backend.web.access.visitors import Permissions, Visitors
from ml_backend.web.labeling.bulks import Bulks
from ml_backend.web.labeling.leases import Leases
from ml_backend.web.labeling.undos import Undos
from ml_backend.web.snapshot.embedder import EarsOnDemand
from ml_backend.web.snapshot.embeddings import Sounds
from ml_backend.web.snapshot.media_library import Library
from ml_backend.web.snapshot.predict import Predictor
from ml_backend.web.snapshot.queue_status import QueueHead
from ml_backend.web.snapshot.snapshots import Snapshots

_N_SEARCHES = 2
_EXTENSION = "earmark"


@dataclass(frozen=True)
class Services:
    """The store and the settings, and what is kept in memory between requests.

    Attributes
    ----------
    writing : OneByOne
        The turns in which a visitor's labels are written and taken back.
    clearing : OneByOne
        The turns in which a visitor has clips asked about again.
    searching : Semaphore
        Bounds the searches by sound that embed at once.
    registry : CollectorRegistry
        The metrics of this application.
    """

    settings: Settings
    store: Store
    seals: Seals
    visitors: Visitors
    reach: Reach
    report: WorkerReport
    snapshots: Snapshots
    sounds: Sounds
    head: QueueHead
    library: Library
    predictor: Predictor
    permissions: Permissions = field(default_factory=Permissions)
    patience: Patience = field(default_factory=Patience)
    undos: Undos = field(default_factory=Undos)
    bulks: Bulks = field(default_factory=Bulks)
    leases: Leases = field(default_factory=Leases)
    names: UserNames = field(default_factory=UserNames)
    writing: OneByOne = field(default_factory=OneByOne)
    clearing: OneByOne = field(default_factory=OneByOne)
    searching: Semaphore = field(default_factory=lambda: Semaphore(_N_SEARCHES))
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def provide(self, app: Flask) -> None:
        """Let the views of an application find these services."""
        app.extensions[_EXTENSION] = self


def open_services(settings: Settings, label_studio: LabelStudio | None = None) -> Services:
    """Open the store and build everything that reads it.

    ``label_studio`` stands in for the one that the settings name.

    Raises
    ------
    StoreError
        If the store cannot be opened.
    SettingsError
        If the session key is none.
    """
    store = open_store(settings.store_url)
    label_studio = label_studio or LabelStudio(settings.label_studio_url, settings.api_key)
    seals = Seals(read_session_key(settings))
    ears = EarsOnDemand(settings, store, label_studio)
    return Services(
        settings=settings,
        store=store,
        seals=seals,
        visitors=Visitors(store, label_studio, seals),
        reach=Reach(label_studio, settings.files_root),
        report=WorkerReport(settings.data_dir),
        snapshots=Snapshots(store),
        sounds=Sounds(store, settings, ears),
        head=QueueHead(store),
        library=Library(settings, label_studio),
        predictor=Predictor(store, label_studio, ears),
    )


def services() -> Services:
    """Return the services of the application that handles the current request."""
    found: Services = current_app.extensions[_EXTENSION]
    return found
