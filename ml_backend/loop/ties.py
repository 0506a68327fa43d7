"""Ties: one more annotator labels a clip whose annotators do not agree, once.

Label Studio considers a clip done when it has as many answers as the project wants, and serves it
to nobody. A round raises the wanted number of a tied clip, and lowers it again if the tie is
resolved otherwise: somebody changed an answer, or starred one. Annotators of the clip do not get it
again; all others do, before any other clip, and without a prediction unless the project was quiet
long enough for the answered clips to be published too.

If a project wants one answer per clip, its tasks are not changed: if one of them wanted more, Label
Studio would apply a later change of the project's number to that one alone. Two answers are an
exception there; the page Label and go on asks who decides.
"""

import logging
from collections.abc import Iterable

from ml_backend.clip import TaskLabels
from ml_backend.errors import LabelStudioError, LabelStudioNotFoundError
from ml_backend.label_studio import LabelStudio
from ml_backend.store import Store

log = logging.getLogger(__name__)

_AT_ONCE = 5
"""Most tasks that a round changes, 0.15 to 0.3 s each; the next round continues."""


class Ties:
    """Makes Label Studio serve tied clips to one more annotator."""

    def __init__(self, store: Store, label_studio: LabelStudio) -> None:
        self._store = store
        self._label_studio = label_studio

    def reopen(self, project_id: int, labels: Iterable[TaskLabels], n_wanted: int) -> None:
        """Request one more annotator for each tie, and none for resolved ties.

        The next round retries changes that Label Studio refuses.
        """
        fact = f"ties of project {project_id}"
        stored = self._store.facts.read(fact) or {}
        # When the project's number of annotators changes, Label Studio writes it into every task.
        before = set(stored["task_ids"]) if stored.get("n_wanted") == n_wanted else set()
        answers = {one.task_id: one for one in labels}
        tied = {
            task_id: one.n_wanted(n_wanted)
            for task_id, one in answers.items()
            if n_wanted > 1 and one.state == "tied" and one.n_annotators < one.n_wanted(n_wanted)
        }
        changed = sorted(before ^ tied.keys())[:_AT_ONCE]
        if not changed and stored.get("n_wanted", n_wanted) == n_wanted:
            return
        done = set()
        for task_id in changed:
            n_answers = answers[task_id].n_annotators if task_id in answers else 0
            overlap = tied.get(task_id, max(n_wanted, n_answers))
            try:
                self._label_studio.update_task(
                    task_id, overlap=overlap, is_labeled=n_answers >= overlap
                )
            except LabelStudioNotFoundError:
                pass  # deleted, and so no tie
            except LabelStudioError as error:
                log.warning("task %d: no further annotator can be requested: %s", task_id, error)
                continue
            done.add(task_id)
        kept = {"n_wanted": n_wanted, "task_ids": sorted(before ^ done)}
        self._store.facts.write(fact, kept)
