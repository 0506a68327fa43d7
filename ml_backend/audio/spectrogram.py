"""Draw: from a waveform to the mel spectrogram that annotators see, a PNG with axes.

Frequency runs on Slaney's mel scale from 0 to half the sample rate. Levels are in dBFS: a
full-scale sine inside one band reads 0 dBFS; where bands are narrower than the analysis window's
resolution it spreads over neighbors and reads up to 4 dB less. The color scale spans
``RANGE_DB`` below the loudest level, rounded up to 10 dB, so that quiet clips are legible; the
color bar says where it lies. Drawn with Pillow, since matplotlib would take most of an import.
"""

import io
import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

N_MELS = 128
WINDOW_S = 0.046
HOP_S = 0.008
BLOCK = 256  # frames at a time: bounds the memory for long clips, and fits the cache
RANGE_DB = 70.0
FLOOR_DB = -120.0  # below the noise of 16-bit audio

LEFT, RIGHT, TOP, BOTTOM = 58, 92, 8, 24  # margins around the spectrogram, in pixels
BAR_GAP, BAR_WIDTH, BAR_TICK_DB = 18, 12, 20
FONT_SIZE = 13
TICK_LENGTH = 4
MIN_TICK_X, MIN_TICK_Y = 80, 18  # smallest distance between tick labels, in pixels
TICKS_HZ = (1000, 4000, 2000, 8000, 0, 500, 16000, 250, 32000, 125)  # the first ones matter most

# matplotlib's "magma" (CC0) at nine equal steps: even in lightness, safe for the color-blind.
MAGMA = (
    (0, 0, 4), (29, 17, 71), (81, 18, 124), (131, 38, 129), (183, 55, 121),
    (230, 81, 100), (251, 135, 97), (254, 194, 135), (252, 253, 191),
)  # fmt: skip
# Palette entries: levels in steps of 0.6 dB, which pack well, and grays for the axes.
N_COLORS, N_GRAYS = 112, 32


def render_spectrogram(
    waveform: NDArray[np.floating], sample_rate_hz: int, *, width: int = 1200, height: int = 220
) -> bytes:
    """Draw a mel spectrogram with axes in Hz and s and a color bar in dBFS.

    Parameters
    ----------
    waveform : ndarray, shape=(n_samples,), full scale at 1
        One channel; at least one sample.
    width, height : int
        Size of the picture in pixels.

    Returns
    -------
    bytes
        A PNG.

    Raises
    ------
    ValueError
        If the waveform is empty or has more than one axis.

    Examples
    --------
    >>> render_spectrogram(np.sin(np.arange(8000) / 3), 8000)[1:4]
    b'PNG'
    """
    if waveform.ndim != 1 or not len(waveform):
        raise ValueError(f"a waveform has one axis and a sample; got shape {waveform.shape}")
    plot_width, plot_height = width - LEFT - RIGHT, height - TOP - BOTTOM
    n_columns = min(plot_width, math.ceil(len(waveform) / sample_rate_hz / HOP_S))
    levels_db = mel_levels(waveform, sample_rate_hz, n_columns)  # (N_MELS, n_columns)
    top_db = max(10 * math.ceil(float(levels_db.max()) / 10), FLOOR_DB + RANGE_DB)
    picture = Image.fromarray(levels_db[::-1].astype(np.float32))
    smooth = np.asarray(picture.resize((plot_width, plot_height), Image.Resampling.BILINEAR))

    duration_s = len(waveform) / sample_rate_hz
    indices = _frame(width, height, duration_s, sample_rate_hz, top_db).copy()  # (height, width)
    scaled = smooth - np.float32(top_db - RANGE_DB)
    scaled /= np.float32(RANGE_DB)
    scaled *= np.float32(N_COLORS - 1)
    np.clip(scaled, 0, N_COLORS - 1, out=scaled)
    indices[TOP : TOP + plot_height, LEFT : LEFT + plot_width] = scaled

    image = Image.fromarray(indices)
    image.putpalette(palette())
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def mel_levels(
    waveform: NDArray[np.floating], sample_rate_hz: int, n_columns: int
) -> NDArray[np.float32]:
    """Compute the level in each mel band at ``n_columns`` equally spaced times.

    Where a column is longer than half a window, it shows the loudest of its frames, so that a
    short event stays visible in a long clip.

    Parameters
    ----------
    waveform : ndarray, shape=(n_samples,), full scale at -1 and 1
    sample_rate_hz : int
    n_columns : int

    Returns
    -------
    ndarray, shape=(N_MELS, n_columns), dBFS
        Not below ``FLOOR_DB``; the first row is the lowest band.

    References
    ----------
    G. Heinzel, A. Rüdiger, R. Schilling, "Spectrum and spectral density estimation by the
    Discrete Fourier transform", 2002, section 9 (normalization by the window).
    """
    import scipy.fft

    n_window = 2 ** round(math.log2(WINDOW_S * sample_rate_hz))
    n_fft = 2 * n_window
    n_hop = len(waveform) / n_columns
    n_per_column = max(1, math.ceil(n_hop / (n_window / 2)))
    window = np.hanning(n_window + 1)[:-1].astype(np.float32)
    to_power = np.float32(4 / (n_fft * float(np.square(window).sum())))
    filters = mel_filters(sample_rate_hz, n_fft)  # (N_MELS, n_fft // 2 + 1)
    padded = np.pad(waveform.astype(np.float32, copy=False), n_window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_window)
    centers = (np.arange(n_columns * n_per_column) + 0.5) * n_hop / n_per_column
    rows = np.minimum(centers.astype(np.int64), len(frames) - 1)

    power = np.empty((len(rows), N_MELS), dtype=np.float32)
    windowed = np.zeros((BLOCK, n_fft), dtype=np.float32)
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        np.multiply(frames[block], window, out=windowed[: len(block), :n_window])
        spectrum = scipy.fft.rfft(windowed[: len(block)], axis=1)  # (n_block, n_fft // 2 + 1)
        parts = spectrum.view(np.float32)  # real, imaginary, real, ...
        parts *= parts
        power[start : start + BLOCK] = (parts[:, ::2] + parts[:, 1::2]) @ filters.T
    loudest = power.reshape(n_columns, n_per_column, N_MELS).max(axis=1)
    floor = np.float32(10 ** (FLOOR_DB / 10))
    return np.asarray(10 * np.log10(np.maximum(loudest * to_power, floor)).T, dtype=np.float32)


@lru_cache(maxsize=8)
def mel_filters(sample_rate_hz: int, n_fft: int) -> NDArray[np.float32]:
    """Make triangular filters with peak 1, equally spaced on Slaney's mel scale.

    Parameters
    ----------
    sample_rate_hz : int
    n_fft : int
        Samples of a transform.

    Returns
    -------
    ndarray, shape=(N_MELS, n_fft // 2 + 1), range [0, 1]
        As ``librosa.filters.mel(..., norm=None)``.

    References
    ----------
    M. Slaney, "Auditory Toolbox", Technical Report 1998-010, Interval Research, 1998.
    """
    mels = np.linspace(0, hz_to_mel(sample_rate_hz / 2), N_MELS + 2, dtype=np.float64)
    edges_hz = mel_to_hz(mels)
    bins_hz = np.fft.rfftfreq(n_fft, 1 / sample_rate_hz)
    lower, center, upper = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising = (bins_hz - lower) / (center - lower)
    falling = (upper - bins_hz) / (upper - center)
    filters: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling))
    return filters.astype(np.float32)


def hz_to_mel(frequency_hz: float) -> float:
    """Convert Hz to Slaney's mel scale: linear below 1000 Hz, logarithmic above.

    Examples
    --------
    >>> hz_to_mel(1000.0)
    15.0
    """
    if frequency_hz < 1000:
        return frequency_hz * 3 / 200
    return 15 + 27 * math.log(frequency_hz / 1000) / math.log(6.4)


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert values of any shape on Slaney's mel scale to Hz.

    Examples
    --------
    >>> mel_to_hz(np.array([3.0, 42.0])).round().tolist()
    [200.0, 6400.0]
    """
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * math.log(6.4) / 27))


def time_ticks(duration_s: float, max_ticks: int) -> list[float]:
    """Choose round times from 0 to the clip's end, at most ``max_ticks + 1`` of them.

    Examples
    --------
    >>> time_ticks(4.0, 10)
    [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0]
    """
    least = duration_s / max_ticks
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if power * factor >= least)
    if 15 < step < 60:
        step = 30.0 if step <= 30 else 60.0
    return [round(i * step, 6) for i in range(int(duration_s / step + 1e-6) + 1)]


def frequency_ticks(sample_rate_hz: int, plot_height: int) -> list[int]:
    """Choose the octaves of 1 kHz whose labels find room, low first.

    Examples
    --------
    >>> frequency_ticks(8000, 180)
    [0, 250, 500, 1000, 2000, 4000]
    """
    highest_hz = sample_rate_hz / 2
    scale = plot_height / hz_to_mel(highest_hz)
    chosen: list[int] = []
    for tick in TICKS_HZ:
        room = all(abs(hz_to_mel(tick) - hz_to_mel(t)) * scale >= MIN_TICK_Y for t in chosen)
        if tick <= highest_hz and room:
            chosen.append(tick)
    return sorted(chosen)


@lru_cache(maxsize=16)
def _frame(
    width: int, height: int, duration_s: float, sample_rate_hz: int, top_db: float
) -> NDArray[np.uint8]:
    """Return palette indices of axes and color bar, shape=(height, width).

    Clips of one length and about one level share them.
    """
    plot_height = height - TOP - BOTTOM
    axes = np.asarray(_axes(width, height, duration_s, sample_rate_hz, top_db))
    indices = N_COLORS + axes // (256 // N_GRAYS)
    bar_left = width - RIGHT + BAR_GAP
    bar = np.linspace(N_COLORS - 1, 0, plot_height)[:, None]
    indices[TOP : TOP + plot_height, bar_left : bar_left + BAR_WIDTH] = bar
    indices.setflags(write=False)
    return indices


def _axes(
    width: int, height: int, duration_s: float, sample_rate_hz: int, top_db: float
) -> Image.Image:
    """Draw everything but the colors, dark on white, as one gray channel."""
    image = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(FONT_SIZE)
    right, bottom = width - RIGHT, height - BOTTOM
    plot_width, plot_height = right - LEFT, bottom - TOP

    ticks_s = time_ticks(duration_s, plot_width // MIN_TICK_X)
    for tick_s in ticks_s:
        x = LEFT + tick_s / duration_s * (plot_width - 1)
        draw.line([x, bottom, x, bottom + TICK_LENGTH], fill=90)
        draw.text((x, bottom + 6), f"{tick_s:g} s", fill=30, font=font, anchor="mt")
    for tick_hz in frequency_ticks(sample_rate_hz, plot_height):
        y = bottom - 1 - hz_to_mel(tick_hz) / hz_to_mel(sample_rate_hz / 2) * (plot_height - 1)
        text = f"{tick_hz // 1000} kHz" if tick_hz >= 1000 else f"{tick_hz} Hz"
        draw.line([LEFT - TICK_LENGTH, y, LEFT - 1, y], fill=90)
        draw.text(
            (LEFT - 7, min(max(y, TOP + 4), bottom - 6)), text, fill=30, font=font, anchor="rm"
        )
    bar_right = right + BAR_GAP + BAR_WIDTH
    for below_db in range(0, int(RANGE_DB), BAR_TICK_DB):
        y = TOP + below_db / RANGE_DB * (plot_height - 1)
        draw.line([bar_right, y, bar_right + TICK_LENGTH - 1, y], fill=90)
        anchor = "lm" if below_db else "lt"
        draw.text((bar_right + 7, y), f"{top_db - below_db:.0f}", fill=30, font=font, anchor=anchor)
    draw.text((width - 4, bottom + 6), "dBFS", fill=30, font=font, anchor="rt")
    return image


@lru_cache(maxsize=1)
def palette() -> bytes:
    """Return the colors of a picture's pixels: ``N_COLORS`` levels, quiet first, then the grays."""
    steps = np.linspace(0, len(MAGMA) - 1, N_COLORS)
    anchors = np.array(MAGMA)
    levels = np.stack([np.interp(steps, range(len(MAGMA)), anchors[:, c]) for c in range(3)], 1)
    grays = np.repeat(np.linspace(0, 255, N_GRAYS)[:, None], 3, axis=1)
    return bytes(np.concatenate([levels, grays]).round().astype(np.uint8))
