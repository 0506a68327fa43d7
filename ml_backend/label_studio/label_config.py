"""What a project's label config asks for, and the label configs Earmark offers.

Understood is one question per clip: the first ``<Choices>`` that points to the ``<Audio>``, else
the first ``<Labels>`` that does (its regions count as "this class is in the clip"). Choices win
over Labels because a clip-level prediction can be shown in them. Further controls are left to the
annotators.

Label Studio writes into an annotation the ``alias`` of a choice where there is one, else its
``value``; the class names here are those same words.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree.ElementTree import Element, ParseError, fromstring
from xml.sax.saxutils import quoteattr

from ml_backend.errors import LabelConfigError
from ml_backend.label_studio.hotkeys import assign_keys
from ml_backend.label_studio.labeling_page import JUDGMENT, NONE, write_page

_MULTI_LABEL_BY_CHOICE = {"single": False, "single-radio": False, "multiple": True}
_FIELD = re.compile(r"\$(\w+)")


@dataclass(frozen=True)
class LabelConfig:
    """One question per clip, as an annotation answers it.

    Attributes
    ----------
    class_names : tuple of str
        The words an annotation holds, in the config's order.
    multi_label : bool
        Whether a clip may have several, or none.
    from_name, to_name : str
        Names of the control and of what it points to; every result repeats them.
    control : {"choices", "labels"}
        Whether people choose for the clip, or mark regions in it.
    audio_field : str
        The task's field that holds the address of the sound.
    judgment_name : str or None
        Name of the read-only ``<TextArea>`` in which a prediction tells its figures: Label Studio
        shows no other part of a clip-level prediction but the choice and the score.
    hotkeys : tuple of str
        One per class: the key that chooses it in Label Studio, or "" where it has none.
    none_name : str or None
        Name of the ``<Choices>`` by which an annotation says "none of them" expressly; only where
        a clip may have several labels.
    is_required : bool
        Whether the labeling page refuses an annotation without a label.
    others : frozenset of str
        Names of all further controls: they ask annotators what Earmark does not learn.
    """

    class_names: tuple[str, ...]
    multi_label: bool
    from_name: str
    to_name: str
    control: Literal["choices", "labels"]
    audio_field: str
    judgment_name: str | None = None
    hotkeys: tuple[str, ...] = ()
    none_name: str | None = None
    is_required: bool = False
    others: frozenset[str] = frozenset()


def parse_label_config(xml: str) -> LabelConfig:
    """Read the question that a label config asks.

    Parameters
    ----------
    xml : str
        The project's label config.

    Returns
    -------
    LabelConfig

    Raises
    ------
    LabelConfigError
        If it is no XML, has no sound or nothing to choose, or asks in a way that cannot be learned.

    Examples
    --------
    >>> config = parse_label_config(
    ...     '<View><Audio name="audio" value="$audio"/><Choices name="sound" toName="audio">'
    ...     '<Choice value="siren"/><Choice value="Anything else" alias="other"/>'
    ...     '</Choices></View>'
    ... )
    >>> config.class_names, config.multi_label, config.audio_field
    (('siren', 'other'), False, 'audio')
    """
    tree = _parse_tree(xml)
    tags = list(tree.iter())
    sounds = {tag.get("name"): tag for tag in tags if _kind(tag) == "audio"}
    if not sounds:
        raise LabelConfigError(
            'The label config has no <Audio>; add <Audio name="audio" value="$audio"/>.'
        )
    control = _control(tags, set(sounds))
    to_name = control.get("toName", "").split(",")[0].strip()
    sound = sounds.get(to_name, next(iter(sounds.values())))
    hotkeys = _hotkeys(tree, control)
    class_names = tuple(hotkeys)
    multi_label = _is_multi_label(control)
    may_be_none = multi_label and control.get("name") != NONE
    if len(class_names) == 1 and not multi_label:
        raise LabelConfigError(
            f"{_named(control)} offers only {class_names[0]!r}; there is nothing to learn from one "
            'choice. Add a second, for example <Choice value="other"/>.'
        )
    return LabelConfig(
        class_names=class_names,
        multi_label=multi_label,
        from_name=control.get("name", ""),
        to_name=to_name,
        control="choices" if _kind(control) == "choices" else "labels",
        audio_field=_audio_field(sound),
        judgment_name=_beside(tags, "textarea", JUDGMENT, to_name),
        hotkeys=tuple(hotkeys.values()),
        none_name=_beside(tags, "choices", NONE, to_name) if may_be_none else None,
        is_required=control.get("required") == "true",
        others=frozenset(
            tag.get("name", "") for tag in tags if tag.get("toName") and tag is not control
        ),
    )


def _parse_tree(xml: str) -> Element:
    # Without a document type no entity can be declared, so none can grow or read a file.
    if "<!DOCTYPE" in xml.upper():
        raise LabelConfigError("The label config declares a <!DOCTYPE>; remove it.")
    try:
        return fromstring(xml)
    except ParseError as error:
        raise LabelConfigError(f"The label config is no well-formed XML: {error}.") from None


def _kind(tag: Element) -> str:
    # Label Studio itself does not care about upper and lower case.
    return str(tag.tag).lower()


def _named(tag: Element) -> str:
    return f"<{tag.tag} name={quoteattr(tag.get('name', ''))}>"


def _control(tags: Sequence[Element], sound_names: set[str | None]) -> Element:
    controls = [
        tag
        for kind in ("choices", "labels")
        for tag in tags
        if _kind(tag) == kind and tag.get("name") and tag.get("perRegion") != "true"
    ]
    if not controls:
        raise LabelConfigError(
            "The label config has nothing to choose for a clip; add a <Choices> (or <Labels>) with "
            'a name and toName="audio". Choices per region are not understood.'
        )
    of_sound = [tag for tag in controls if sound_names & set(_to_names(tag))]
    return (of_sound or controls)[0]


def _to_names(control: Element) -> list[str]:
    return [name.strip() for name in control.get("toName", "").split(",")]


def _is_multi_label(control: Element) -> bool:
    if _kind(control) == "labels":
        return True
    how = control.get("choice", "single")
    if how not in _MULTI_LABEL_BY_CHOICE:
        raise LabelConfigError(
            f"{_named(control)} has choice={how!r}; Earmark understands "
            f"{', '.join(_MULTI_LABEL_BY_CHOICE)}."
        )
    return _MULTI_LABEL_BY_CHOICE[how]


def _hotkeys(tree: Element, control: Element) -> dict[str, str]:
    """Return the key of each class, in the config's order."""
    if control.get("value", "").startswith("$"):
        raise LabelConfigError(
            f"{_named(control)} takes its choices from the task ({control.get('value')}); Earmark "
            "learns classes that are the same for every clip. Write them into the label config."
        )
    if control.get("allowNested") == "true":
        raise LabelConfigError(
            f"{_named(control)} has nested choices; Earmark learns a flat list. "
            "Put every choice on one level."
        )
    keys = assign_keys(tree)
    hotkeys: dict[str, str] = {}
    for tag, name in _named_choices(control):
        hotkeys.setdefault(name, keys[tag])  # a name twice is one class
    if not hotkeys:
        inner = "Choice" if _kind(control) == "choices" else "Label"
        raise LabelConfigError(
            f'{_named(control)} offers nothing to choose; add <{inner} value="…"/> to it.'
        )
    return hotkeys


def _named_choices(control: Element) -> Iterator[tuple[Element, str]]:
    inner = "choice" if _kind(control) == "choices" else "label"
    for tag in _visible(control):
        if _kind(tag) == inner:
            name = tag.get("alias") or tag.get("value")
            if not name:
                raise LabelConfigError(f"A <{tag.tag}> in {_named(control)} has no value; add one.")
            yield tag, name


def _visible(tag: Element) -> Iterator[Element]:
    """Iterate over a tag and all in it, but for what is nameless and hidden: it only has keys."""
    is_nameless = not (tag.get("alias") or tag.get("value") or tag.get("name"))
    if is_nameless and tag.get("style", "").replace(" ", "").startswith("display:none"):
        return
    yield tag
    for inner in tag:
        yield from _visible(inner)


def _audio_field(sound: Element) -> str:
    field = _FIELD.fullmatch(sound.get("value", ""))
    if field is None:
        raise LabelConfigError(
            f"{_named(sound)} has value={sound.get('value')!r}; wanted the name of a task's field "
            'with a $ before it, as in value="$audio".'
        )
    return field[1]


def _beside(tags: Sequence[Element], kind: str, name: str, to_name: str) -> str | None:
    """Return the name of a tag of Earmark's own beside the question, where it is there."""
    is_there = any(
        _kind(tag) == kind and tag.get("name") == name and to_name in _to_names(tag) for tag in tags
    )
    return name if is_there else None


def label_config_xml(class_names: Sequence[str], *, multi_label: bool) -> str:
    """Write the label config of a labeling page.

    From top to bottom: the clip's name, its spectrogram under the player, the choices, what the
    classifier makes of it, the metadata; the fields are those of an imported task (``clip``,
    ``spectrogram``, ``audio``, ``meta``). The classes get the keys of ``CLASS_KEYS``, as many as
    there are. The page asks for a label, or, where a clip may have several, for "none of them".

    Parameters
    ----------
    class_names : sequence of str
    multi_label : bool
        Whether a clip may have several of them, or none.

    Returns
    -------
    str
        XML that ``parse_label_config`` reads back to the same classes.

    Raises
    ------
    LabelConfigError
        If there are too few classes, or an empty or repeated name.

    Examples
    --------
    >>> xml = label_config_xml(["siren", "other"], multi_label=False)
    >>> parse_label_config(xml).class_names
    ('siren', 'other')
    """
    names = [" ".join(name.split()) for name in class_names]
    least = 1 if multi_label else 2
    if len(names) < least or "" in names or len(set(names)) < len(names):
        raise LabelConfigError(
            f"The labels are {', '.join(map(repr, class_names)) or 'none'}; "
            f"wanted at least {least}, each with a name, none twice."
        )
    return write_page(names, multi_label=multi_label)
