"""The nouns: what a clip is to Label Studio and to the backend.

A *recording* is a file as it came; a *clip* is the piece of it that is labelled; a *task* is
Label Studio's wrapper of one clip; a clip's *key* names its sound, whatever project it is in.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["labeled", "skipped", "tied", "no_label", "unreadable", "pool", "failed"]
STATES: dict[State, str] = {
    "labeled": "labeled",
    "skipped": "skipped",
    "tied": "tied",
    "no_label": "submitted without a label",
    "unreadable": "unreadable",
    "pool": "in the pool",
    "failed": "failed",
}
"""Every clip is in exactly one of these states, here with the words for people.

What people said of a clip comes first, whether its audio can be embedded or not; ``annotation.py``
tells which of the first five states several annotations make. A clip without annotations is in the
pool, embedded or not yet, or has failed: its audio cannot be embedded.
"""

MODEL_COLUMNS = ("earmark_class", "earmark_probability", "earmark_entropy", "earmark_version")
"""Fields of task data that Earmark writes what the model says of a clip into; they are no
metadata."""
_CONTENT_HASH = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Task:
    """One clip as a project of Label Studio holds it.

    ``recording_id`` is None where the project does not say which recording a clip is from.
    ``data`` is what else the task says of its clip (``told``), None where that was not read.
    """

    task_id: int
    clip_key: str
    audio: str
    recording_id: str | None = None
    data: Mapping[str, Any] | None = field(default=None, hash=False)


@dataclass(frozen=True)
class TaskLabels:
    """What people said of one task, several annotators taken together.

    ``labels`` is None where their answers cannot be used; ``state`` then says why, one of
    ``STATES``. ``n_annotators`` counts everybody with an annotation, a skip included.
    """

    task_id: int
    labels: frozenset[str] | None
    state: State
    n_annotators: int

    def n_wanted(self, of_project: int) -> int:
        """Tell how many annotators are asked, where the project wants this many of each clip.

        Where two or more do not agree, one more is.

        Examples
        --------
        >>> TaskLabels(7, None, "tied", 2).n_wanted(1)
        3
        >>> TaskLabels(7, frozenset({"siren"}), "labeled", 2).n_wanted(2)
        2
        """
        return max(of_project, 2) + 1 if self.state == "tied" else of_project


def content_hash(audio: bytes) -> str:
    """Name a sound by what it contains: 32 hexadecimal digits of SHA-256.

    Examples
    --------
    >>> content_hash(b"")
    'e3b0c44298fc1c149afbf4c8996fb924'
    """
    return hashlib.sha256(audio).hexdigest()[:32]


def clip_key(data: Mapping[str, Any], audio: str) -> str:
    """Name the sound of a task: by content where the importer wrote it, else by address.

    Examples
    --------
    >>> clip_key({"content_hash": "e3b0c44298fc1c149afbf4c8996fb924"}, "/data/a.wav")
    'e3b0c44298fc1c149afbf4c8996fb924'
    >>> clip_key({}, "/data/a.wav").startswith("address-")
    True
    """
    written = data.get("content_hash")
    if isinstance(written, str) and _CONTENT_HASH.fullmatch(written):
        return written
    return f"address-{content_hash(audio.encode())}"


def told(data: Mapping[str, Any], audio_field: str) -> dict[str, Any]:
    """Give what a task says of its clip: without its sound, ``meta`` and ``MODEL_COLUMNS``.

    ``meta`` is the same again, as annotators see it; the others are what the model says.

    Examples
    --------
    >>> told({"audio": "/a.wav", "salience": 1, "meta": {"salience": 1}}, "audio")
    {'salience': 1}
    """
    left_out = {audio_field, "meta", *MODEL_COLUMNS}
    return {name: value for name, value in data.items() if name not in left_out}
