"""Echoes: Label Studio tells of every change of a project's settings, also of those made here.

A round makes its version current, which is such a change. What is heard of settings soon after it,
once for each, is taken for that; should it have been something else, the poll finds it.
"""

LISTENED_S = 5.0
"""An echo that has not come after this long, in s, was lost."""


class Echoes:
    """Counts, by project, what is still to be heard of changes made here."""

    def __init__(self) -> None:
        self._expected: dict[int, list[float]] = {}

    def expect(self, project_id: int, *, now: float) -> None:
        """Note a change made here."""
        self._expected.setdefault(project_id, []).append(now)

    def take(self, project_id: int, n_events: int, *, now: float) -> int:
        """Return how many of the changes heard of are no echoes.

        Examples
        --------
        >>> echoes = Echoes()
        >>> echoes.expect(7, now=10.0)
        >>> echoes.take(7, 2, now=11.0), echoes.take(7, 1, now=12.0)
        (1, 1)
        """
        kept = [at for at in self._expected.get(project_id, []) if now - at < LISTENED_S]
        self._expected[project_id] = kept[n_events:]
        return max(n_events - len(kept), 0)
