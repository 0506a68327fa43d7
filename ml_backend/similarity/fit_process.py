"""Fit one similarity map, in a process of its own that yields to everything else.

Run as ``python -m ml_backend.similarity.fit_process FOLDER LOCALITY SEED``. The folder holds
the embeddings and, where there was a map before, its positions; the new positions are written
beside them.
"""

import os
import sys
from pathlib import Path

import numpy as np

from ml_backend.similarity.map_layout import LOCALITIES, fit_map

EMBEDDINGS = "embeddings.npy"
BEFORE = "before.npy"
POSITIONS = "positions.npy"
PROGRESS = "progress"
_NICENESS = 15


def make_map(folder: Path, locality: int, seed: int) -> None:
    """Fit the map of a folder."""

    def tell(share: float) -> None:
        written = folder / f"{PROGRESS}.new"
        written.write_text(f"{share:.3f}")
        written.replace(folder / PROGRESS)

    before = folder / BEFORE
    xy = fit_map(
        np.load(folder / EMBEDDINGS),
        LOCALITIES[locality],
        tell,
        seed=seed,
        lies_like=np.load(before) if before.exists() else None,
    )
    np.save(folder / POSITIONS, xy)


def main() -> None:
    """Fit a map with the least priority and on one thread."""
    from threadpoolctl import threadpool_limits

    os.nice(_NICENESS)
    threadpool_limits(limits=1)
    make_map(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))


if __name__ == "__main__":
    main()
