"""How visitors come and go: the sign-in page, tickets, and the list of what they may see."""

import math
from typing import TypeVar

from flask import Flask, Response, abort, g, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as AnyResponse

from ml_backend.errors import LabelStudioError, LabelStudioUnreachableError, RequestError
from ml_backend.settings import Settings
from ml_backend.store import Store
from ml_backend.web.access.session_crypto import Seals
from ml_backend.web.access.throttle import Patience
from ml_backend.web.access.visitors import SESSION_S, Visitors
from ml_backend.web.http.body import json_body
from ml_backend.web.http.negotiation import is_page, local_path

HOME = "/projects"
Answer = TypeVar("Answer", bound=AnyResponse)
MAX_FORM_BYTES = 64 * 2**10
_FORM_S = 24 * 3600.0
_STALE = (
    "This link was used already, or is older than a day. "
    "Sign in here, or have 'earmark map' print another."
)


def register(
    app: Flask, store: Store, settings: Settings, seals: Seals, visitors: Visitors
) -> None:
    """Add ``/sign-in``, ``/sign-out``, ``/arrive``, ``/tickets`` and the list of projects."""
    patience = Patience()
    cookie_name = seals.cookie_name()
    form_cookie_name = f"{cookie_name}_form"

    def set_cookie(answer: AnyResponse, name: str, value: str, lasts_s: float) -> None:
        answer.set_cookie(
            name,
            value,
            max_age=int(lasts_s),
            httponly=True,
            samesite="Lax",  # Strict would ask people to sign in anew who come from Label Studio
            secure=request.is_secure or settings.pages_url.startswith("https://"),
        )

    def begin(cookie: str, next_path: str) -> AnyResponse:
        if visitor := visitors.find(request.cookies.get(cookie_name)):
            visitors.sign_out(visitor)
        answer = redirect(next_path, 303)
        set_cookie(answer, cookie_name, cookie, SESSION_S)
        answer.delete_cookie(form_cookie_name)
        return _kept_by_nobody(answer)

    def proven(template: str, next_path: str, status: int, **told: object) -> Response:
        """Show a form with what proves that it is ours: a cookie and a field that fit."""
        name = seals.read("form", request.cookies.get(form_cookie_name)) or seals.new_name()
        visitor = visitors.find(request.cookies.get(cookie_name))
        page = render_template(
            template,
            next=next_path,
            proof=seals.csrf_token(name),
            visitor=visitor,
            csrf_token=visitor.csrf_token if visitor else "",
            **told,
        )
        answer = Response(page, status)
        set_cookie(answer, form_cookie_name, seals.sign("form", name), _FORM_S)
        return _kept_by_nobody(answer)

    def form(next_path: str, error: str = "", status: int = 200) -> Response:
        address = settings.studio_pages_url
        return proven("sign_in.html", next_path, status, error=error, studio_address=address)

    def is_our_form() -> bool:
        name = seals.read("form", request.cookies.get(form_cookie_name))
        shown = request.form.get("proof", "")
        return name is not None and seals.is_csrf_token(name, shown)

    def use(ticket: str, next_path: str) -> AnyResponse:
        """Begin a session with a ticket, or say why not."""
        address = request.remote_addr or ""
        if wait_s := patience.wait_s(address, ticket):
            abort(429, f"Too many tries; wait {math.ceil(wait_s)} s.")
        try:
            cookie = visitors.arrive(ticket)
        except LabelStudioError:
            abort(502, "Label Studio does not answer; follow the link again in a moment.")
        if cookie is None:
            patience.failed(address, ticket)
            return form(next_path, _STALE, 403)
        return begin(cookie, next_path)

    @app.get("/sign-in")
    def sign_in_page() -> ResponseReturnValue:
        return form(local_path(request.args.get("next")) or HOME)

    @app.post("/sign-in")
    def sign_in() -> ResponseReturnValue:
        request.max_content_length = MAX_FORM_BYTES  # anybody may send it
        next_path = local_path(request.form.get("next")) or HOME
        if not is_our_form():
            return form(next_path, "The page was open for too long; try again.", 403)
        token, address = request.form.get("token", "").strip(), request.remote_addr or ""
        if wait_s := patience.wait_s(address, token):
            answer = form(next_path, f"Too many tries; wait {math.ceil(wait_s)} s.", 429)
            answer.headers["Retry-After"] = str(math.ceil(wait_s))
            return answer
        try:
            cookie = visitors.sign_in(token)
        except RequestError as error:
            patience.failed(address, token)
            return form(next_path, str(error), 401)
        except LabelStudioUnreachableError:
            return form(next_path, "Label Studio does not answer; try again in a moment.", 502)
        patience.succeeded(address, token)
        return begin(cookie, next_path)

    @app.post("/sign-out")
    def sign_out() -> ResponseReturnValue:
        if g.visitor is not None:
            visitors.sign_out(g.visitor)
        answer = redirect("/sign-in", 303)
        answer.delete_cookie(cookie_name)
        return _kept_by_nobody(answer)

    @app.post("/tickets")
    def tickets() -> ResponseReturnValue:
        token = json_body().get("token")
        if not isinstance(token, str):
            raise RequestError("/tickets takes a Label Studio token under 'token'; there is none.")
        return _kept_by_nobody(jsonify(ticket=visitors.make_ticket(token)))

    @app.get("/arrive")
    def arrive() -> ResponseReturnValue:
        next_path = local_path(request.args.get("next")) or HOME
        if request.method == "HEAD":  # whoever previews a link must not use it up
            return _kept_by_nobody(Response(status=204))
        shown = request.args.get("ticket", "")
        visitor = visitors.find(request.cookies.get(cookie_name))
        if visitor is None:
            return use(shown, next_path)
        ticket = visitors.look_at(shown)
        if ticket is None:
            return _kept_by_nobody(redirect(next_path, 303))
        if ticket.user_id == visitor.user_id:
            return use(shown, next_path)
        return proven("arrive.html", next_path, 200, ticket=shown, email=ticket.email)

    @app.post("/arrive")
    def arrive_as_another() -> ResponseReturnValue:
        request.max_content_length = MAX_FORM_BYTES  # anybody may send it
        next_path = local_path(request.form.get("next")) or HOME
        if not is_our_form():
            return form(next_path, "The page was open for too long; follow the link again.", 403)
        return use(request.form.get("ticket", ""), next_path)

    @app.get(HOME)
    def projects() -> ResponseReturnValue:
        known = store.agenda.project_ids()
        if g.visitor is not None:
            shown = {project["id"] for project in g.visitor.label_studio.projects()}
            known = [one for one in known if one in shown]
        listed = [
            {"project": one, "title": store.agenda.description(one)["title"] or f"Project {one}"}
            for one in known
        ]
        return render_template("projects.html", projects=listed) if is_page() else jsonify(listed)


def _kept_by_nobody(answer: Answer) -> Answer:
    answer.headers["Cache-Control"] = "no-store"
    return answer
