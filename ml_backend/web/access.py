"""Who may call: Label Studio's calls carry Basic credentials, its webhook a secret header."""

import hmac

from flask import Flask, Response, jsonify, request

from ml_backend.handshake import SECRET_HEADER, USER

_OPEN = {"/health", "/"}


class Access:
    """Lets a request through that knows the secret; only ``/health`` is open to all."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def guard(self, app: Flask) -> None:
        """Check every request to an application before it is handled."""
        app.before_request(self._check)

    def _check(self) -> tuple[Response, int, dict[str, str]] | None:
        if request.path in _OPEN or self._knows(request.headers.get(SECRET_HEADER)):
            return None
        basic = request.authorization
        if basic is not None and basic.username == USER and self._knows(basic.password):
            return None
        message = (
            f"{request.path} needs the backend's secret, as the header {SECRET_HEADER} or as "
            f"password of the user '{USER}'. 'earmark setup' installs it in Label Studio."
        )
        return jsonify(error=message), 401, {"WWW-Authenticate": 'Basic realm="Earmark"'}

    def _knows(self, shown: str | None) -> bool:
        return shown is not None and hmac.compare_digest(shown.encode(), self._secret)
