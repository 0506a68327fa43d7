"""One source in one street: what a microphone there records, take after take."""

from collections.abc import Callable

import numpy as np

from importer.demo.streets import acoustics, machines, voices
from importer.demo.streets.synthesis import (
    SAMPLE_RATE_HZ,
    Waveform,
    band,
    convolved,
    filtered,
    loudness,
)

CLIP_S = 4.0
FOREGROUND = 1

Scene = Callable[[np.random.Generator], Waveform]

SOURCES = {
    "siren": machines.siren,
    "car_horn": machines.car_horn,
    "jackhammer": machines.jackhammer,
    "dog_bark": voices.dog,
    "engine_idling": machines.engine,
    "children_playing": voices.children,
    "street_music": voices.music,
}
_WEATHER = {"rain": machines.rain, "wind": machines.wind}


def make_scene(label: str, weather: str, salience: int, rng: np.random.Generator) -> Scene:
    """Draw what all takes of a recording share; a generator then gives a take.

    Parameters
    ----------
    label : str
        One of `SOURCES`.
    weather : str
        "dry", "rain" or "wind".
    salience : int
        1 in the foreground: near, 14 to 32 dB above the street; 2 in the background: far, 2 to
        12 dB above it.

    Returns
    -------
    function
        From a generator to a waveform of `CLIP_S`, its peak between 0.2 and 0.96.

    Examples
    --------
    >>> scene = make_scene("dog_bark", "rain", 1, np.random.default_rng(0))
    >>> scene(np.random.default_rng(1)).shape
    (88200,)
    """
    n_samples = int(CLIP_S * SAMPLE_RATE_HZ)
    clock_s = np.arange(n_samples) / SAMPLE_RATE_HZ
    is_near = salience == FOREGROUND
    sound = SOURCES[label](rng)
    distance_m = float(np.exp(rng.uniform(*np.log([5, 40] if is_near else [50, 250]))))
    is_hidden = not is_near and rng.uniform() < 0.3
    response = acoustics.street_response(n_samples, distance_m, is_hidden=is_hidden, rng=rng)
    is_moving = label == "siren" and rng.uniform() < 0.6
    speed_m_s = rng.uniform(5, 25) if is_moving else 0.0
    source_db = rng.uniform(14, 32) if is_near else rng.uniform(2, 12)
    weather_db = rng.uniform(-12, 0)
    bass_hz, treble_hz = rng.uniform(40, 180), rng.uniform(6000, 10_500)
    peak = rng.uniform(0.25, 0.8)

    def take(rng: np.random.Generator) -> Waveform:
        closest_s = rng.uniform(-2, CLIP_S + 2)
        times_s, gain = acoustics.pass_by(clock_s, speed_m_s, distance_m, closest_s)
        source = convolved(sound(times_s - times_s[0], rng) * gain, response)
        mixture = _at(source_db + rng.normal(0, 1.5), source)
        mixture += _at(0, machines.traffic(clock_s, rng))
        if weather in _WEATHER:
            mixture += _at(weather_db, _WEATHER[weather](clock_s, rng))
        mixture = filtered(mixture, lambda f: band(f, bass_hz, treble_hz, 1.5))
        recorded: Waveform = mixture / np.abs(mixture).max() * peak * rng.uniform(0.8, 1.2)
        return recorded

    return take


def _at(level_db: float, waveform: Waveform) -> Waveform:
    """Bring a waveform to a loudness, in dB."""
    return waveform * (10 ** (level_db / 20) / loudness(waveform))
