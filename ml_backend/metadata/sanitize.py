"""What comes from outside as JSON, brought to what can be kept, sent on and shown.

JSON may hold half a character (a lone surrogate, which no encoding writes), NUL (which PostgreSQL
does not keep) and, as Python reads and writes it, numbers that are none.
"""

import json
import math
from typing import Any

_N_LEVELS = 100


def read_json(text: str | bytes) -> Any:
    """Read JSON; a whole number of more digits than Python reads (4,300) stays the text it was.

    Raises
    ------
    ValueError
        If it is no JSON, or is nested deeper than can be read.

    Examples
    --------
    >>> read_json('{"n": 12}'), read_json("9" * 5000) == "9" * 5000
    ({'n': 12}, True)
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return json.loads(text, parse_int=read_whole_number)
    except RecursionError:
        raise ValueError("nested too deep") from None


def read_whole_number(text: str) -> int | str:
    """Read decimal digits; more of them than Python reads stay text."""
    try:
        return int(text)
    except ValueError:
        return text


def cleaned(value: Any) -> Any:
    r"""Put ``?`` in place of half characters and None in place of NaN and infinity; drop NUL.

    What is nested deeper than a hundred levels is None: no task means anything by it.

    Examples
    --------
    >>> cleaned({"place": "caf\ud800\0", "level_db": [float("-inf"), -3.5], "n": 2})
    {'place': 'caf?', 'level_db': [None, -3.5], 'n': 2}
    """
    return _cleaned(value, _N_LEVELS)


def _cleaned(value: Any, n_levels: int) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict | list) and not n_levels:
        return None
    if isinstance(value, dict):
        return {_text(name): _cleaned(one, n_levels - 1) for name, one in value.items()}
    if isinstance(value, list):
        return [_cleaned(one, n_levels - 1) for one in value]
    return value


def _text(text: str) -> str:
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "")
