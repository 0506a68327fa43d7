"""One annotation, read on its own: a label, none, a skip, or something Earmark cannot read.

Label Studio takes results that fit no control of the label config, labels that it does not have,
and text in place of a list. What can be understood without doubt is accepted: one label as text
instead of a list of one, and known labels beside others that the config no longer has. Everything
else is unreadable, and the problem names what it is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ml_backend.label_studio.label_config import LabelConfig

Annotation = Mapping[str, Any]


@dataclass(frozen=True)
class Problem:
    """What of an annotation cannot be read; equal problems are counted together.

    ``name`` is that of a control or a label. The other kinds are several labels where one is asked
    for, and a form that no control of Label Studio writes.
    """

    kind: Literal["control", "label", "several", "form"]
    name: str = ""

    def in_words(self, *, several: bool = False) -> str:
        """Return it in words for one annotation, or for several.

        Examples
        --------
        >>> Problem("control", "label").in_words()
        "uses the control 'label'"
        """
        s = "" if several else "s"
        return {
            "control": f"use{s} the control '{self.name}'",
            "label": f"hold{s} '{self.name}', which is no label of this project",
            "several": f"hold{s} several labels, where this project asks for one",
            "form": f"hold{s} something that is no list of labels",
        }[self.kind]


@dataclass(frozen=True)
class Answer:
    """What one annotation says.

    Attributes
    ----------
    kind : {"labels", "skipped", "no_label", "unreadable"}
    labels : frozenset of str
        Of the kind "labels"; where a clip may have several, none of them is an answer, too.
    problems : frozenset of Problem
        Why it is unreadable, or what was left out of its labels.
    """

    kind: Literal["labels", "skipped", "no_label", "unreadable"]
    labels: frozenset[str] = frozenset()
    problems: frozenset[Problem] = frozenset()


def read_answer(annotation: Annotation, config: LabelConfig) -> Answer:
    """Read an annotation.

    Parameters
    ----------
    annotation : mapping
        As Label Studio gives it, with ``result`` and ``was_cancelled``.
    config : LabelConfig
        The question that was asked.

    Examples
    --------
    >>> config = LabelConfig(("siren", "other"), False, "sound", "audio", "choices", "audio")
    >>> read_answer({"result": [{"from_name": "sound", "value": {"choices": "siren"}}]}, config)
    Answer(kind='labels', labels=frozenset({'siren'}), problems=frozenset())
    >>> read_answer({"result": []}, config).kind
    'no_label'
    """
    if annotation.get("was_cancelled"):
        return Answer("skipped")
    said: set[str] = set()
    problems: set[Problem] = set()
    is_answered = False
    for entry in _entries(annotation):
        name = entry.get("from_name") if isinstance(entry, Mapping) else None
        if name == config.from_name:
            names = _names(entry, config)
            said.update(names or ())
            is_answered = is_answered or names is not None
            if names is None:
                problems.add(Problem("form"))
        elif isinstance(name, str) and name not in config.others and not _is_shown(entry):
            problems.add(Problem("control", name))
        elif name is None and not _is_relation(entry):
            problems.add(Problem("form"))
    known = frozenset(said & set(config.class_names))
    unknown = frozenset(Problem("label", name) for name in said - known)
    if config.multi_label and (known or (not unknown and (is_answered or not problems))):
        return Answer("labels", known, unknown)
    if not config.multi_label and len(known) == 1:
        return Answer("labels", known, unknown)
    if known:
        problems.add(Problem("several"))
    problems |= unknown
    return Answer("unreadable" if problems else "no_label", problems=frozenset(problems))


def is_blank(annotation: Annotation, config: LabelConfig) -> bool:
    """Check that nothing is lost with an annotation: whoever made it entered nothing.

    A skip may still hold the prediction that the annotator was shown.

    Examples
    --------
    >>> config = LabelConfig(("siren", "other"), False, "sound", "audio", "choices", "audio")
    >>> shown = {"from_name": "sound", "value": {"choices": ["siren"]}, "origin": "prediction"}
    >>> is_blank({"was_cancelled": True, "result": [shown]}, config)
    True
    >>> is_blank({"was_cancelled": False, "result": [shown]}, config)
    False
    """
    is_skip = bool(annotation.get("was_cancelled"))

    def holds_nothing(entry: object) -> bool:
        if not isinstance(entry, Mapping):
            return False
        if entry.get("from_name") == config.from_name and _names(entry, config) == []:
            return True
        return _is_shown(entry) or (is_skip and entry.get("origin") == "prediction")

    return all(holds_nothing(entry) for entry in _entries(annotation))


def _entries(annotation: Annotation) -> Iterable[Any]:
    result = annotation.get("result") or ()
    return result if isinstance(result, list | tuple) else (result,)


def _names(entry: Annotation, config: LabelConfig) -> list[str] | None:
    """Return the names that a result of the control holds; None where it has another form."""
    value = entry.get("value")
    names = value.get(config.control) if isinstance(value, Mapping) else None
    if isinstance(names, str):
        names = [names]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return names


def _is_shown(entry: Annotation) -> bool:
    """Check for a text that a prediction showed and Label Studio copied."""
    return entry.get("type") == "textarea" and entry.get("origin") == "prediction"


def _is_relation(entry: object) -> bool:
    return isinstance(entry, Mapping) and entry.get("type") == "relation"
