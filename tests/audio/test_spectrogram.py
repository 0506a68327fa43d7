"""The picture says what the sound is: where in time, at which frequency, how loud."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ml_backend.audio import spectrogram
from ml_backend.audio.spectrogram import (
    FLOOR_DB,
    N_MELS,
    frequency_ticks,
    hz_to_mel,
    mel_filters,
    mel_levels,
    mel_to_hz,
    render_spectrogram,
    time_ticks,
)
from tests.sounds import noise, tone


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"), dtype=float)


@pytest.mark.slow  # librosa takes seconds to import
@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000, 96_000])
def test_the_mel_filters_are_those_of_librosa(rate):
    from librosa.filters import mel

    expected = mel(sr=rate, n_fft=4096, n_mels=N_MELS, norm=None)
    np.testing.assert_allclose(mel_filters(rate, 4096), expected, atol=1e-4)


@pytest.mark.parametrize("rate", [8_000, 22_050, 96_000])
def test_neighboring_filters_share_every_frequency_between_the_outer_ones(rate):
    filters = mel_filters(rate, 4096)  # (N_MELS, n_bins)
    bins_hz = np.arange(2049) * rate / 4096
    step = hz_to_mel(rate / 2) / (N_MELS + 1)
    inner = [step <= hz_to_mel(hz) <= N_MELS * step for hz in bins_hz]
    np.testing.assert_allclose(filters.sum(axis=0)[inner], 1.0, atol=1e-4)
    assert np.all(filters.max(axis=1) > 0), "a band between two bins would show as a black line"


@given(st.floats(0, 48_000))
def test_mel_and_back_is_the_same_frequency(hz):
    assert mel_to_hz(np.array([hz_to_mel(hz)]))[0] == pytest.approx(hz, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("hz", [300, 1000, 6000])
def test_a_full_scale_sine_reads_zero_dbfs_in_its_own_band(rate, hz):
    sine = tone(1.0, hz=hz, sample_rate_hz=rate, level=1.0)[:, 0]

    levels_db = mel_levels(sine, rate, 50)[:, 25]

    assert -4.0 <= levels_db.max() <= 0.1
    assert 10 * np.log10(np.sum(10 ** (levels_db / 10))) == pytest.approx(0.0, abs=0.2)
    loudest = (levels_db.argmax() + 1) / (N_MELS + 1) * hz_to_mel(rate / 2)
    assert abs(loudest - hz_to_mel(hz)) <= hz_to_mel(rate / 2) / (N_MELS + 1)


def test_a_tenth_of_the_amplitude_is_20_db_less():
    sound = noise(1.0)[:, 0]
    difference_db = mel_levels(sound, 16_000, 20) - mel_levels(sound / 10, 16_000, 20)
    np.testing.assert_allclose(difference_db, 20.0, atol=1e-3)


def test_silence_is_at_the_floor():
    levels_db = mel_levels(np.zeros(16_000), 16_000, 10)
    np.testing.assert_allclose(levels_db, FLOOR_DB, atol=1e-3)


@pytest.mark.parametrize("duration_s", [1.0, 4.0, 30.0, 300.0])
@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_click_shows_at_its_place_however_long_the_clip_is(duration_s, place):
    sound = np.zeros(round(duration_s * 8_000))
    sound[round(place * len(sound))] = 1.0

    loudness = mel_levels(sound, 8_000, 200).sum(axis=0)

    assert abs(loudness.argmax() - place * 200) <= max(1, 0.03 / duration_s * 200)


def test_a_click_is_centered_on_its_time_to_a_hundredth_of_a_second():
    sound = np.zeros(8_000)
    sound[3_000] = 1.0
    power = (10 ** (mel_levels(sound, 8_000, 100) / 10)).sum(axis=0)
    centers_s = (np.arange(100) + 0.5) / 100
    assert (power * centers_s).sum() / power.sum() == pytest.approx(0.375, abs=0.002)


def test_a_click_is_as_bright_in_five_minutes_as_in_a_second():
    levels_db = []
    for duration_s in (1, 300):
        sound = np.zeros(duration_s * 8_000)
        sound[len(sound) // 3] = 1.0
        levels_db.append(mel_levels(sound, 8_000, 125).max())
    assert levels_db[1] == pytest.approx(levels_db[0], abs=6.1)  # between two windows: a half


def test_the_brightest_row_of_a_tone_is_where_the_axis_has_its_frequency():
    picture = pixels(render_spectrogram(tone(1.0, hz=2000)[:, 0], 16_000))
    left, right = spectrogram.LEFT, 1200 - spectrogram.RIGHT
    top, bottom = spectrogram.TOP, 220 - spectrogram.BOTTOM

    brightest = top + picture[top:bottom, left:right].mean(axis=1).argmax()

    from_bottom = hz_to_mel(2000) / hz_to_mel(8000) * (bottom - top)
    assert abs((bottom - from_bottom) - brightest) <= 2


def test_the_color_scale_follows_quiet_clips_so_that_they_are_legible():
    loud, quiet = (pixels(render_spectrogram(noise(1.0)[:, 0] * gain, 16_000)) for gain in (1, 0.1))
    left, right = spectrogram.LEFT, 1200 - spectrogram.RIGHT
    assert np.abs(loud[:190, left:right] - quiet[:190, left:right]).max() < 4  # rounding
    assert not np.array_equal(loud[:, right:], quiet[:, right:])  # and the color bar says so


@pytest.mark.parametrize("n_samples", [1, 400, 16_000])
@pytest.mark.parametrize("size", [(1200, 220), (600, 160)])
def test_a_picture_has_the_size_asked_for_whatever_the_length(n_samples, size):
    width, height = size
    png = render_spectrogram(noise(1.0)[:n_samples, 0], 8_000, width=width, height=height)
    assert Image.open(io.BytesIO(png)).size == size


def test_the_same_sound_gives_the_same_bytes():
    sound = noise(0.5)[:, 0]
    assert render_spectrogram(sound, 16_000) == render_spectrogram(sound, 16_000)


@pytest.mark.parametrize("shape", [(0,), (100, 2)])
def test_what_is_no_waveform_is_refused_with_its_shape(shape):
    with pytest.raises(ValueError, match=str(shape[0])):
        render_spectrogram(np.zeros(shape), 8_000)


@given(st.floats(0.05, 600), st.integers(3, 20))
def test_time_ticks_are_few_even_and_within_the_clip(duration_s, max_ticks):
    ticks = time_ticks(duration_s, max_ticks)
    assert ticks[0] == 0
    assert 2 <= len(ticks) <= max_ticks + 1
    assert ticks[-1] <= duration_s * (1 + 1e-6)
    assert np.ptp(np.diff(ticks)) < 1e-5


@given(st.integers(2_000, 192_000), st.integers(100, 300))
def test_frequency_ticks_never_collide_and_stay_within_the_band(rate, height):
    ticks = frequency_ticks(rate, height)
    rows = np.array([hz_to_mel(tick) for tick in ticks]) / hz_to_mel(rate / 2) * height
    assert np.all(np.diff(rows) >= spectrogram.MIN_TICK_Y)
    assert max(ticks) <= rate / 2


def test_what_was_drawn_before_does_not_show():
    clips = [
        (level * noise(duration_s)[:, 0], rate)
        for duration_s in (0.5, 1.0)
        for level in (0.5, 0.01)
        for rate in (16_000, 44_100)
    ]

    def fresh(*clip):
        spectrogram._frame.cache_clear()
        return render_spectrogram(*clip)

    alone = [fresh(*clip) for clip in clips]
    assert [render_spectrogram(*clip) for clip in clips + clips] == alone + alone
    assert len(set(alone)) == len(clips)
