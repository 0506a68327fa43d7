"""Label Studio's API: nothing outside this package knows it."""

from ml_backend.label_studio.client import LabelStudio

__all__ = ["LabelStudio"]
