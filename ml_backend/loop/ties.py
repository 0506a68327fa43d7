"""Ties: clips whose annotators do not agree are put to one more person, once.

Label Studio counts a clip as done when as many have answered as the project wants, and serves it to
nobody. A round raises what it wants of a tied clip, and takes that back where the tie is decided
otherwise: somebody changed an answer, or starred one. Whoever has answered the clip is not served
it again; everybody else is, before anything else, and without a prediction unless it was quiet long
enough for the answered clips to be published, too.

Where a project wants one answer a clip, its tasks stay as they are: if one of them wanted more,
Label Studio would apply a later change of the project's number to that one alone. Two answers are
an exception there; the page Label and go on asks who decides.
"""

import logging
from collections.abc import Iterable

from ml_backend.clip import TaskLabels
from ml_backend.errors import LabelStudioError, LabelStudioNotFoundError
from ml_backend.label_studio import LabelStudio
from ml_backend.store import Store

log = logging.getLogger(__name__)

_AT_ONCE = 5
"""Tasks that a round changes, 0.15 to 0.3 s each; the next one goes on."""


class Ties:
    """Makes Label Studio ask about the tied clips of projects once more."""

    def __init__(self, store: Store, label_studio: LabelStudio) -> None:
        self._store = store
        self._label_studio = label_studio

    def reopen(self, project_id: int, labels: Iterable[TaskLabels], n_wanted: int) -> None:
        """Let one more annotator be served each tie, and nobody what is no tie any more.

        What Label Studio refuses is tried again by the next round.
        """
        fact = f"ties of project {project_id}"
        told = self._store.facts.read(fact) or {}
        # Another number of wanted annotators makes Label Studio write it into every task.
        before = set(told["task_ids"]) if told.get("n_wanted") == n_wanted else set()
        answers = {one.task_id: one for one in labels}
        tied = {
            task_id: one.n_wanted(n_wanted)
            for task_id, one in answers.items()
            if n_wanted > 1 and one.state == "tied" and one.n_annotators < one.n_wanted(n_wanted)
        }
        changed = sorted(before ^ tied.keys())[:_AT_ONCE]
        if not changed and told.get("n_wanted", n_wanted) == n_wanted:
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
                log.warning("task %d: cannot be asked about once more: %s", task_id, error)
                continue
            done.add(task_id)
        kept = {"n_wanted": n_wanted, "task_ids": sorted(before ^ done)}
        self._store.facts.write(fact, kept)
