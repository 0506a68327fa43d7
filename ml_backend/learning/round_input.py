"""What a round learns from, and the name of the version that it leads to."""

from dataclasses import dataclass

from ml_backend.learning.classifier import Classifier

_SIGN = "+"


@dataclass(frozen=True)
class Held:
    """A version that is held, and its classifier."""

    model_version: str
    classifier: Classifier

    def name(self, digest: str) -> str:
        """Name the order that it makes of a state."""
        return f"{self.model_version}{_SIGN}{digest}"


def learned_version(model_version: str) -> str:
    """Give the version whose classifier a version has: another one's while that is held.

    Examples
    --------
    >>> learned_version("earmark-40-1a2b+3c4d"), learned_version("earmark-40-1a2b")
    ('earmark-40-1a2b', 'earmark-40-1a2b')
    """
    return model_version.partition(_SIGN)[0]
