"""The application factory: every call of ``create_app`` builds a service of its own."""

import logging

from flask import Flask, g, jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from ml_backend.errors import (
    AudioError,
    EarmarkError,
    LabelConfigError,
    LabelStudioAuthError,
    LabelStudioError,
    LabelStudioNotFoundError,
    LabelStudioUnreachableError,
    RequestError,
)
from ml_backend.label_studio import LabelStudio
from ml_backend.loop.worker_report import WorkerReport
from ml_backend.settings import Settings, read_secret, read_session_key
from ml_backend.store import open_store
from ml_backend.web.access import sign_in
from ml_backend.web.access.guard import Access
from ml_backend.web.access.session_crypto import Seals
from ml_backend.web.access.user_lock import OneByOne
from ml_backend.web.access.visitors import Permissions, Visitors
from ml_backend.web.api import (
    annotations,
    ask_again,
    bulk,
    clip,
    frame,
    label_queue,
    label_studio_api,
    media,
    queue,
    similar,
    status,
    tab,
)
from ml_backend.web.api.predict import Oracle
from ml_backend.web.api.queue_status import QueueHead
from ml_backend.web.api.undos import Undos
from ml_backend.web.http import headers
from ml_backend.web.http.body import MAX_REQUEST_BYTES
from ml_backend.web.http.negotiation import is_page
from ml_backend.web.pages import progress, static_files
from ml_backend.web.snapshot.embedder import EarsOnDemand
from ml_backend.web.snapshot.embeddings import Sounds
from ml_backend.web.snapshot.snapshots import Snapshots

log = logging.getLogger(__name__)

_STATUS_OF: list[tuple[type[EarmarkError], int]] = [
    (AudioError, 404),
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
    seals = Seals(read_session_key(settings))
    visitors, permissions = Visitors(store, label_studio, seals), Permissions()
    headers.register(app)
    Access(
        read_secret(settings),
        visitors,
        permissions,
        seals.cookie_name(),
        settings.pages_url,
        store.agenda.is_known,
    ).guard(app)
    sign_in.register(app, store, settings, seals, visitors)
    ears = EarsOnDemand(settings, store, label_studio)
    report = WorkerReport(settings.data_dir)
    label_studio_api.register(app, store, Oracle(store, label_studio, ears), report)
    status.register(app, store, settings, report)
    static_files.register(app, store, settings)
    head = QueueHead(store)
    progress.register(app, store, settings, head)
    media.register(app, store, settings, label_studio)
    queue.register(app, store, head)
    snapshots, sounds = Snapshots(store), Sounds(store, settings, ears)
    frame.register(app, store, settings, snapshots, sounds, head)
    clip.register(app, store, settings, snapshots, permissions)
    similar.register(app, snapshots, sounds)
    undos, one_by_one = Undos(), OneByOne()
    annotations.register(app, store, permissions, undos, one_by_one)
    bulk.register(app, store, permissions, undos, one_by_one)
    ask_again.register(app, store)
    label_queue.register(app, store, permissions)
    tab.register(app, settings)
    app.register_error_handler(EarmarkError, _explain)
    app.register_error_handler(HTTPException, _refuse)
    app.register_error_handler(Exception, _apologize)
    return app


def _explain(error: EarmarkError) -> ResponseReturnValue:
    code = next((code for kind, code in _STATUS_OF if isinstance(error, kind)), 500)
    if isinstance(error, LabelStudioError):
        log.warning("%s %s: %s", request.method, request.path, error)
    if isinstance(error, LabelStudioAuthError) and g.get("visitor"):
        return _say("Label Studio does not let you do this; sign in again if you should.", 403)
    answer = make_response(_say(error.plain, code))
    if isinstance(error, LabelStudioUnreachableError):
        answer.headers["Retry-After"] = "2"  # our pages wait until it is back (outage.js)
    return answer


def _refuse(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < 400:
        return error.get_response()
    answer = make_response(_say(error.description or error.name, error.code))
    for name, value in error.get_headers():
        if name != "Content-Type":  # such as Allow, or the Content-Range that there is
            answer.headers[name] = value
    return answer


def _apologize(error: Exception) -> ResponseReturnValue:
    log.exception("%s %s failed", request.method, request.path)
    kind = type(error).__name__
    return _say(f"The backend failed ({kind}); its log says where.", 500)


def _say(message: str, code: int) -> ResponseReturnValue:
    """Say what went wrong: to people on a page, to programs in JSON."""
    if not is_page():
        return jsonify(error=message), code
    name = HTTP_STATUS_CODES.get(code, "")
    return render_template("refusal.html", name=name, message=message), code
