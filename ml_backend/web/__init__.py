"""The HTTP face of the backend: what Label Studio calls, and what people look at."""

from ml_backend.web.app import create_app

__all__ = ["create_app"]
