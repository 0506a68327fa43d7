"""Machines of a street, dry and close by, and the weather.

A *maker* (`siren`, `engine`, …) draws what a recording keeps, such as which siren, and gives back a
*sound*: a function that draws what changes from clip to clip, and gives the waveform at the times
it is handed. Times that run faster or slower than a clock are a source that moves.
"""

from collections.abc import Callable

import numpy as np

from importer.demo.streets.synthesis import (
    SAMPLE_RATE_HZ,
    Waveform,
    band,
    convolved,
    filtered,
    harmonics,
    noise,
    normalized,
    phase,
    resonance,
    slow_noise,
)

Sound = Callable[[Waveform, np.random.Generator], Waveform]


def siren(rng: np.random.Generator) -> Sound:
    """Make a siren: wail, yelp or hi-lo, through a horn loudspeaker."""
    kind = rng.choice(["wail", "yelp", "hi-lo"], p=[0.45, 0.25, 0.3])
    low_hz = rng.uniform(480, 720)
    ratio = rng.choice([4 / 3, 3 / 2]) if kind == "hi-lo" else rng.uniform(1.9, 2.5)
    shortest_s, longest_s = {"wail": (2.5, 6), "yelp": (0.22, 0.4), "hi-lo": (0.9, 1.6)}[kind]
    period_s, rise = rng.uniform(shortest_s, longest_s), rng.uniform(0.3, 0.6)
    amplitudes = np.arange(1, 8) ** -rng.uniform(0.8, 1.6) * rng.uniform(0.4, 1, 7)
    amplitudes[0] = 1
    horn_hz, top_hz = rng.uniform(350, 600), rng.uniform(2500, 5000)

    def sound(times_s: Waveform, rng: np.random.Generator) -> Waveform:
        position = (times_s / period_s + rng.uniform()) % 1
        if kind == "hi-lo":
            height = np.clip((0.25 - np.abs(position - 0.5)) * 60 + 0.5, 0, 1)
        else:
            climb = np.where(position < rise, position / rise, (1 - position) / (1 - rise))
            height = np.sin(np.pi / 2 * climb)
        tone = harmonics(phase(low_hz * ratio**height, times_s, rng), amplitudes)
        return filtered(
            tone * _on_and_off(times_s, 0.4, rng), lambda f: band(f, horn_hz, top_hz, 1.5)
        )

    return sound


def car_horn(rng: np.random.Generator) -> Sound:
    """Make a horn: one to three reeds about a third apart, pressed a few times."""
    low_hz = rng.uniform(320, 460)
    reeds_hz = low_hz * np.array([1, rng.choice([1.19, 1.26, 1.33]), 1.5])[: rng.integers(1, 4)]
    tilt, formant_hz = rng.uniform(0.2, 0.7), rng.uniform(1800, 3200)
    press_s = rng.uniform(0.12, 0.9)

    def sound(times_s: Waveform, rng: np.random.Generator) -> Waveform:
        pressed = np.zeros_like(times_s)
        start_s = rng.uniform(0, 1.5)
        for _ in range(rng.integers(1, 6)):
            held_s = press_s * rng.uniform(0.7, 1.6)
            since_s = times_s - start_s
            honk = np.clip(since_s / 0.015, 0, 1) * np.clip((held_s - since_s) / 0.04, 0, 1)
            pressed = np.maximum(pressed, honk)
            start_s += held_s + rng.uniform(0.08, 0.6)
        # A reed is flat until its membrane swings.
        bend = 0.98 + 0.02 * pressed
        tone = np.zeros_like(times_s)
        for reed_hz in reeds_hz:
            multiples = np.arange(1, int(10_000 / reed_hz))
            tone += harmonics(phase(reed_hz * bend, times_s, rng), multiples**-tilt)
        formed = filtered(
            tone, lambda f: band(f, 300, 4500) * (0.35 + resonance(f, formant_hz, 1800))
        )
        return formed * pressed

    return sound


def jackhammer(rng: np.random.Generator) -> Sound:
    """Make a jackhammer: blows that ring, the stone they break, and a compressor."""
    rate_hz, compressor_hz = rng.uniform(14, 30), rng.uniform(22, 45)
    modes_hz, widths_hz = rng.uniform(700, 7000, 6), rng.uniform(200, 700, 6)
    weights, thump_hz = rng.uniform(0.3, 1, 6), rng.uniform(60, 160)
    roughness = rng.uniform(1, 2)
    ring_s = np.arange(0, 0.2, 1 / SAMPLE_RATE_HZ)
    ringing = 0.7 * np.exp(-ring_s / 0.02) * np.sin(2 * np.pi * thump_hz * ring_s)
    for mode_hz, width_hz, weight in zip(modes_hz, widths_hz, weights, strict=True):
        ringing += (
            weight * np.exp(-np.pi * width_hz * ring_s) * np.sin(2 * np.pi * mode_hz * ring_s)
        )

    def sound(times_s: Waveform, rng: np.random.Generator) -> Waveform:
        blows = np.zeros_like(times_s)
        blows_s = np.cumsum(rng.normal(1, 0.03, int(rate_hz * times_s[-1] * 1.2)) / rate_hz)
        at = (blows_s[blows_s < times_s[-1]] * SAMPLE_RATE_HZ).astype(int)
        blows[at] = rng.lognormal(0, 0.15, len(at))
        rung = convolved(blows, ringing)
        breaking = convolved(blows, np.exp(-ring_s / 0.018)) + 0.4
        rubble = noise(len(times_s), lambda f: band(f, 250, 5000, 0.8), rng)
        hammer = normalized(rung) + roughness * breaking * rubble
        hum = harmonics(phase(np.full_like(times_s, compressor_hz), times_s, rng), [1, 0.8, 0.9])
        dug: Waveform = hammer * _on_and_off(times_s, 0.05, rng) + 0.08 * hum
        return dug

    return sound


def engine(rng: np.random.Generator) -> Sound:
    """Make an engine, idling or revved: no two cylinders alike, all through one pipe."""
    firing_hz = rng.uniform(18, 60)
    cylinders = rng.uniform(0.5, 1, rng.choice([2, 3, 4, 6]))
    is_revved, clatter = rng.uniform() < 0.4, rng.choice([0.15, 0.9], p=[0.6, 0.4])
    pipe_hz = rng.uniform(70, 160) * np.array([1, 2.1, 3.3, 5.2])
    treble_hz = rng.uniform(400, 1500)

    def pipe(f: Waveform) -> Waveform:
        gains = np.full_like(f, 0.3)
        for mode_hz in pipe_hz:
            gains += resonance(f, mode_hz, 0.5 * mode_hz)
        return gains * band(f, 30, treble_hz)

    def sound(times_s: Waveform, rng: np.random.Generator) -> Waveform:
        speed = 1 + 0.015 * slow_noise(len(times_s), 3, rng)
        if is_revved:
            pedal = np.clip(slow_noise(len(times_s), 0.5, rng), 0, 2)
            speed *= 1 + rng.uniform(0.5, 2) * pedal
        angle = phase(firing_hz * speed, times_s, rng)
        strength = cylinders[(angle // (2 * np.pi)).astype(int) % len(cylinders)]
        firing = strength * np.exp(8 * (np.cos(angle) - 1)) * speed
        exhaust = normalized(filtered(firing, pipe))
        hiss = noise(len(times_s), lambda f: band(f, 300, 3500, 0.8), rng)
        valves = normalized(strength * np.exp(25 * (np.cos(angle + 0.6) - 1)) * hiss)
        ran: Waveform = exhaust + clatter * valves + 0.15 * speed * hiss
        return ran

    return sound


def traffic(times_s: Waveform, rng: np.random.Generator) -> Waveform:
    """Draw the hum of a street: distant engines, tires, now and then a car that passes."""
    n_samples = len(times_s)
    rumble = noise(n_samples, lambda f: band(f, 40, 180, 1.5), rng)
    tires = noise(n_samples, lambda f: band(f, 350, 1200, 1.8), rng)
    swell = np.exp(0.25 * slow_noise(n_samples, 0.6, rng))
    for _ in range(rng.poisson(0.6)):
        middle_s, width_s = rng.uniform(-0.5, 4.5), rng.uniform(0.4, 1.2)
        swell += rng.uniform(0.5, 2.5) / (1 + ((times_s - middle_s) / width_s) ** 2)
    firing_hz = rng.uniform(18, 60) * (1 + 0.02 * slow_noise(n_samples, 2, rng))
    motor = np.exp(8 * (np.cos(phase(firing_hz, times_s, rng)) - 1))
    hum: Waveform = (
        rumble + swell * rng.uniform(0.1, 0.5) * tires + rng.uniform(0.3, 0.8) * normalized(motor)
    )
    return hum


def wind(times_s: Waveform, rng: np.random.Generator) -> Waveform:
    """Draw wind in the microphone: deep, in gusts."""
    rush = noise(len(times_s), lambda f: band(f, 15, 90), rng)
    gusts: Waveform = rush * np.exp(0.7 * slow_noise(len(times_s), 1.5, rng))
    return gusts


def rain(times_s: Waveform, rng: np.random.Generator) -> Waveform:
    """Draw rain: a bright hiss, and single drops on something hard."""
    n_samples = len(times_s)
    hiss = noise(n_samples, lambda f: band(f, 1200, 9000), rng)
    drops = np.zeros(n_samples)
    n_drops = rng.integers(40, 250)
    drops[rng.integers(0, n_samples, n_drops)] = rng.exponential(size=n_drops)
    tin_hz = rng.uniform(2000, 5000)
    struck = filtered(drops, lambda f: resonance(f, tin_hz, 1500))
    shower: Waveform = hiss + 6 * struck / np.abs(struck).max()
    return shower


def _on_and_off(times_s: Waveform, ramp_s: float, rng: np.random.Generator) -> Waveform:
    """Draw the loudness of a lasting source: on all the time, or starting or stopping."""
    if rng.uniform() < 2 / 3:
        return np.ones_like(times_s)
    change = (times_s - np.quantile(times_s, rng.uniform(0.2, 0.8))) / ramp_s
    gate: Waveform = np.clip(0.5 + rng.choice([-1, 1]) * change, 0, 1)
    return gate
