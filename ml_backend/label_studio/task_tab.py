"""A tab of the Data Manager with exactly the tasks wanted, which it has no filter for.

Its API knows ``in_list``, but its page does not: one tab with it, and nobody can open the
project's Data Manager any more. Single numbers joined by "or" end at about a thousand, where
SQLite's expressions do. What works in the page, on SQLite and on PostgreSQL, is a regular
expression on the task's number, if the tab shows that column as a text.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

OWN_TAB = "Earmark"
"""The tab in which the clips of a project are looked through, made with the project."""
SCORE = "tasks:predictions_score"
"""The place in the queue: ordered by it, a tab serves clips as the queue does."""
_NUMBER = "tasks:id"
_END = ""


def tab_of(title: str, task_ids: Sequence[int], like: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a tab that holds these tasks and no others, with the columns of another tab.

    ``like`` describes that tab, and may be empty. The task's number is shown in any case: the tab
    filters by it.
    """
    hidden = like.get("hiddenColumns") or {}
    wanted = {
        "filter": f"filter:{_NUMBER}",
        "operator": "regex",
        "type": "String",
        "value": numbers_pattern(task_ids),
    }
    return {
        "title": title,
        "type": "list",
        "target": "tasks",
        "columnsDisplayType": {**(like.get("columnsDisplayType") or {}), _NUMBER: "String"},
        "filters": {"conjunction": "and", "items": [wanted]},
        "hiddenColumns": {
            place: [column for column in hidden.get(place) or [] if column != _NUMBER]
            for place in ("explore", "labeling")
        },
        "ordering": [SCORE],
    }


def numbers_pattern(numbers: Iterable[int]) -> str:
    """Write a regular expression that matches these numbers and no others.

    Parameters
    ----------
    numbers : iterable of int
        Not negative; one at least.

    Returns
    -------
    str
        For Python and PostgreSQL; about 2 letters per number, since beginnings are shared.

    Examples
    --------
    >>> numbers_pattern([7]), numbers_pattern([12, 13, 14, 1, 20])
    ('^7$', '^(?:1[234]?|20)$')
    """
    tree: dict[str, Any] = {}
    for number in numbers:
        branch = tree
        for digit in str(number):
            branch = branch.setdefault(digit, {})
        branch[_END] = {}
    return f"^{_pattern(tree)}$"


def _pattern(tree: dict[str, Any]) -> str:
    digits_before: dict[str, list[str]] = {}
    for digit, branch in sorted(tree.items()):
        if digit != _END:
            digits_before.setdefault(_pattern(branch), []).append(digit)
    ways = [
        (digits[0] if len(digits) == 1 else f"[{''.join(digits)}]") + rest
        for rest, digits in digits_before.items()
    ]
    if not ways:
        return ""
    is_open = _END in tree
    is_single = len(ways) == 1 and (not is_open or "" in digits_before)
    body = ways[0] if is_single else f"(?:{'|'.join(ways)})"
    return f"{body}?" if is_open else body
