"""Create predictions in Label Studio, which refuses a whole call for one deleted task.

People delete tasks during a round: deleted ones are left out, and the others are sent again.
"""

import logging
from collections.abc import Sequence
from typing import Any

from ml_backend.errors import (
    LabelStudioAuthError,
    LabelStudioError,
    LabelStudioNotFoundError,
    LabelStudioUnreachableError,
)
from ml_backend.label_studio import LabelStudio

log = logging.getLogger(__name__)

AT_ONCE = 500
"""Most predictions per call; of more, Label Studio stores the first although it refuses all."""


def hand_over(
    label_studio: LabelStudio, project_id: int, predictions: Sequence[dict[str, Any]]
) -> set[int]:
    """Create predictions, except those of tasks that were deleted.

    Returns
    -------
    set of int
        Numbers of the deleted tasks; known only for calls that Label Studio refused.

    Raises
    ------
    LabelStudioError
        If Label Studio refuses them although all their tasks exist.
    """
    gone: set[int] = set()
    for start in range(0, len(predictions), AT_ONCE):
        gone |= _hand_over(label_studio, project_id, predictions[start : start + AT_ONCE])
    if gone:
        log.info("project %d: %d tasks were deleted meanwhile", project_id, len(gone))
    return gone


def _hand_over(
    label_studio: LabelStudio, project_id: int, predictions: Sequence[dict[str, Any]]
) -> set[int]:
    left = list(predictions)
    while left:
        try:
            label_studio.import_predictions(project_id, left)
            break
        except (LabelStudioUnreachableError, LabelStudioAuthError, LabelStudioNotFoundError):
            raise
        except LabelStudioError:
            task_ids = [one["task"] for one in left]
            there = label_studio.data_manager.prediction_versions(project_id, task_ids)
            if len(there) == len(set(task_ids)):
                raise
            left = [one for one in left if one["task"] in there]
    return {one["task"] for one in predictions} - {one["task"] for one in left}
