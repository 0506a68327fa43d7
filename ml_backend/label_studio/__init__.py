"""Label Studio: its API, label configs, annotations read as labels, predictions written for it.

``client`` with ``setup_calls``, ``data_manager``, ``connection`` and ``failures`` are the API;
nothing outside this package knows it. Imports ``clip``, ``errors`` and ``metadata``; never a
classifier or the store.
"""

from ml_backend.label_studio.client import LabelStudio

__all__ = ["LabelStudio"]
