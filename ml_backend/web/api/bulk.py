"""Labels for any number of clips, and their undo: done in the background, piece by piece.

``POST /projects/<id>/bulk`` begins, ``GET`` tells how far it is, ``DELETE`` stops it. It goes on
when the page is closed; whoever comes back finds it in the list of theirs.
"""

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, abort, g, jsonify
from flask.typing import ResponseReturnValue

from ml_backend.errors import EarmarkError
from ml_backend.label_studio.annotation import build_result
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.store import Store
from ml_backend.web.access.user_lock import OneByOne
from ml_backend.web.access.visitors import Permissions, Visitor
from ml_backend.web.api.annotation_writer import Refused, Written
from ml_backend.web.api.annotations import TOO_LATE, labels_of, refusals, somebody
from ml_backend.web.api.batch_writer import AT_ONCE, take_back_all, write_all
from ml_backend.web.api.undos import UNDO_S, Undos
from ml_backend.web.http.body import json_body, task_numbers

log = logging.getLogger(__name__)

MAX_TASKS = 100_000
PAUSE_S = 0.05
"""Between pieces, so that what else the visitor does, and others do, has its turn."""
_N_KEPT = 1_000


@dataclass
class Bulk:
    """One piece of work in the background.

    ``labels`` are None of a skip; ``n`` clips were written, or taken back, of the first ``n_done``
    of ``n_all``.
    """

    word: str
    whose: tuple[int, int]
    began: float
    n_all: int
    is_undo: bool
    labels: list[str] | None = None
    n_done: int = 0
    n: int = 0
    answers: list[Refused] = field(default_factory=list)
    undo: str | None = None
    error: str | None = None
    is_stopped: bool = False
    is_over: bool = False

    def count(self, answers: Sequence[Written | Refused]) -> None:
        """Note what became of the next clips."""
        self.n += sum(isinstance(one, Written) for one in answers)
        self.answers += [one for one in answers if isinstance(one, Refused)]
        self.n_done += len(answers)

    def facts(self) -> dict[str, object]:
        """Tell how far it is, and once it is over, what was not done."""
        told = ("labels", "n_all", "n_done", "n", "is_undo", "undo", "error", "is_over")
        facts: dict[str, object] = {"bulk": self.word} | {one: getattr(self, one) for one in told}
        if facts["is_over"]:
            facts["answered"] = [one.task_id for one in self.answers if one.is_answered]
            facts["refused"] = refusals(self.answers)
        return facts


class Bulks:
    """What is being done in the background, and what was; safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Bulk] = OrderedDict()

    def start(
        self, whose: tuple[int, int], n_all: int, work: Callable[[Bulk], None], **about: Any
    ) -> Bulk:
        """Begin work in a thread of its own; ``work`` looks whether it is stopped."""
        bulk = Bulk(secrets.token_urlsafe(16), whose, self._clock(), n_all, **about)
        with self._lock:
            for old in list(self._kept.values()):
                is_old = self._clock() - old.began > UNDO_S or len(self._kept) >= _N_KEPT
                if old.is_over and is_old:
                    del self._kept[old.word]
            self._kept[bulk.word] = bulk
        threading.Thread(target=_do, args=(bulk, work), name="bulk", daemon=True).start()
        return bulk

    def find(self, word: str, whose: tuple[int, int]) -> Bulk | None:
        """Give one of somebody's in a project; None where there is none of this name."""
        with self._lock:
            found = self._kept.get(word)
        return found if found is not None and found.whose == whose else None

    def of(self, whose: tuple[int, int]) -> list[Bulk]:
        """List somebody's in a project, in the order they began."""
        with self._lock:
            return [one for one in self._kept.values() if one.whose == whose]


def _do(bulk: Bulk, work: Callable[[Bulk], None]) -> None:
    try:
        work(bulk)
    except EarmarkError as error:
        log.warning("project %d: a bulk of labels ends: %s", bulk.whose[1], error)
        bulk.error = error.plain
    except Exception:
        log.exception("project %d: a bulk of labels failed", bulk.whose[1])
        bulk.error = "The backend failed on it; its log says where."
    finally:
        bulk.is_over = True


def register(
    app: Flask, store: Store, permissions: Permissions, undos: Undos, one_by_one: OneByOne
) -> None:
    """Add the routes."""
    bulks = Bulks()

    @app.post("/projects/<int:project_id>/bulk")
    def begin(project_id: int) -> ResponseReturnValue:
        visitor, body = somebody(), json_body()
        if isinstance(body.get("undo"), str):
            return jsonify(undo(visitor, project_id, str(body["undo"])).facts())
        task_ids = task_numbers(body.get("task_ids"), at_most=MAX_TASKS)
        labels, only_unanswered = labels_of(body), body.get("only_unanswered") is True
        project = permissions.project(visitor, project_id) or {}
        config = parse_label_config(str(project.get("label_config")))
        build_result(labels if labels is not None else config.class_names[:1], config)

        def label(bulk: Bulk) -> None:
            for start in range(0, len(task_ids), AT_ONCE):
                if bulk.is_stopped:
                    return
                piece = task_ids[start : start + AT_ONCE]
                with one_by_one.turn_of(visitor.user_id, is_patient=True):
                    answers = write_all(
                        visitor, project_id, piece, labels, config, only_unanswered=only_unanswered
                    )
                    written = [one for one in answers if isinstance(one, Written)]
                    bulk.undo = undos.add(visitor, project_id, written, bulk.undo)
                bulk.count(answers)
                store.agenda.hint(project_id, now=time.time())
                time.sleep(PAUSE_S)

        whose = (visitor.user_id, project_id)
        bulk = bulks.start(whose, len(task_ids), label, is_undo=False, labels=labels)
        return jsonify(bulk.facts())

    def undo(visitor: Visitor, project_id: int, word: str) -> Bulk:
        written = undos.take(word, visitor, project_id)
        if written is None:
            abort(404, TOO_LATE)

        def take_back(bulk: Bulk) -> None:
            left = list(written)
            again: list[Written] = []
            try:
                while left:
                    piece = left[:AT_ONCE]
                    with one_by_one.turn_of(visitor.user_id, is_patient=True):
                        answers = take_back_all(visitor, project_id, piece)
                    del left[: len(piece)]
                    stuck = {
                        one.task_id
                        for one in answers
                        if isinstance(one, Refused) and one.may_work_again
                    }
                    again += [one for one in piece if one.task_id in stuck]
                    bulk.count(answers)
                    store.agenda.hint(project_id, now=time.time())
                    time.sleep(PAUSE_S)
            finally:
                undos.put_back(word, visitor, project_id, again + left)

        whose = (visitor.user_id, project_id)
        return bulks.start(whose, len(written), take_back, is_undo=True)

    def find(project_id: int, word: str) -> Bulk:
        visitor: Visitor | None = g.visitor
        found = bulks.find(word, (visitor.user_id, project_id)) if visitor else None
        if found is None:
            abort(404, "The backend does not know of it; it was restarted, or it is long over.")
        return found

    @app.get("/projects/<int:project_id>/bulk")
    def begun(project_id: int) -> ResponseReturnValue:
        """List the visitor's; ``undo`` is null where it was used, or is too old."""
        visitor: Visitor | None = g.visitor
        if visitor is None:
            return jsonify([])
        listed = [one.facts() for one in bulks.of((visitor.user_id, project_id))]
        for facts in listed:
            if not undos.holds(str(facts["undo"]), visitor, project_id):
                facts["undo"] = None
        return jsonify(listed)

    @app.get("/projects/<int:project_id>/bulk/<word>")
    def tell(project_id: int, word: str) -> ResponseReturnValue:
        return jsonify(find(project_id, word).facts())

    @app.delete("/projects/<int:project_id>/bulk/<word>")
    def stop(project_id: int, word: str) -> ResponseReturnValue:
        somebody()
        found = find(project_id, word)
        found.is_stopped = True
        return jsonify(found.facts())
