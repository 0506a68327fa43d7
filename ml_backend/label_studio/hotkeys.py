"""Which key chooses which class on Label Studio's labeling page.

Label Studio 1.23 goes through the label config twice. First every tag with ``hotkey`` gets its key;
then the tags without one, from top to bottom, each get the first of ``STUDIO_KEYS`` that is free.
A tag that comes after the last key has none. Keys are lower case. What several tags claim
explicitly, one press does to all of them.
"""

from collections.abc import Mapping
from xml.etree.ElementTree import Element

STUDIO_KEYS = "1234567890qwetasdfgzxcvbyiopjklnm"
"""The keys that Label Studio hands out by itself, in its order."""
MAP_KEYS = frozenset("bcflsvxz")
"""Letters with another meaning on Earmark's map: tools, color, fit, skip, select, zoom."""
NONE_KEY = "n"
"""The key that says "none of them", where a clip may have several labels."""
CLASS_KEYS = tuple(key for key in STUDIO_KEYS if key not in MAP_KEYS | {NONE_KEY})
"""The keys of the classes, in their order: the same on the labeling page and on the map."""

_TAGS = frozenset(("choice", "label", "rating", "number", "filter", "timeseries", "shortcut"))


def assign_keys(tree: Element) -> Mapping[Element, str]:
    """Return the key of each tag of a label config, as Label Studio assigns it; "" for none.

    Of several keys for one tag (``hotkey="1,f"``), the first one is told.

    Examples
    --------
    >>> from xml.etree.ElementTree import fromstring
    >>> tree = fromstring(
    ...     '<View><Choice value="a" hotkey="2"/><Choice value="b"/><Choice value="c"/></View>'
    ... )
    >>> list(assign_keys(tree).values())
    ['2', '1', '3']
    """
    tags = [tag for tag in tree.iter() if str(tag.tag).lower() in _TAGS]
    explicit = {tag: tag.get("hotkey", "").lower() for tag in tags if tag.get("hotkey")}
    taken = set(explicit.values()) | {
        tag.get("hotkey", "").lower() for tag in tree.iter() if str(tag.tag).lower() == "audio"
    }
    free = iter([key for key in STUDIO_KEYS if key not in taken])
    return {
        tag: explicit[tag].split(",")[0].strip() if tag in explicit else next(free, "")
        for tag in tags
    }
