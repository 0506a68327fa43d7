"""How visitors come and go: the sign-in page, tickets, and the list of what they may see."""

import math
from typing import TypeVar

from flask import Blueprint, Response, abort, g, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as AnyResponse

from ml_backend.errors import LabelStudioError, LabelStudioUnreachableError, RequestError
from ml_backend.web.access.visitors import SESSION_S, Visitor
from ml_backend.web.http.body import json_body
from ml_backend.web.http.negotiation import is_page, local_path
from ml_backend.web.services import services

HOME = "/projects"
Answer = TypeVar("Answer", bound=AnyResponse)
MAX_FORM_BYTES = 64 * 2**10
_FORM_S = 24 * 3600.0
_STALE = (
    "This link was used already, or is older than a day. "
    "Sign in here, or have 'earmark map' print another."
)


blueprint = Blueprint("sign_in", __name__)


@blueprint.get("/sign-in")
def sign_in_page() -> ResponseReturnValue:
    """Return the form for a Label Studio token."""
    return _form(local_path(request.args.get("next")) or HOME)


@blueprint.post("/sign-in")
def sign_in() -> ResponseReturnValue:
    """Begin a session with a Label Studio token."""
    request.max_content_length = MAX_FORM_BYTES  # anybody may send it
    visitors, patience = services().visitors, services().patience
    next_path = local_path(request.form.get("next")) or HOME
    if not _is_our_form():
        return _form(next_path, "The page was open for too long; try again.", 403)
    token, address = request.form.get("token", "").strip(), request.remote_addr or ""
    if wait_s := patience.wait_s(address, token):
        answer = _form(next_path, f"Too many tries; wait {math.ceil(wait_s)} s.", 429)
        answer.headers["Retry-After"] = str(math.ceil(wait_s))
        return answer
    try:
        cookie = visitors.sign_in(token)
    except RequestError as error:
        patience.failed(address, token)
        return _form(next_path, str(error), 401)
    except LabelStudioUnreachableError:
        return _form(next_path, "Label Studio does not answer; try again in a moment.", 502)
    patience.succeeded(address, token)
    return _begin(cookie, next_path)


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session."""
    if g.visitor is not None:
        services().visitors.sign_out(g.visitor)
    answer = redirect("/sign-in", 303)
    answer.delete_cookie(services().seals.cookie_name())
    return _kept_by_nobody(answer)


@blueprint.post("/tickets")
def tickets() -> ResponseReturnValue:
    """Make a ticket that signs in the owner of a token."""
    token = json_body().get("token")
    if not isinstance(token, str):
        raise RequestError("/tickets takes a Label Studio token under 'token'; there is none.")
    return _kept_by_nobody(jsonify(ticket=services().visitors.make_ticket(token)))


@blueprint.get("/arrive")
def arrive() -> ResponseReturnValue:
    """Use a ticket; ask first where another visitor is signed in."""
    next_path = local_path(request.args.get("next")) or HOME
    if request.method == "HEAD":  # whoever previews a link must not use it up
        return _kept_by_nobody(Response(status=204))
    shown, visitor = request.args.get("ticket", ""), _signed_in()
    if visitor is None:
        return _use(shown, next_path)
    ticket = services().visitors.look_at(shown)
    if ticket is None:
        return _kept_by_nobody(redirect(next_path, 303))
    if ticket.user_id == visitor.user_id:
        return _use(shown, next_path)
    return _proven("arrive.html", next_path, 200, ticket=shown, email=ticket.email)


@blueprint.post("/arrive")
def arrive_as_another() -> ResponseReturnValue:
    """Use a ticket in place of the session that there is."""
    request.max_content_length = MAX_FORM_BYTES  # anybody may send it
    next_path = local_path(request.form.get("next")) or HOME
    if not _is_our_form():
        return _form(next_path, "The page was open for too long; follow the link again.", 403)
    return _use(request.form.get("ticket", ""), next_path)


@blueprint.get(HOME)
def projects() -> ResponseReturnValue:
    """List the projects that the visitor may see."""
    agenda = services().store.agenda
    known = agenda.project_ids()
    if g.visitor is not None:
        shown = {project["id"] for project in g.visitor.label_studio.projects()}
        known = [one for one in known if one in shown]
    listed = [
        {"project": one, "title": agenda.description(one)["title"] or f"Project {one}"}
        for one in known
    ]
    return render_template("projects.html", projects=listed) if is_page() else jsonify(listed)


def _signed_in() -> Visitor | None:
    """Return the visitor whose cookie was sent: these routes are open, and set no ``g.visitor``."""
    return services().visitors.find(request.cookies.get(services().seals.cookie_name()))


def _use(ticket: str, next_path: str) -> AnyResponse:
    """Begin a session with a ticket, or return a form that says why not."""
    patience, address = services().patience, request.remote_addr or ""
    if wait_s := patience.wait_s(address, ticket):
        abort(429, f"Too many tries; wait {math.ceil(wait_s)} s.")
    try:
        cookie = services().visitors.arrive(ticket)
    except LabelStudioError:
        abort(502, "Label Studio does not answer; follow the link again in a moment.")
    if cookie is None:
        patience.failed(address, ticket)
        return _form(next_path, _STALE, 403)
    return _begin(cookie, next_path)


def _begin(cookie: str, next_path: str) -> AnyResponse:
    if visitor := _signed_in():
        services().visitors.sign_out(visitor)
    answer = redirect(next_path, 303)
    _set_cookie(answer, services().seals.cookie_name(), cookie, SESSION_S)
    answer.delete_cookie(_form_cookie_name())
    return _kept_by_nobody(answer)


def _form(next_path: str, error: str = "", status: int = 200) -> Response:
    address = services().settings.studio_pages_url
    return _proven("sign_in.html", next_path, status, error=error, studio_address=address)


def _proven(template: str, next_path: str, status: int, **told: object) -> Response:
    """Return a form with what proves that it is ours: a cookie and a field that fit."""
    seals, visitor = services().seals, _signed_in()
    name = seals.read("form", request.cookies.get(_form_cookie_name())) or seals.new_name()
    page = render_template(
        template,
        next=next_path,
        proof=seals.csrf_token(name),
        visitor=visitor,
        csrf_token=visitor.csrf_token if visitor else "",
        **told,
    )
    answer = Response(page, status)
    _set_cookie(answer, _form_cookie_name(), seals.sign("form", name), _FORM_S)
    return _kept_by_nobody(answer)


def _is_our_form() -> bool:
    seals = services().seals
    name = seals.read("form", request.cookies.get(_form_cookie_name()))
    return name is not None and seals.is_csrf_token(name, request.form.get("proof", ""))


def _form_cookie_name() -> str:
    return f"{services().seals.cookie_name()}_form"


def _set_cookie(answer: AnyResponse, name: str, value: str, lasts_s: float) -> None:
    answer.set_cookie(
        name,
        value,
        max_age=int(lasts_s),
        httponly=True,
        samesite="Lax",  # Strict would ask people to sign in anew who come from Label Studio
        secure=request.is_secure or services().settings.pages_url.startswith("https://"),
    )


def _kept_by_nobody(answer: Answer) -> Answer:
    answer.headers["Cache-Control"] = "no-store"
    return answer
