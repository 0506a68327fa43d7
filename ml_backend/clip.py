"""The basic types: a clip as Label Studio and the backend represent it.

A *recording* is an original audio file; a *clip* is the piece of it that is labeled; a *task* is
Label Studio's wrapper of one clip; a clip's *key* identifies its audio in every project.
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
"""The states of a clip with their display names. Every clip has exactly one.

Annotations determine the state first, whether the audio can be embedded or not; ``annotation.py``
maps several annotations to one of the first five states. A clip without annotations is in the
pool, embedded or not yet, or has failed: its audio cannot be embedded.
"""

MODEL_COLUMNS = ("earmark_class", "earmark_probability", "earmark_entropy", "earmark_version")
"""Fields of task data that hold Earmark's predictions; they are no metadata."""
_CONTENT_HASH = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Task:
    """One clip in a project of Label Studio.

    ``recording_id`` is None if the project does not name the clip's recording. ``data`` is the
    task's metadata (``told``), None if that was not read.
    """

    task_id: int
    clip_key: str
    audio: str
    recording_id: str | None = None
    data: Mapping[str, Any] | None = field(default=None, hash=False)


@dataclass(frozen=True)
class TaskLabels:
    """The labels of one task, combined over annotators.

    ``labels`` is None if the answers cannot be used; ``state``, one of ``STATES``, is then the
    reason. ``n_annotators`` counts everybody with an annotation, a skip included.
    """

    task_id: int
    labels: frozenset[str] | None
    state: State
    n_annotators: int

    def n_wanted(self, of_project: int) -> int:
        """Return the number of annotators wanted, given the project's number per clip.

        If two or more do not agree, it is one more.

        Examples
        --------
        >>> TaskLabels(7, None, "tied", 2).n_wanted(1)
        3
        >>> TaskLabels(7, frozenset({"siren"}), "labeled", 2).n_wanted(2)
        2
        """
        return max(of_project, 2) + 1 if self.state == "tied" else of_project


def content_hash(audio: bytes) -> str:
    """Return the first 32 hexadecimal digits of the SHA-256 of an audio file.

    Examples
    --------
    >>> content_hash(b"")
    'e3b0c44298fc1c149afbf4c8996fb924'
    """
    return hashlib.sha256(audio).hexdigest()[:32]


def clip_key(data: Mapping[str, Any], audio: str) -> str:
    """Return the key of a task's audio: the importer's content hash, else one of the address.

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
    """Return a task's metadata: its data without the audio, ``meta`` and ``MODEL_COLUMNS``.

    ``meta`` repeats the metadata for annotators; ``MODEL_COLUMNS`` hold predictions.

    Examples
    --------
    >>> told({"audio": "/a.wav", "salience": 1, "meta": {"salience": 1}}, "audio")
    {'salience': 1}
    """
    left_out = {audio_field, "meta", *MODEL_COLUMNS}
    return {name: value for name, value in data.items() if name not in left_out}
