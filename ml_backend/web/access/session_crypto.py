"""What a visitor carries, and what is derived from it: nothing that is kept here opens anything.

A visitor's cookie (or ticket) holds a random name, signed. From the name come the key under which
the session is found, the key that seals the visitor's token, and the CSRF token. The store holds
the first and what was sealed: whoever steals it can neither sign in nor read a token.
"""

import base64
import hashlib
import hmac
import json
import secrets
from typing import Any, Literal

from cryptography.fernet import Fernet
from itsdangerous import BadSignature, Signer

from ml_backend.settings.secret_file import check_secret

Kind = Literal["session", "ticket", "form"]


class Seals:
    """Signs names and seals what belongs to them; ``key`` is the backend's own."""

    def __init__(self, key: str) -> None:
        self._key = check_secret(key, "The session key").encode()

    def new_name(self) -> str:
        """Make up a name that nobody can guess."""
        return secrets.token_urlsafe(32)

    def sign(self, kind: Kind, name: str) -> str:
        """Sign a name for one kind of use.

        Examples
        --------
        >>> seals = Seals("a key of the examples")
        >>> seals.read("session", seals.sign("session", "name"))
        'name'
        >>> seals.read("ticket", seals.sign("session", "name")) is None
        True
        """
        return self._signer(kind).sign(name).decode()

    def read(self, kind: Kind, signed: str | None) -> str | None:
        """Give the name that was signed for this kind of use; None for anything else."""
        try:
            return self._signer(kind).unsign(signed or "").decode()
        except (BadSignature, UnicodeError):
            return None

    def key(self, kind: Kind, name: str) -> str:
        """Give the key under which a name's session or ticket is kept."""
        return self._derive(f"{kind} key", name).hex()

    def csrf_token(self, name: str) -> str:
        """Give what a page shows to prove that it is ours."""
        return base64.urlsafe_b64encode(self._derive("csrf", name)).decode().rstrip("=")

    def is_csrf_token(self, name: str, shown: str) -> bool:
        """Tell whether that is what a page of ours would show."""
        return hmac.compare_digest(shown.encode(), self.csrf_token(name).encode())

    def seal(self, name: str, content: dict[str, Any]) -> str:
        """Encrypt what only the bearer of the name may have opened."""
        return self._box(name).encrypt(json.dumps(content).encode()).decode()

    def open(self, name: str, sealed: str) -> dict[str, Any]:
        """Decrypt what was sealed for a name.

        Examples
        --------
        >>> seals = Seals("a key of the examples")
        >>> seals.open("name", seals.seal("name", {"email": "a@example.org"}))
        {'email': 'a@example.org'}
        """
        return dict(json.loads(self._box(name).decrypt(sealed)))

    def cookie_name(self) -> str:
        """Name the cookie: cookies are shared by the ports of a host, and so by its backends."""
        return f"earmark_{self._derive('cookie', '').hex()[:8]}"

    def _signer(self, kind: Kind) -> Signer:
        return Signer(self._key, salt=kind, digest_method=hashlib.sha256)

    def _box(self, name: str) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(self._derive("seal", name)))

    def _derive(self, purpose: str, name: str) -> bytes:
        return hmac.digest(self._key, f"{purpose}\0{name}".encode(), "sha256")
