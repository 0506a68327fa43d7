"""Answers that may take a moment, and answers in the packed form."""

import gzip
from collections.abc import Callable

from flask import Response, jsonify, request
from flask.typing import ResponseReturnValue

from ml_backend.web.snapshot.snapshots import Snapshot

NOT_READ = "The clips are being read."
_RETRY_S = 1


def wait(why: str, progress: float = 0.0) -> ResponseReturnValue:
    """Say that an answer is being made: ask again in a moment."""
    return jsonify(state=why, progress=progress), 202, {"Retry-After": str(_RETRY_S)}


def packed_answer(
    snapshot: Snapshot, name: str, make: Callable[[], bytes], *, etag: str = ""
) -> Response:
    """Answer in the packed form, made once per revision, compressed for who can read it.

    ``etag`` names what the answer is made from, where that outlives a revision.
    """
    answer = Response(mimetype="application/octet-stream")
    answer.set_etag(etag or snapshot.revision)
    answer.vary.add("Accept-Encoding")
    answer.make_conditional(request)
    if answer.status_code == 304:
        return answer
    if request.accept_encodings.quality("gzip") > 0:
        answer.headers["Content-Encoding"] = "gzip"
        answer.set_data(snapshot.once(f"{name} gzip", lambda: gzip.compress(make(), 1, mtime=0)))
    else:
        answer.set_data(snapshot.once(name, make))
    return answer
