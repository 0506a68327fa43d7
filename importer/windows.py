"""Cut: from the length of a recording to its windows.

A window that the recording's end cuts short is kept where at least half of it is left and holds
sound that no window before it held; a recording shorter than one window is one clip.
"""

import math

from ml_backend.errors import SourceError

MAX_WINDOWS = 1_000_000  # of one recording: a header may claim thousands of years


def windows(duration_s: float, window_s: float, hop_s: float) -> list[tuple[float, float]]:
    """Return the (onset, duration) in s of a recording's windows.

    Parameters
    ----------
    duration_s : float
        Length of the recording, in s.
    window_s, hop_s : float
        Length of a window, and how far apart windows begin, in s.

    Examples
    --------
    >>> windows(10.0, 4.0, 4.0)
    [(0.0, 4.0), (4.0, 4.0), (8.0, 2.0)]
    >>> windows(9.0, 4.0, 4.0)
    [(0.0, 4.0), (4.0, 4.0)]
    """
    cut: list[tuple[float, float]] = []
    covered_s = 0.0
    while not cut or covered_s < duration_s - 1e-6:
        onset_s = round(len(cut) * hop_s, 6)
        length_s = round(min(window_s, duration_s - onset_s), 6)
        if cut and length_s < window_s / 2:
            break
        cut.append((onset_s, length_s))
        covered_s = onset_s + length_s
    return cut


def check_windows(window_s: float | None, hop_s: float | None) -> None:
    """Raise SourceError unless both are at least 0.05 s, and no hop comes without a window."""
    if hop_s is not None and window_s is None:
        raise SourceError("A hop was given without a window; say how long a window is.")
    for name, value in (("window", window_s), ("hop", hop_s)):
        if value is not None and not 0.05 <= value < math.inf:
            raise SourceError(f"A {name} of {value:g} s makes no clips; 0.05 s is the least.")
