"""Embedders: waveforms in, one embedding per clip out.

``load_embedder`` chooses one by name; all of them keep the ``Embedder`` protocol. Importing this
package loads neither torch nor librosa.
"""

from pathlib import Path

from ml_backend.embedders.melstats import MelStats
from ml_backend.embedders.protocol import MIN_CLIP_S, Embedder, check_waveform
from ml_backend.embedders.runtime import load_mn, mn_id
from ml_backend.embedders.weights import FILE_NAMES, find_weights
from ml_backend.errors import SettingsError, WeightsError

EMBEDDER_NAMES = (*FILE_NAMES, "melstats")

__all__ = [
    "EMBEDDER_NAMES",
    "MIN_CLIP_S",
    "Embedder",
    "check_waveform",
    "find_embedder_id",
    "load_embedder",
]


def load_embedder(name: str, weights: Path | None, cache_dir: Path) -> Embedder:
    """Load the embedder called ``name``, or the one that needs no weights, with a warning.

    Parameters
    ----------
    name : str
        One of ``EMBEDDER_NAMES``.
    weights : Path, optional
        File of weights, or the folder that holds the official one; None downloads it once.
    cache_dir : Path
        Folder for downloaded weights and exported networks; made where it is missing.

    Returns
    -------
    Embedder
        What was asked for; where its weights cannot be had, ``melstats`` whose ``warning`` says
        why and what to do.

    Raises
    ------
    SettingsError
        If there is no embedder of that name.

    Examples
    --------
    >>> load_embedder("melstats", None, Path(".earmark")).embedder_id
    'melstats-2'
    """
    if name not in EMBEDDER_NAMES:
        raise SettingsError(
            f"EARMARK_EMBEDDER is {name!r}; choose one of {', '.join(EMBEDDER_NAMES)}."
        )
    if name == "melstats":
        return MelStats()
    try:
        return load_mn(name, weights, cache_dir)
    except WeightsError as error:
        return MelStats(warning=_warning(name, error))


def find_embedder_id(name: str, weights: Path | None, cache_dir: Path) -> tuple[str, str | None]:
    """Return which embedder ``load_embedder`` would load, and its warning, without loading it.

    Weights are found, and downloaded where they must be; that they fit is not known before they
    are loaded.

    Examples
    --------
    >>> find_embedder_id("melstats", None, Path(".earmark")) == (MelStats.embedder_id, None)
    True
    """
    if name == "melstats":
        return MelStats.embedder_id, None
    try:
        return mn_id(name, find_weights(name, weights, cache_dir)), None
    except WeightsError as error:
        return MelStats.embedder_id, _warning(name, error)


def _warning(name: str, error: WeightsError) -> str:
    return (
        f"{name} cannot be used, so clips are embedded by melstats, which tells sounds apart less "
        f"well. {error}"
    )
