"""The prior: AudioSet logits of the classes whose names match a project's classes.

The mn networks were trained on AudioSet's 527 classes, and their own head returns logits of these
for every clip. If the name of a class matches the name of an AudioSet class, exactly or nearly,
those logits are a *prior*: they find the first rare positives among thousands of clips, and the
classifier uses them beside the embedding.

Names are compared by these rules, from strict to lenient; the first rule with a match decides:

1. the user's mapping (``EARMARK_NAMES``);
2. the table ``_SYNONYMS``;
3. the name, or a part of it between commas, ignoring case, hyphens and spaces
   ("gun_shot" is in "Gunshot, gunfire");
4. a catch-all ("other", "no siren", "background") is the rest and matches nothing;
5. the same words in any order, without endings ("crying_baby" is "Baby cry");
6. all names whose words are among those of the class ("dog_bark" is "Dog" and "Bark").

With several names, the prior is the largest of their logits.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ml_backend.embedders import Embedder
from ml_backend.embedders.audioset import read_audioset_names
from ml_backend.errors import SettingsError, WeightsError
from ml_backend.settings.checks import parse_names

_SYNONYMS = {
    "airplane": ("Fixed-wing aircraft, airplane",),
    "children playing": ("Children playing", "Children shouting"),
    "clock tick": ("Tick", "Tick-tock"),
    "engine idling": ("Idling",),
    "gunshot": ("Gunshot, gunfire",),
    "plane": ("Fixed-wing aircraft, airplane",),
    "talking": ("Speech",),
    "voice": ("Speech",),
}
_REST = {
    "anything", "absent", "background", "else", "everything", "negative", "neither", "no", "non",
    "none", "not", "nothing", "other", "others", "rest", "unknown", "without",
}  # fmt: skip
_ENDINGS = ("ing", "er", "ed")
_BLOCK = 16_384
_Fits = Callable[[str], bool]


@runtime_checkable
class Tags(Protocol):
    """An embedder whose network also returns logits of AudioSet's classes."""

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return AudioSet logits, shape=(n_clips, 527)."""
        ...


@dataclass(frozen=True)
class Prior:
    """AudioSet logits by the classes of a project.

    Attributes
    ----------
    names : tuple of tuple of str
        The AudioSet names that match each class; may be empty.
    columns : tuple of tuple of int
        Their indices among the 527 logits.
    tag : callable
        Returns those logits for embeddings.
    """

    names: tuple[tuple[str, ...], ...]
    columns: tuple[tuple[int, ...], ...]
    tag: Callable[[NDArray[np.float32]], NDArray[np.float32]]

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the prior logits of clips.

        Parameters
        ----------
        embeddings : ndarray, shape=(n_clips, embedding_dim)
            The embedder's output.

        Returns
        -------
        ndarray of float32, shape=(n_clips, n_classes)
            The largest logit of the class's names; NaN for a class without any.
        """
        found = np.full((len(embeddings), len(self.columns)), np.nan, dtype=np.float32)
        for start in range(0, len(embeddings), _BLOCK):
            block = slice(start, start + _BLOCK)
            logits = self.tag(embeddings[block])  # (n_block, 527)
            for number, columns in enumerate(self.columns):
                if columns:
                    found[block, number] = logits[:, columns].max(axis=1)
        return found


@dataclass(frozen=True)
class Tagger:
    """AudioSet's names, the user's mapping to them, and the network's logits."""

    audioset_names: tuple[str, ...]
    tag: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    said: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def prior(self, class_names: Sequence[str]) -> Prior | None:
        """Return the prior of a project's classes; None if no name matches.

        Raises
        ------
        SettingsError
            If the user's mapping contains a name that is no AudioSet class.
        """
        names = match_names(class_names, self.audioset_names, self.said)
        if not any(names):
            return None
        index = {name: number for number, name in enumerate(self.audioset_names)}
        columns = tuple(tuple(index[name] for name in of_class) for of_class in names)
        return Prior(names, columns, self.tag)


def find_tagger(
    embedder: Embedder, weights: Path | None, cache_dir: Path, names: str = ""
) -> tuple[Tagger | None, str | None]:
    """Return the tagger of an embedder, or None and the reason.

    Parameters
    ----------
    embedder : Embedder
        Only the mn networks have AudioSet logits.
    weights, cache_dir
        Paths that are searched for AudioSet's class names, as for the weights.
    names : str
        The setting ``EARMARK_NAMES``.

    Raises
    ------
    SettingsError
        If the setting cannot be read.
    """
    said = parse_names(names)
    if not isinstance(embedder, Tags):
        return None, f"{embedder.embedder_id} knows no class names: clips are chosen without them"
    try:
        audioset_names = read_audioset_names(weights, cache_dir)
    except WeightsError as error:
        return None, f"Clips are chosen without knowing what class names mean. {error}"
    tagger = Tagger(audioset_names, embedder.logits, said)
    tagger.prior(tuple(said))  # raises for a wrong name at the start, not during a round
    return tagger, None


def match_names(
    class_names: Sequence[str],
    audioset_names: Sequence[str],
    said: Mapping[str, tuple[str, ...]] | None = None,
) -> tuple[tuple[str, ...], ...]:
    """Match each class with AudioSet names.

    Parameters
    ----------
    class_names : sequence of str
        Classes of the label config.
    audioset_names : sequence of str
    said : mapping, optional
        The user's mapping: AudioSet names by class.

    Returns
    -------
    tuple of tuple of str
        The AudioSet names of each class, in AudioSet's order; empty if none matches.

    Raises
    ------
    SettingsError
        If the user's mapping contains a name that is no AudioSet class.

    Examples
    --------
    >>> match_names(["gun_shot", "other"], ["Siren", "Gunshot, gunfire"])
    (('Gunshot, gunfire',), ())
    """
    said_of = {_joined(name): names for name, names in (said or {}).items()}
    return tuple(_match(name, audioset_names, said_of.get(_joined(name))) for name in class_names)


def _match(
    class_name: str, audioset_names: Sequence[str], said: tuple[str, ...] | None
) -> tuple[str, ...]:
    if said is not None:
        return _named(class_name, said, audioset_names)
    joined, words, stems = _joined(class_name), _words(class_name), _stems(class_name)
    if not joined:
        return ()
    synonyms = next((names for key, names in _SYNONYMS.items() if _joined(key) == joined), ())
    strict: list[_Fits] = [
        lambda name: name in synonyms,
        lambda name: any(_joined(part) == joined for part in _parts(name)),
    ]
    lenient: list[_Fits] = [
        lambda name: any(_stems(part) == stems for part in _parts(name)),
        lambda name: any(_stems(part) <= stems for part in _parts(name)),
    ]
    is_rest = words[0] in _REST
    for fits in strict if is_rest else strict + lenient:
        found = tuple(name for name in audioset_names if fits(name))
        if found:
            return found
    return ()


def _named(
    class_name: str, said: tuple[str, ...], audioset_names: Sequence[str]
) -> tuple[str, ...]:
    wanted = {_joined(name) for name in said}
    known = {_joined(part) for name in audioset_names for part in _parts(name)}
    for name in said:
        if _joined(name) not in known:
            raise SettingsError(
                f"EARMARK_NAMES says that {class_name!r} is {name!r}, which is no AudioSet class."
            )
    return tuple(
        name for name in audioset_names if wanted & {_joined(part) for part in _parts(name)}
    )


def _parts(name: str) -> list[str]:
    """Return the whole name, and its parts between commas without text in parentheses."""
    bare = re.sub(r"\(.*?\)", "", name)
    return [part for part in (name, *bare.split(",")) if part.strip()]


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.findall(r"\w+", spaced.replace("_", " ").casefold())


def _joined(name: str) -> str:
    return "".join(_words(name))


def _stems(name: str) -> frozenset[str]:
    return frozenset(_stem(word) for word in _words(name))


def _stem(word: str) -> str:
    """Return a word without its ending: "barks" and "barking" become "bark"."""
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith("s") and not word.endswith("ss") and len(word) > 3:
        word = word[:-1]
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) >= len(ending) + 3:
            word = word[: -len(ending)]
            break
    word = word.removesuffix("e")
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word
