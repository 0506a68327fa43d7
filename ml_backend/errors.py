"""The tree of errors, by what a person has to correct.

::

    EarmarkError
    ├── SettingsError          a setting is missing or makes no sense
    ├── AudioError             a recording cannot be read, or is no clip
    ├── SourceError            a folder or table to import cannot be used
    ├── LabelConfigError       a label config asks for something Earmark cannot learn
    ├── WeightsError           an embedder's weights are missing or damaged
    ├── StoreError             Earmark's database cannot be opened
    ├── RequestError           a client sent something unusable
    │   └── ExpressionError               a filter cannot be read, or does not fit the columns
    ├── StudioError            the embedded Label Studio did not start
    └── LabelStudioError       Label Studio refused or failed
        ├── LabelStudioUnreachableError   it does not answer, or not in time
        ├── LabelStudioAuthError          the token is wrong or may not do this
        └── LabelStudioNotFoundError      the project, task or file does not exist

A message names the thing, what was expected, what was found, and what to do.
"""


class EarmarkError(Exception):
    """Any failure that Earmark can explain.

    ``plain`` is the message for people who do not run Earmark, without addresses and settings.
    """

    def __init__(self, message: str = "", *, plain: str | None = None) -> None:
        super().__init__(message)
        self.plain = plain or message


class SettingsError(EarmarkError):
    """A setting is missing or makes no sense."""


class AudioError(EarmarkError):
    """A recording cannot be read, or is no clip."""


class SourceError(EarmarkError):
    """A folder or table to import cannot be used."""


class LabelConfigError(EarmarkError):
    """A label config asks for something Earmark cannot learn."""


class WeightsError(EarmarkError):
    """An embedder's weights are missing or damaged."""


class StoreError(EarmarkError):
    """Earmark's database cannot be opened."""


class RequestError(EarmarkError):
    """A client sent something unusable."""


class ExpressionError(RequestError):
    """A filter cannot be read, or does not fit the columns."""


class StudioError(EarmarkError):
    """The embedded Label Studio did not start."""


class LabelStudioError(EarmarkError):
    """Label Studio refused or failed."""


class LabelStudioUnreachableError(LabelStudioError):
    """Label Studio does not answer, or not in time."""


class LabelStudioAuthError(LabelStudioError):
    """The token is wrong or may not do this."""


class LabelStudioNotFoundError(LabelStudioError):
    """The project, task or file does not exist."""
