"""The embedder that needs no weights: what its groups of statistics know of a sound."""

import numpy as np
import pytest

from ml_backend.embedders.melstats import MelStats, _modulations, _octaves

RATE_HZ = MelStats.sample_rate_hz
TIME_S = np.arange(2 * RATE_HZ) / RATE_HZ


def embed(waveform):
    return MelStats().embed([waveform.astype(np.float32)])[0]


def cosine(one, other):
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def noise(seed):
    return 0.1 * np.random.default_rng(seed).standard_normal(len(TIME_S))


def sweeps(octaves_per_s):
    """A tone that rises or falls by so much, over and over again, once every half second."""
    octave = (TIME_S % 0.5) * octaves_per_s
    return 0.3 * np.sin(2 * np.pi * np.cumsum(600 * 2 ** (octave + 1)) / RATE_HZ)


@pytest.mark.parametrize("gain", [0.01, 0.3, 3.0])
def test_how_loud_a_clip_is_does_not_matter(gain):
    waveform = sweeps(2.0) + noise(0)
    np.testing.assert_allclose(embed(gain * waveform), embed(waveform), atol=2e-3)


def test_rising_sweeps_are_more_like_rising_ones_than_like_falling_ones():
    rising, also_rising, falling = (sweeps(rate) for rate in (2.0, 2.2, -2.0))
    rows = [embed(waveform + 0.1 * noise(1)) for waveform in (rising, also_rising, falling)]
    assert cosine(rows[0], rows[1]) > cosine(rows[0], rows[2]) + 0.1


def test_a_hum_of_many_partials_is_not_the_noise_of_its_spectrum():
    partials = sum(np.sin(2 * np.pi * 110 * n * TIME_S) / n for n in range(1, 30))
    spectrum = np.abs(np.fft.rfft(partials))
    smooth = np.convolve(spectrum, np.ones(201) / 201, mode="same")
    rng = np.random.default_rng(2)
    like_it = np.fft.irfft(smooth * np.exp(2j * np.pi * rng.random(len(smooth))), len(TIME_S))
    hum, rush, other_hum = (
        embed(waveform / np.abs(waveform).max())
        for waveform in (partials, like_it, partials + 0.02 * noise(3))
    )
    assert cosine(hum, other_hum) > cosine(hum, rush) + 0.1


def test_a_modulation_is_found_in_the_octave_of_its_rate_and_scale():
    rate, scale, width = 5, 3, 43
    frames, bands = np.arange(width), np.arange(64)[:, None]
    ripple = np.cos(2 * np.pi * (rate * frames / width + scale * bands / 64))
    pooled = _modulations(ripple.astype(np.float32), width).reshape(7, 11)
    octave_of_scale, octave_of_rate = np.unravel_index(pooled.argmax(), pooled.shape)
    assert octave_of_scale == 2  # 0, 1, 2-3, ...
    assert octave_of_rate == 5 + 3  # five octaves below 0, then 0, 1, 2-3, 4-7, ...


def test_octaves_are_means_of_their_numbers():
    numbers = np.arange(-7, 8)
    weights = _octaves(numbers)
    assert weights.sum(axis=1) == pytest.approx(np.ones(7))
    assert weights @ numbers == pytest.approx([-5.5, -2.5, -1, 0, 1, 2.5, 5.5])
