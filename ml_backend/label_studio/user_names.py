"""The names of Label Studio's users, asked for once."""

import math
import time
from collections.abc import Mapping
from typing import Any

from ml_backend.label_studio.client import LabelStudio

ASK_AGAIN_S = 600.0
"""A user whom Label Studio does not list is asked about again after this time, in s."""


class UserNames:
    """Names of users by their numbers; safe to share between threads."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {}
        self._missed_at: dict[int, float] = {}

    def learn(self, label_studio: LabelStudio, user_ids: set[int]) -> None:
        """Ask for the names of these users, where one of them is not known.

        Raises
        ------
        LabelStudioError
            If there are names to ask for, and Label Studio does not tell them.
        """
        now, unknown = time.monotonic(), user_ids - self._known.keys()
        if any(now - self._missed_at.get(one, -math.inf) >= ASK_AGAIN_S for one in unknown):
            self._known |= {int(one["id"]): _name(one) for one in label_studio.users()}
            self._missed_at |= dict.fromkeys(unknown - self._known.keys(), now)

    def name(self, user_id: int) -> str:
        """Return a user's name; without one, the number in words."""
        return self._known.get(user_id, f"annotator {user_id}")

    def is_unlisted(self, user_id: int) -> bool:
        """Check whether Label Studio was asked and does not list the user."""
        return user_id in self._missed_at and user_id not in self._known


def _name(user: Mapping[str, Any]) -> str:
    """Return a user's name; without one, the address they log in with."""
    parts = (user.get("first_name"), user.get("last_name"))
    return " ".join(filter(None, parts)) or user.get("email") or f"annotator {user['id']}"
