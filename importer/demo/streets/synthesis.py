"""What sounds are drawn with: tones, noise and filters, all mono at ``SAMPLE_RATE_HZ``.

A waveform has shape ``(n_samples,)``; `times_s` are the times of its samples. Filters are gains
over the frequencies of the waveform's own spectrum, so they have no phase and no start.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 22_050

Waveform = NDArray[np.floating[Any]]
Gain = Callable[[NDArray[np.floating[Any]]], NDArray[np.floating[Any]]]


def phase(frequency_hz: Waveform, times_s: Waveform, rng: np.random.Generator) -> Waveform:
    """Integrate a frequency over a source's own time, in radians from a random start."""
    turns = np.cumsum(frequency_hz * np.gradient(times_s))
    return 2 * np.pi * (turns + rng.uniform())


def harmonics(phase: Waveform, amplitudes: Iterable[float]) -> Waveform:
    """Sum the cosines of the multiples of a phase, one amplitude for each from the first on.

    Examples
    --------
    >>> x = np.linspace(0, 9, 50)
    >>> bool(np.allclose(harmonics(x, [1.0, 0.0, 0.5]), np.cos(x) + np.cos(3 * x) / 2))
    True
    """
    first = np.cos(phase)
    previous, current, total = np.ones_like(phase), first, np.zeros_like(phase)
    for amplitude in amplitudes:
        total += amplitude * current
        # Chebyshev: cos((k + 1) x) = 2 cos(x) cos(k x) - cos((k - 1) x)
        previous, current = current, 2 * first * current - previous
    return total


def filtered(waveform: Waveform, gain: Gain) -> Waveform:
    """Weigh every frequency of a waveform by a gain: frequencies in Hz to amplitude factors.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 100 * np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ)
    >>> bool(np.allclose(filtered(tone, lambda f: np.where(f == 100, 2.0, 1.0)), 2 * tone))
    True
    """
    n_samples = len(waveform)
    frequencies_hz = np.fft.rfftfreq(n_samples, 1 / SAMPLE_RATE_HZ)
    return np.fft.irfft(np.fft.rfft(waveform) * gain(frequencies_hz), n_samples)


def convolved(waveform: Waveform, response: Waveform) -> Waveform:
    """Convolve every sample with the response; what rings past the end is cut.

    Exact where the response is no longer than a quarter of the waveform; the rest of a longer one
    wraps around.

    Examples
    --------
    >>> convolved(np.array([0.0, 1, 0, 0, 0, 2, 0, 0]), np.array([1.0, 0.5])).round(6).tolist()
    [0.0, 1.0, 0.5, 0.0, 0.0, 2.0, 1.0, 0.0]
    """
    n_samples = len(waveform)
    n_fft = n_samples * 5 // 4
    spectrum = np.fft.rfft(waveform, n_fft) * np.fft.rfft(response, n_fft)
    return np.fft.irfft(spectrum, n_fft)[:n_samples]


def noise(n_samples: int, gain: Gain, rng: np.random.Generator) -> Waveform:
    """Draw Gaussian noise of this spectral shape, with a standard deviation of 1."""
    frequencies_hz = np.fft.rfftfreq(n_samples, 1 / SAMPLE_RATE_HZ)
    real, imaginary = rng.normal(size=(2, len(frequencies_hz)))
    waveform = np.fft.irfft(gain(frequencies_hz) * (real + 1j * imaginary), n_samples)
    return normalized(waveform)


def slow_noise(n_samples: int, rate_hz: float, rng: np.random.Generator) -> Waveform:
    """Wander about 0, up and down about `rate_hz` times a second, mostly within 1."""
    n_knots = int(n_samples / SAMPLE_RATE_HZ * rate_hz * 2) + 3
    at = np.linspace(0, n_knots - 1, n_samples)
    wander: Waveform = np.interp(at, np.arange(n_knots), rng.normal(size=n_knots))
    return wander


def band(frequencies_hz: Waveform, low_hz: float, high_hz: float, order: float = 1.0) -> Waveform:
    """Return the gains of a band with Butterworth slopes: 6 dB per octave and order."""
    above = 1 / np.sqrt(1 + (low_hz / np.maximum(frequencies_hz, 1e-3)) ** (2 * order))
    below = 1 / np.sqrt(1 + (frequencies_hz / high_hz) ** (2 * order))
    gains: Waveform = above * below
    return gains


def resonance(frequencies_hz: Waveform, center_hz: float, width_hz: float) -> Waveform:
    """Return the gains of a resonance: 1 at its center, 0.71 at the edges of its width."""
    gains: Waveform = 1 / np.sqrt(1 + ((frequencies_hz - center_hz) / (width_hz / 2)) ** 2)
    return gains


def normalized(waveform: Waveform) -> Waveform:
    """Shift and scale a waveform to mean 0 and standard deviation 1."""
    unit: Waveform = (waveform - waveform.mean()) / waveform.std()
    return unit


def loudness(waveform: Waveform) -> float:
    """Measure the RMS of the loudest tenth of a second, which is what a listener goes by."""
    n_frame = SAMPLE_RATE_HZ // 10
    frames = waveform[: len(waveform) // n_frame * n_frame].reshape(-1, n_frame)
    return float(np.sqrt((frames**2).mean(axis=1).max()))
