"""Who may call: Label Studio and scripts with the backend's secret, visitors with a session.

Label Studio's calls carry the secret as Basic credentials, its webhook as a header. A visitor may
call what lies below a project that Label Studio shows to this visitor. Every route that is not
named here is behind one of the two: a new route needs nothing to be safe.

Visitors' requests may wait for Label Studio. As many as there are places for are let in at once, so
that Label Studio's own calls find a thread even then: it waits a second for its webhook.
"""

import hmac
import threading
from collections.abc import Callable
from typing import NoReturn
from urllib.parse import quote, urlsplit

from flask import Flask, abort, g, jsonify, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import ServiceUnavailable

from ml_backend.label_studio.credentials import SECRET_HEADER, USER
from ml_backend.settings.secret_file import check_secret
from ml_backend.store.agenda import MAX_PROJECT_ID
from ml_backend.web.access.visitors import Permissions, Visitor, Visitors
from ml_backend.web.http.negotiation import is_page

CSRF_HEADER = "X-Earmark-CSRF"
CSRF_FIELD = "csrf"
PROJECT_ROUTES = "/projects/<int:project_id>"
N_PLACES = 24
"""So many visitors' requests are handled at once."""
QUICK_ROUTES = {"/health", "/", "/static/<digest>/<path:name>"}
OPEN_ROUTES = QUICK_ROUTES | {"/sign-in", "/arrive"}
VISITORS_ROUTES = {"/projects", "/sign-out"}
_READING = {"GET", "HEAD", "OPTIONS"}


class Access:
    """Lets a request through that knows the secret, or comes from a visitor who may see this."""

    def __init__(
        self,
        secret: str,
        visitors: Visitors,
        permissions: Permissions,
        cookie_name: str,
        pages_url: str,
        is_looked_after: Callable[[int], bool],
    ) -> None:
        self._secret = check_secret(secret, "The backend's secret").encode()
        self._visitors = visitors
        self._permissions = permissions
        self._cookie_name = cookie_name
        self._pages_host = _host(pages_url)
        self._places = threading.BoundedSemaphore(N_PLACES)
        self._is_looked_after = is_looked_after

    def guard(self, app: Flask) -> None:
        """Check every request to an application before it is handled.

        Handlers find the visitor in ``g.visitor``: None where the secret was shown, or the route
        is open to all. Templates find ``visitor`` and ``csrf_token``.
        """
        app.before_request(self._check)
        app.before_request(self._find_project)
        app.teardown_request(self._leave)
        app.context_processor(_told_to_templates)

    def _check(self) -> ResponseReturnValue | None:
        g.visitor = None
        route = request.url_rule.rule if request.url_rule else ""
        project_id = (request.view_args or {}).get("project_id", 0)
        if project_id > MAX_PROJECT_ID:
            abort(404, "No project has so large a number.")
        if route in QUICK_ROUTES or self._knows_secret():
            return None
        self._take_place()
        if route in OPEN_ROUTES:
            return None
        is_below_project = route == PROJECT_ROUTES or route.startswith(f"{PROJECT_ROUTES}/")
        is_visitors = is_below_project or route in VISITORS_ROUTES
        is_nowhere = not route and request.path.startswith("/projects")
        if not route and is_page():
            # Asked for the secret, browsers would cover a mistyped address with a password box.
            g.visitor = self._visitors.find(request.cookies.get(self._cookie_name))
            abort(404, f"There is no page {request.path}. All of them start from your projects.")
        if not is_visitors and not is_nowhere:
            return _ask_for_secret()
        visitor = self._visitors.find(request.cookies.get(self._cookie_name))
        if visitor is None:
            return _ask_to_sign_in()
        g.visitor = visitor
        if request.method not in _READING and not _shows_csrf_token(visitor):
            _refuse(f"{request.path} was not sent by a page of this session; reload it.")
        if is_below_project and self._permissions.project(visitor, project_id) is None:
            if not self._visitors.is_known(visitor):
                g.visitor = None
                return _ask_to_sign_in()
            _refuse(f"Label Studio does not show you project {project_id}.")
        return None

    def _find_project(self) -> None:
        """Answer 404 of a project that Earmark does not look after, whoever may see it."""
        project_id = (request.view_args or {}).get("project_id")
        if project_id is not None and not self._is_looked_after(project_id):
            abort(
                404,
                f"Earmark does not look after project {project_id} yet: "
                f"'earmark setup --project {project_id}' connects it.",
            )

    def _take_place(self) -> None:
        if not self._places.acquire(blocking=False):
            raise ServiceUnavailable("Too many ask at once; ask again.", retry_after=1)
        g.has_place = True

    def _leave(self, _error: BaseException | None) -> None:
        if g.pop("has_place", False):
            self._places.release()

    def _knows_secret(self) -> bool:
        if self._is_secret(request.headers.get(SECRET_HEADER)):
            return True
        basic = request.authorization
        if basic is None or basic.username != USER or not self._is_secret(basic.password):
            return False
        # Browsers send Basic credentials along with whatever another site makes them send.
        return request.method in _READING or not self._is_led_by_another_site()

    def _is_led_by_another_site(self) -> bool:
        """Tell so by what browsers say over https, else by where the page is from."""
        site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        if site is not None:
            return site not in ("none", "same-origin")
        # A proxy may pass another host on to us than the one that browsers know.
        return origin is not None and _host(origin) not in (request.host.lower(), self._pages_host)

    def _is_secret(self, shown: str | None) -> bool:
        return shown is not None and hmac.compare_digest(shown.encode(), self._secret)


def _host(url: str) -> str | None:
    """Give host and port; None where there is none, as in the origin ``null`` of a sandbox."""
    try:
        return urlsplit(url).netloc.lower() or None
    except ValueError:
        return None


def _shows_csrf_token(visitor: Visitor) -> bool:
    shown = request.headers.get(CSRF_HEADER)
    if shown is None and request.mimetype == "application/x-www-form-urlencoded":
        shown = request.form.get(CSRF_FIELD)
    return shown is not None and hmac.compare_digest(shown.encode(), visitor.csrf_token.encode())


def _ask_for_secret() -> ResponseReturnValue:
    message = (
        f"{request.path} needs the backend's secret, as the header {SECRET_HEADER} or as "
        f"password of the user '{USER}'. 'earmark setup' installs it in Label Studio."
    )
    return jsonify(error=message), 401, {"WWW-Authenticate": 'Basic realm="Earmark"'}


def _ask_to_sign_in() -> ResponseReturnValue:
    if is_page() and request.method in _READING:
        here = request.full_path if request.query_string else request.path
        # Commas stay as they are: a selection's would make the line too long for gunicorn.
        return redirect(f"/sign-in?next={quote(here, safe=',')}")
    # Without WWW-Authenticate: browsers would ask for a password over the page.
    return jsonify(error="Sign in first, at /sign-in; or the session has ended."), 401


def _refuse(message: str) -> NoReturn:
    abort(403, message)


def _told_to_templates() -> dict[str, object]:
    visitor = g.get("visitor")
    return {"visitor": visitor, "csrf_token": visitor.csrf_token if visitor else ""}
