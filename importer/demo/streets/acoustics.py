"""What a street does to a sound: motion, distance, walls, corners."""

import numpy as np

from importer.demo.streets.synthesis import SAMPLE_RATE_HZ, Waveform, band, filtered, noise

SPEED_OF_SOUND_M_S = 343.0


def pass_by(
    times_s: Waveform, speed_m_s: float, distance_m: float, closest_s: float
) -> tuple[Waveform, Waveform]:
    """Follow a source that drives past along a straight line.

    Parameters
    ----------
    times_s : ndarray, shape=(n_samples,)
        When it is heard.
    speed_m_s, distance_m, closest_s : float
        How fast it drives, how near it comes, and when.

    Returns
    -------
    emitted_s : ndarray, shape=(n_samples,)
        When the source made what is heard then; the slope is the Doppler shift.
    gain : ndarray, shape=(n_samples,), range (0, 1]
        Level against that at the closest point: sound pressure falls as 1 / distance.

    Examples
    --------
    >>> times_s = np.arange(0, 200, 0.01)
    >>> emitted_s, _ = pass_by(times_s, 20.0, 5.0, 100.0)
    >>> shift = np.gradient(emitted_s, times_s)
    >>> [round(float(shift[n]), 3) for n in (0, -1)], round(1 + 20 / 343, 3)
    ([1.058, 0.942], 1.058)
    """
    range_m = np.hypot(distance_m, speed_m_s * (times_s - closest_s))
    return times_s - range_m / SPEED_OF_SOUND_M_S, distance_m / range_m


def air(frequencies_hz: Waveform, distance_m: float) -> Waveform:
    """Return the gains left after so much air, at 10 °C and 70 % humidity.

    A power law through the table of ISO 9613-2: 3.7 dB/km at 1 kHz, 33 at 4 kHz, 117 at 8 kHz.

    Examples
    --------
    >>> (-20 * np.log10(air(np.array([1000.0, 4000.0]), 1000.0))).round(1).tolist()
    [3.7, 36.4]
    """
    loss_db = 3.7e-3 * distance_m * (frequencies_hz / 1000) ** 1.65
    return 10 ** (-loss_db / 20)


def street_response(
    n_samples: int, distance_m: float, *, is_hidden: bool, rng: np.random.Generator
) -> Waveform:
    """Draw how a click at a distance is heard: direct, from facades, and as a fading tail.

    The farther the source, the more of it comes by the walls; a hidden one, behind a corner, comes
    without its treble.

    Returns
    -------
    ndarray, shape=(n_samples,)
        The impulse response; the direct sound is its first sample.
    """
    times_s = np.arange(n_samples) / SAMPLE_RATE_HZ
    by_walls = distance_m / (distance_m + 80)
    response: Waveform = np.zeros(n_samples)
    response[0] = 1
    for delay_s in rng.uniform(0.006, 0.11, rng.integers(4, 9)):
        response[int(delay_s * SAMPLE_RATE_HZ)] += 0.6 * by_walls * rng.choice([-1, 1])
    # Walls swallow treble: the tail is bright for some 40 ms, then dark.
    bright = rng.normal(size=n_samples) * np.exp(-times_s / 0.04)
    dark = noise(n_samples, lambda f: band(f, 80, 1500), rng)
    tail = (bright + dark) * 10 ** (-3 * times_s / rng.uniform(0.4, 1.5))
    response += 1.2 * by_walls * tail / np.sqrt((tail**2).sum())
    response = filtered(response, lambda f: air(f, distance_m))
    return filtered(response, lambda f: band(f, 1, 1500, 0.6)) if is_hidden else response
