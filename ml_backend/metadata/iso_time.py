"""ISO dates and times, read as they are written, whatever their offset.

Whoever asks for "after 8 pm" means the clock on the wall where the recording was made.
"""

import math
import re
from datetime import UTC, date, datetime

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATE_OR_TIME = re.compile(_DATE.pattern + r"([T ]\d{2}:\d{2}.*)?")
_HOUR = re.compile(rf"(?:{_DATE.pattern}[T ])?([01]\d|2[0-3]):[0-5]\d.*", re.DOTALL)


def is_iso_time(text: str) -> bool:
    """Check that a text has the form of an ISO date, or of a date and a time.

    Examples
    --------
    >>> [is_iso_time(text) for text in ("2024-05-01", "2024-05-01T20:15:00Z", "20:15")]
    [True, True, False]
    """
    return _DATE_OR_TIME.fullmatch(text) is not None


def seconds_of(text: str) -> float:
    """Return the seconds from 1970 to an ISO date or time, its offset left out; NaN if it is none.

    Examples
    --------
    >>> seconds_of("1970-01-01T00:01:00+02:00"), seconds_of("1970-13-01")
    (60.0, nan)
    """
    if not is_iso_time(text):
        return math.nan
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return math.nan


def hour_of(text: str) -> int | None:
    """Return the hour of an ISO time; None if there is none.

    Examples
    --------
    >>> hour_of("2024-05-01 20:15:00+02:00"), hour_of("08:00"), hour_of("2024-05-01")
    (20, 8, None)
    """
    found = _HOUR.fullmatch(text)
    return int(found[1]) if found else None


def date_of(text: str) -> str | None:
    """Return the date of an ISO date or time; None if there is none.

    Examples
    --------
    >>> date_of("2024-05-01T20:15:00"), date_of("2024-13-01")
    ('2024-05-01', None)
    """
    found = _DATE.match(text)
    try:
        return date.fromisoformat(found[0]).isoformat() if found else None
    except ValueError:
        return None
