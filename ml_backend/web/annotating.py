"""Labels given on the pages: ``POST /projects/<id>/annotations``, and one undo for each."""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import Flask, abort, g, jsonify
from flask.typing import ResponseReturnValue

from ml_backend.errors import RequestError
from ml_backend.label_config import parse_label_config
from ml_backend.store import Store
from ml_backend.web.body import json_body, task_numbers
from ml_backend.web.one_by_one import OneByOne
from ml_backend.web.visitors import Permissions, Visitor
from ml_backend.web.writing import Refused, Written, take_back, write

MAX_TASKS = 200
"""So many at once: each takes Label Studio about 0.1 s."""
UNDO_S = 3600.0
_N_CLIPS_OF_ONE = 20_000
_N_CLIPS = 100_000


def register(app: Flask, store: Store, permissions: Permissions) -> None:
    """Add the routes that write labels and take them back."""
    undos, one_by_one = Undos(), OneByOne()

    @app.post("/projects/<int:project_id>/annotations")
    def annotate(project_id: int) -> ResponseReturnValue:
        visitor = somebody()
        body = json_body()
        task_ids = task_numbers(body.get("task_ids"), at_most=MAX_TASKS)
        labels, only_unanswered = _labels(body), body.get("only_unanswered") is True
        project = permissions.project(visitor, project_id) or {}
        config = parse_label_config(str(project.get("label_config")))
        with one_by_one.turn_of(visitor.user_id):
            answers = write(
                visitor, project_id, task_ids, labels, config, only_unanswered=only_unanswered
            )
        written = [one for one in answers if isinstance(one, Written)]
        store.agenda.hint(project_id, now=time.time(), single=len(task_ids) == 1)
        undo = undos.add(visitor, project_id, written) if written else None
        answered = [one.task_id for one in answers if isinstance(one, Refused) and one.is_answered]
        return jsonify(undo=undo, n=len(written), answered=answered, refused=refusals(answers))

    @app.delete("/projects/<int:project_id>/annotations/<undo>")
    def unannotate(project_id: int, undo: str) -> ResponseReturnValue:
        visitor = somebody()
        with one_by_one.turn_of(visitor.user_id):
            written = undos.take(undo, visitor, project_id)
            if written is None:
                abort(404, "This was undone already, or too long ago; change it in Label Studio.")
            answers = take_back(visitor, written)
            refused = [one for one in answers if isinstance(one, Refused)]
            again = {one.task_id for one in refused if one.may_work_again}
            undos.put_back(undo, visitor, project_id, [w for w in written if w.task_id in again])
        store.agenda.hint(project_id, now=time.time(), single=len(written) == 1)
        n_undone = sum(isinstance(one, Written) for one in answers)
        return jsonify(n=n_undone, refused=refusals(answers))


def somebody() -> Visitor:
    """Give the visitor; with the secret alone, nothing is done in anybody's name."""
    visitor: Visitor | None = g.visitor
    if visitor is None:
        abort(403, "This is done in Label Studio under a person's name; sign in at /sign-in.")
    return visitor


class Undos:
    """What can be undone, the latest of everybody; safe to share between threads.

    Bounded by clips, not by undos: a large selection is written, and undone, in many pieces.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Undo] = OrderedDict()

    def add(self, visitor: Visitor, project_id: int, written: Sequence[Written]) -> str:
        """Remember what was written; give the word that undoes it."""
        word = secrets.token_urlsafe(16)
        self.put_back(word, visitor, project_id, written)
        return word

    def take(self, word: str, visitor: Visitor, project_id: int) -> list[Written] | None:
        """Give what a word undoes, once, and only to whom it was given."""
        with self._lock:
            kept = self._kept.get(word)
            is_theirs = kept is not None and kept.whose == (visitor.user_id, project_id)
            if kept is None or not is_theirs or self._clock() > kept.until:
                return None
            del self._kept[word]
        return list(kept.written)

    def put_back(
        self, word: str, visitor: Visitor, project_id: int, written: Sequence[Written]
    ) -> None:
        """Let a word undo this, if it is anything."""
        if not written:
            return
        kept = _Undo((visitor.user_id, project_id), tuple(written), self._clock() + UNDO_S)
        with self._lock:
            self._kept[word] = kept
            theirs = [one for one, undo in self._kept.items() if undo.whose[0] == kept.whose[0]]
            self._drop_oldest(theirs, _N_CLIPS_OF_ONE)
            self._drop_oldest(list(self._kept), _N_CLIPS)

    def _drop_oldest(self, words: Sequence[str], n_clips: int) -> None:
        n_kept = sum(len(self._kept[word].written) for word in words)
        for word in words:
            if n_kept <= n_clips:
                return
            n_kept -= len(self._kept.pop(word).written)


@dataclass(frozen=True)
class _Undo:
    whose: tuple[int, int]
    written: tuple[Written, ...]
    until: float


def _labels(body: dict[str, object]) -> list[str] | None:
    """Read the labels; null says "cannot tell"."""
    labels = body.get("labels", [])
    if labels is None:
        return None
    if not isinstance(labels, list) or not all(isinstance(name, str) for name in labels):
        raise RequestError("'labels' must be a list of labels, or null for \"cannot tell\".")
    return labels


def refusals(answers: Sequence[Written | Refused]) -> list[dict[str, object]]:
    """Give what was refused, for JSON."""
    return [
        {"task_id": one.task_id, "reason": one.reason, "may_work_again": one.may_work_again}
        for one in answers
        if isinstance(one, Refused) and not one.is_answered
    ]
