"""The names of AudioSet's 527 classes, in the order of the mn networks' logits.

They are AudioSet's own file (CC BY 4.0) and not part of this project: it lies beside the weights,
or is downloaded once from AudioSet's address and kept with them.
"""

import csv
from pathlib import Path

from ml_backend.embedders.weights import download
from ml_backend.errors import WeightsError

CLASS_LIST = "class_labels_indices.csv"
CLASS_LIST_URL = f"https://storage.googleapis.com/us_audioset/youtube_corpus/v1/csv/{CLASS_LIST}"
N_CLASSES = 527


def read_audioset_names(
    weights: Path | None, cache_dir: Path, url: str = CLASS_LIST_URL
) -> tuple[str, ...]:
    """Read AudioSet's class names, downloading them where they lie neither here nor there.

    Parameters
    ----------
    weights : Path, optional
        The folder of the weights, or a file in it.
    cache_dir : Path
        Where downloads are kept.
    url : str
        Where the list is had from.

    Raises
    ------
    WeightsError
        If it cannot be fetched or kept, or is not such a list.
    """
    beside = [] if weights is None else [weights if weights.is_dir() else weights.parent]
    for folder in (*beside, cache_dir):
        if (folder / CLASS_LIST).is_file():
            return _read(folder / CLASS_LIST)
    path = cache_dir / CLASS_LIST
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        download(url, path, None)
    except OSError as error:
        raise WeightsError(
            f"{cache_dir}: AudioSet's class names cannot be kept there ({error}). "
            "Let EARMARK_DATA name a folder that can be written."
        ) from error
    return _read(path)


def _read(path: Path) -> tuple[str, ...]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            names = tuple(row["display_name"] for row in csv.DictReader(file))
    except (KeyError, UnicodeDecodeError, csv.Error, OSError) as error:
        raise WeightsError(f"{path}: not AudioSet's class list ({error}); delete it.") from error
    if len(set(names)) != N_CLASSES:
        raise WeightsError(
            f"{path}: {len(set(names))} class names, wanted {N_CLASSES}; delete it to have it "
            "fetched again."
        )
    return names
