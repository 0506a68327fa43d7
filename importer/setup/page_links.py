"""Links to the backend's pages, in the words that a Label Studio project shows to people.

They stand in a line of their own, which is found again and kept up to date; everything else in
the description and in the instructions is people's own.
"""

import re
from urllib.parse import urlencode

_IN_TEXT = re.compile(r"^Earmark: (?:label \S+ · )?map \S+ · progress \S+$", re.MULTILINE)
_IN_HTML = re.compile(
    r'<p>Earmark: <a href="[^"]*"[^>]*>(?:label and go on|similarity map)</a>.*?</p>', re.DOTALL
)


def map_path(project_id: int) -> str:
    """Return the path of a project's similarity map.

    Examples
    --------
    >>> map_path(7)
    '/projects/7/map'
    """
    return f"/projects/{project_id}/map"


def label_path(project_id: int) -> str:
    """Return the path of the page where clips are labeled one after the other.

    Examples
    --------
    >>> label_path(7)
    '/projects/7/label'
    """
    return f"/projects/{project_id}/label"


def arrival(pages_url: str, ticket: str, path: str) -> str:
    """Return the address that signs in with a ticket and leads on to a page.

    Examples
    --------
    >>> arrival("http://127.0.0.1:9090", "abc.def", "/projects/7/map")
    'http://127.0.0.1:9090/arrive?ticket=abc.def&next=%2Fprojects%2F7%2Fmap'
    """
    return f"{pages_url}/arrive?{urlencode({'ticket': ticket, 'next': path})}"


def describe(description: str, pages_url: str, project_id: int) -> str:
    """Put the links into a project's description, a plain text.

    Examples
    --------
    >>> text = describe("Main street, 2024.", "//ear", 7)
    >>> print(text)
    Main street, 2024.
    Earmark: label //ear/projects/7/label · map //ear/projects/7/map · progress //ear/projects/7
    >>> describe(text, "//ear", 7) == text
    True
    """
    paths = (label_path(project_id), map_path(project_id), f"/projects/{project_id}")
    label, similarity_map, progress = (f"{pages_url}{path}" for path in paths)
    line = f"Earmark: label {label} · map {similarity_map} · progress {progress}"
    return _put(_IN_TEXT, line, description)


def instruct(instructions: str, pages_url: str, project_id: int) -> str:
    """Put the links into a project's instructions, which are HTML.

    Examples
    --------
    >>> print(instruct("Listen.", "http://127.0.0.1:9090", 7)[:52])
    Listen.
    <p>Earmark: <a href="http://127.0.0.1:9090/p
    """
    progress = f"{pages_url}/projects/{project_id}"
    # Without target="_blank", which Label Studio takes out: the line would differ each time.
    line = (
        f'<p>Earmark: <a href="{pages_url}{label_path(project_id)}">label and go on</a> · '
        f'<a href="{pages_url}{map_path(project_id)}">similarity map</a> · '
        f'<a href="{progress}">progress</a></p>'
    )
    return _put(_IN_HTML, line, instructions)


def _put(known: re.Pattern[str], line: str, text: str) -> str:
    """Replace the line where it stands, or add it at the end."""
    if known.search(text):
        return known.sub(lambda _: line, text)
    return f"{text.rstrip()}\n{line}" if text.strip() else line
