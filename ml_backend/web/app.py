"""The application factory: every call of ``create_app`` builds a service of its own."""

import logging

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from ml_backend.errors import (
    EarmarkError,
    LabelConfigError,
    LabelStudioError,
    LabelStudioNotFoundError,
    RequestError,
)
from ml_backend.label_studio import LabelStudio
from ml_backend.settings import Settings, read_secret
from ml_backend.store import open_store
from ml_backend.web import contract, queue, status
from ml_backend.web.access import Access
from ml_backend.web.oracle import Oracle

log = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 64 * 1024 * 1024
_STATUS_OF: list[tuple[type[EarmarkError], int]] = [
    (LabelStudioNotFoundError, 404),
    (LabelStudioError, 502),
    (RequestError, 400),
    (LabelConfigError, 400),
]


def create_app(settings: Settings, label_studio: LabelStudio | None = None) -> Flask:
    """Build the service: its routes, its access rules, and answers to errors as short JSON.

    ``label_studio`` stands in for the one that the settings name.
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST_BYTES
    store = open_store(settings.store_url)
    label_studio = label_studio or LabelStudio(settings.label_studio_url, settings.api_key)
    Access(read_secret(settings)).guard(app)
    contract.register(app, store, Oracle(settings, store, label_studio))
    status.register(app, store, settings)
    queue.register(app, store)
    app.register_error_handler(EarmarkError, _explain)
    app.register_error_handler(HTTPException, _refuse)
    app.register_error_handler(Exception, _apologize)
    return app


def _explain(error: EarmarkError) -> tuple[Response, int]:
    code = next((code for kind, code in _STATUS_OF if isinstance(error, kind)), 500)
    return jsonify(error=str(error)), code


def _refuse(error: HTTPException) -> tuple[Response, int]:
    return jsonify(error=error.description or error.name), error.code or 500


def _apologize(error: Exception) -> tuple[Response, int]:
    log.exception("%s %s failed", request.method, request.path)
    kind = type(error).__name__
    return jsonify(error=f"The backend failed ({kind}); its log says where."), 500
