"""Small pictures of clips: a spectrogram without its axes, as lists and hover cards show it."""

import io

import numpy as np
from PIL import Image

from ml_backend.audio.spectrogram import BOTTOM, LEFT, N_COLORS, RIGHT, TOP, palette

WIDTH, HEIGHT = 160, 60
MAX_PIXELS = 4_000_000
"""Larger pictures are not ours, and are not opened."""


def shrink(spectrogram: bytes) -> bytes | None:
    """Shrink a picture of ``render_spectrogram`` to what is inside its axes.

    Pixels are averaged as levels, not as colors.

    Parameters
    ----------
    spectrogram : bytes
        A PNG.

    Returns
    -------
    bytes or None
        A PNG of ``WIDTH`` by ``HEIGHT`` pixels; None where the picture is from somebody else.

    Examples
    --------
    >>> from ml_backend.audio.spectrogram import render_spectrogram
    >>> picture = shrink(render_spectrogram(np.sin(np.arange(8000) / 3), 8000))
    >>> Image.open(io.BytesIO(picture)).size
    (160, 60)
    >>> shrink(b"no picture") is None
    True
    """
    try:
        image = Image.open(io.BytesIO(spectrogram), formats=["PNG"])
        if image.width * image.height > MAX_PIXELS or not _is_ours(image):
            return None
        levels = np.asarray(image)[TOP : image.height - BOTTOM, LEFT : image.width - RIGHT]
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None  # what Pillow raises of a damaged picture
    if not levels.size or levels.max() >= N_COLORS:
        return None
    small = Image.fromarray(levels).resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    small.putpalette(palette())
    file = io.BytesIO()
    small.save(file, "PNG", optimize=True)
    return file.getvalue()


def _is_ours(image: Image.Image) -> bool:
    colors = image.getpalette() if image.mode == "P" else None
    return colors is not None and bytes(colors).startswith(palette()[: 3 * N_COLORS])
