"""Echoes: webhook events of settings changes that Earmark itself makes.

A round makes its version current, which changes the settings. One settings event soon after each
such change is ignored; if it was another change, the poll finds it.
"""

LISTENED_S = 5.0
"""Time after which an echo that has not arrived is considered lost, in s."""


class Echoes:
    """Counts the expected events of own changes by project."""

    def __init__(self) -> None:
        self._expected: dict[int, list[float]] = {}

    def expect(self, project_id: int, *, now: float) -> None:
        """Note an own change."""
        self._expected.setdefault(project_id, []).append(now)

    def take(self, project_id: int, n_events: int, *, now: float) -> int:
        """Return the number of events that are no echoes.

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
