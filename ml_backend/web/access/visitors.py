"""Visitors: people who showed a Label Studio token, and are seen here as Label Studio sees them."""

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cachetools import LRUCache
from werkzeug.exceptions import ServiceUnavailable

from ml_backend.errors import (
    LabelStudioAuthError,
    LabelStudioError,
    LabelStudioNotFoundError,
    RequestError,
)
from ml_backend.label_studio import LabelStudio
from ml_backend.store import Store
from ml_backend.web.access.session_crypto import Kind, Seals

SESSION_S = 14 * 24 * 3600.0
TICKET_S = 24 * 3600.0
PATIENCE_S = 5.0
"""So long Label Studio may take to answer a visitor's question."""
_N_OPEN = 256
"""Number of visitors whose clients are kept open; the others' are opened when they come back."""
_TOKEN = re.compile(r"[\w.=-]{8,4096}", re.ASCII)


@dataclass(frozen=True)
class Visitor:
    """Somebody signed in.

    Attributes
    ----------
    label_studio : LabelStudio
        Label Studio as it lets this visitor see it.
    email : str
    user_id : int
        The visitor's number in Label Studio.
    key : str
        The session's key in the store.
    csrf_token : str
        What the visitor's pages show with everything that changes something.
    """

    label_studio: LabelStudio
    email: str
    user_id: int
    key: str
    csrf_token: str = field(repr=False)


@dataclass(frozen=True)
class Ticket:
    """What a ticket holds: whom it signs in, and with what; ``key`` is its own in the store."""

    key: str
    email: str
    user_id: int
    token: str = field(repr=False)


class Visitors:
    """Signs visitors in and out, and knows them again; safe to share between threads."""

    def __init__(
        self,
        store: Store,
        label_studio: LabelStudio,
        seals: Seals,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._label_studio = label_studio
        self._seals = seals
        self._clock = clock
        self._lock = threading.Lock()
        self._open: LRUCache[str, Visitor] = LRUCache(_N_OPEN)

    def sign_in(self, token: str) -> str:
        """Begin a session with a Label Studio token; give what the cookie is to hold.

        Raises
        ------
        RequestError
            If that is no token, or Label Studio refuses it.
        LabelStudioUnreachableError
            If Label Studio does not answer.
        """
        return self._begin("session", SESSION_S, token, self._owner(token))

    def make_ticket(self, token: str) -> str:
        """Make a ticket that signs in the owner of a token, once, within a day.

        Raises
        ------
        RequestError, LabelStudioUnreachableError
            As ``sign_in``.
        """
        return self._begin("ticket", TICKET_S, token, self._owner(token))

    def arrive(self, ticket: str) -> str | None:
        """Begin a session with a ticket; None where it was used, is too old, or is none.

        Raises
        ------
        LabelStudioError
            If Label Studio does not say whose token it holds; the ticket is not used up then.
        """
        held = self.look_at(ticket)
        if held is None:
            return None
        try:
            owner = self._owner(held.token)
        except RequestError:
            return None
        if self._store.sessions.take(held.key, now=self._clock()) is None:
            return None
        return self._begin("session", SESSION_S, held.token, owner)

    def look_at(self, ticket: str) -> Ticket | None:
        """Tell what a ticket holds, without using it; None as for ``arrive``."""
        name = self._seals.read("ticket", ticket)
        if name is None:
            return None
        key = self._seals.key("ticket", name)
        sealed = self._store.sessions.find(key, now=self._clock())
        return None if sealed is None else Ticket(key=key, **self._seals.open(name, sealed))

    def find(self, cookie: str | None) -> Visitor | None:
        """Give the visitor whose cookie this is; None where nobody's, or not any more."""
        name = self._seals.read("session", cookie)
        if name is None:
            return None
        key = self._seals.key("session", name)
        sealed = self._store.sessions.find(key, now=self._clock())
        if sealed is None:
            return None
        with self._lock:
            opened = self._open.get(key)
        if opened is not None:
            return opened
        known = self._seals.open(name, sealed)
        visitor = Visitor(
            self._seen_by(known["token"]),
            known["email"],
            known["user_id"],
            key,
            self._seals.csrf_token(name),
        )
        with self._lock:
            self._open[key] = visitor
        return visitor

    def sign_out(self, visitor: Visitor) -> None:
        """End a session, here and in every other tab."""
        self._store.sessions.drop(visitor.key)
        with self._lock:
            self._open.pop(visitor.key, None)

    def is_known(self, visitor: Visitor) -> bool:
        """Tell whether Label Studio still knows the visitor's token; if not, sign the visitor out.

        Raises
        ------
        LabelStudioUnreachableError
            If Label Studio does not answer.
        """
        try:
            visitor.label_studio.whoami()
        except LabelStudioAuthError:
            self.sign_out(visitor)
            return False
        return True

    def _seen_by(self, token: str) -> LabelStudio:
        return self._label_studio.seen_by(token, timeout_s=PATIENCE_S)

    def _begin(self, kind: Kind, lasts_s: float, token: str, owner: Mapping[str, Any]) -> str:
        name, now = self._seals.new_name(), self._clock()
        known = {"token": token, "email": str(owner["email"]), "user_id": int(owner["id"])}
        self._store.sessions.add(
            self._seals.key(kind, name),
            self._seals.seal(name, known),
            expires_at=now + lasts_s,
            now=now,
        )
        return self._seals.sign(kind, name)

    def _owner(self, token: str) -> dict[str, Any]:
        """Ask Label Studio whose token this is."""
        if not _TOKEN.fullmatch(token):
            raise RequestError("That is no Label Studio token: copy all of it, and nothing else.")
        try:
            return self._seen_by(token).whoami()
        except (LabelStudioAuthError, TypeError, ValueError, OverflowError):
            # The last three are the SDK's way of saying that it cannot read a personal token.
            raise RequestError(
                "Label Studio does not know this token. Copy it again from Account & Settings; "
                "a personal access token may also have expired."
            ) from None


class Permissions:
    """Which projects Label Studio lets a visitor see, asked anew every half minute."""

    ALLOWED_S = 30.0
    REFUSED_S = 2.0
    FAILED_S = 3.0
    WAITS_S = 2.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: LRUCache[tuple[str, int], _Answer] = LRUCache(8 * _N_OPEN)

    def project(self, visitor: Visitor, project_id: int) -> dict[str, Any] | None:
        """Give a project as the visitor sees it; None where Label Studio does not show it.

        Raises
        ------
        LabelStudioError
            If Label Studio does not answer, or did not a moment ago.
        ServiceUnavailable
            If somebody else asks already, and Label Studio takes its time.
        """
        key = (visitor.key, project_id)
        with self._lock:
            answer = self._answers.setdefault(key, _Answer())
        # Of a page's many requests, one asks and the others wait for it: not for long, since they
        # take the place of requests that Label Studio has nothing to do with.
        if not answer.asking.acquire(timeout=self.WAITS_S):
            raise ServiceUnavailable("Label Studio takes its time; ask again.", retry_after=1)
        try:
            if self._clock() >= answer.until:
                self._renew(answer, visitor, project_id)
            if answer.failure is not None:
                raise answer.failure.with_traceback(None)
            return answer.project
        finally:
            answer.asking.release()

    def _renew(self, answer: "_Answer", visitor: Visitor, project_id: int) -> None:
        answer.project, answer.failure = None, None
        try:
            answer.project = visitor.label_studio.project(project_id)
            lasts_s = self.ALLOWED_S
        except (LabelStudioAuthError, LabelStudioNotFoundError):
            lasts_s = self.REFUSED_S
        except LabelStudioError as error:
            answer.failure = error
            lasts_s = self.FAILED_S
        answer.until = self._clock() + lasts_s


@dataclass
class _Answer:
    project: dict[str, Any] | None = None
    failure: LabelStudioError | None = None
    until: float = float("-inf")
    asking: threading.Lock = field(default_factory=threading.Lock)
