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
from ml_backend.settings import Settings, read_secret
from ml_backend.web.access.guard import Access
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
from ml_backend.web.http import headers
from ml_backend.web.http.body import MAX_REQUEST_BYTES
from ml_backend.web.http.negotiation import is_page
from ml_backend.web.http.request_times import RequestTimes
from ml_backend.web.pages import progress, sign_in, static_files
from ml_backend.web.services import open_services

log = logging.getLogger(__name__)

_STATUS_OF: list[tuple[type[EarmarkError], int]] = [
    (AudioError, 404),
    (LabelStudioNotFoundError, 404),
    (LabelStudioError, 502),
    (RequestError, 400),
    (LabelConfigError, 400),
]


_BLUEPRINTS = (
    sign_in.blueprint,
    label_studio_api.blueprint,
    status.blueprint,
    static_files.blueprint,
    progress.blueprint,
    media.blueprint,
    queue.blueprint,
    frame.blueprint,
    clip.blueprint,
    similar.blueprint,
    annotations.blueprint,
    bulk.blueprint,
    ask_again.blueprint,
    label_queue.blueprint,
    tab.blueprint,
)


def create_app(settings: Settings, label_studio: LabelStudio | None = None) -> Flask:
    """Build the service: its routes, its access rules, and answers to errors as short JSON.

    ``label_studio`` stands in for the one that the settings name.
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST_BYTES
    services = open_services(settings, label_studio)
    services.provide(app)
    headers.register(app)
    Access(
        read_secret(settings),
        services.visitors,
        services.permissions,
        services.seals.cookie_name(),
        settings.pages_url,
        services.store.agenda.is_known,
    ).guard(app)  # before all other hooks: what may not be seen costs nothing
    services.registry.register(status.ProjectMetrics(services.store))
    RequestTimes(services.registry).measure(app)
    for blueprint in _BLUEPRINTS:
        app.register_blueprint(blueprint)
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
    """Return what went wrong: as a page to people, as JSON to programs."""
    if not is_page():
        return jsonify(error=message), code
    name = HTTP_STATUS_CODES.get(code, "")
    return render_template("refusal.html", name=name, message=message), code
