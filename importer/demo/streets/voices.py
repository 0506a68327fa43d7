"""What has a voice in a street, dry and close by: dogs, children, music.

Makers and sounds as in `machines`; these stay where they are, so of the times they are handed only
the number counts.
"""

import numpy as np

from importer.demo.streets.machines import Sound
from importer.demo.streets.synthesis import (
    SAMPLE_RATE_HZ,
    Waveform,
    band,
    filtered,
    harmonics,
    phase,
    resonance,
    slow_noise,
)

# Formants of five vowels of men, in Hz: Peterson and Barney 1952, table II. A child's are higher.
_VOWELS_HZ = np.array(
    [[730, 1090, 2440], [570, 840, 2410], [530, 1840, 2480], [270, 2290, 3010], [300, 870, 2240]]
)
_MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
_TOP_HZ = 9000


def dog(rng: np.random.Generator) -> Sound:
    """Make a dog: barks whose pitch rises and falls; the smaller the dog, the higher."""
    size = rng.uniform()
    peak_hz = 1300 * (420 / 1300) ** size
    bark_s, pause_s = 0.13 + 0.12 * size, rng.uniform(0.12, 0.3 + 0.3 * size)
    formants_hz = np.array([1500, 2600, 4200]) * 0.55**size * rng.uniform(0.75, 1.1)
    hoarseness, attack = rng.uniform(0.15, 0.5), rng.uniform(0.1, 0.4)
    arc, tilt = rng.uniform(0.15, 0.6), rng.uniform(0.1, 1)

    def throat(f: Waveform) -> Waveform:
        gains = np.zeros_like(f)
        for n, formant_hz in enumerate(formants_hz, start=1):
            gains += resonance(f, formant_hz, 0.35 * formant_hz) ** 1.5 / n
        return gains * band(f, 200, 6000, 2)

    def bark(rng: np.random.Generator) -> Waveform:
        n_samples = int(bark_s * rng.uniform(0.8, 1.25) * SAMPLE_RATE_HZ)
        x = np.linspace(0, 1, n_samples)
        pitch_hz = peak_hz * rng.uniform(0.9, 1.1) * (1 - arc + arc * np.sin(np.pi * x**0.7))
        pitch_hz *= 1 + 0.08 * slow_noise(n_samples, 150, rng)
        voice = _sung(pitch_hz, -tilt, rng) / 2 + hoarseness * rng.normal(size=n_samples)
        voice *= rng.uniform(0.6, 1)
        barked: Waveform = voice * np.minimum(x / attack, (1 - x) / (1 - attack))
        return barked

    def sound(times_s: Waveform, rng: np.random.Generator) -> Waveform:
        waveform = np.zeros_like(times_s)
        start_s = rng.uniform(0, 1.2)
        while start_s < times_s[-1] - 0.1:
            for _ in range(rng.integers(1, 5)):
                start_s += _add(waveform, bark(rng), start_s) + pause_s * rng.uniform(0.7, 1.4)
            start_s += rng.uniform(0.2, 2)
        return filtered(waveform, throat)

    return sound


def children(rng: np.random.Generator) -> Sound:
    """Make a few children who chatter and shout."""
    pitches_hz = rng.uniform(260, 420, rng.integers(2, 6))
    higher = rng.uniform(1.25, 1.45, len(pitches_hz))
    wildness = rng.uniform(0.1, 0.6)

    def syllable(
        pitch_hz: float, seconds: float, formants_hz: Waveform, rng: np.random.Generator
    ) -> Waveform:
        n_samples = int(seconds * SAMPLE_RATE_HZ)
        x = np.linspace(0, 1, n_samples)
        glide_hz = pitch_hz * rng.uniform(0.7, 1.3) ** x
        glide_hz *= 1 + 0.012 * slow_noise(n_samples, 25, rng)
        multiples = np.arange(1, int(_TOP_HZ / glide_hz.max()))
        gains = np.full(len(multiples), 0.02)
        for formant_hz, weight in zip(formants_hz, (1, 0.6, 0.35), strict=True):
            gains += weight * resonance(multiples * pitch_hz, formant_hz, 60 + 0.07 * formant_hz)
        clock_s = np.arange(n_samples) / SAMPLE_RATE_HZ
        voice = harmonics(phase(glide_hz, clock_s, rng), gains * multiples**-0.4)
        breath = 0.05 * rng.normal(size=n_samples)
        swell = np.minimum(1, np.minimum(x / 0.12, (1 - x) / 0.2))
        spoken: Waveform = (voice + breath) * swell
        return spoken

    def sound(times_s: Waveform, rng: np.random.Generator) -> Waveform:
        waveform = np.zeros_like(times_s)
        for pitch_hz, factor in zip(pitches_hz, higher, strict=True):
            closeness = rng.uniform(0.3, 1)
            start_s = rng.uniform(-0.5, 1.5)
            while start_s < times_s[-1]:
                is_shout = rng.uniform() < wildness
                lift, loud = (rng.uniform(1.4, 2.4), 1.0) if is_shout else (1.0, 0.5)
                for _ in range(rng.integers(1, 3) if is_shout else rng.integers(2, 8)):
                    voice = syllable(
                        pitch_hz * lift * rng.uniform(0.85, 1.15),
                        rng.uniform(0.2, 0.7) if is_shout else rng.uniform(0.08, 0.2),
                        _VOWELS_HZ[rng.integers(len(_VOWELS_HZ))] * factor,
                        rng,
                    )
                    start_s += _add(waveform, closeness * loud * voice, start_s)
                    consonant = 0.1 * rng.normal(size=1100) * np.hanning(1100)
                    _add(waveform, closeness * loud * consonant, start_s)
                    start_s += rng.uniform(0.02, 0.09)
                start_s += rng.exponential(0.6)
        return waveform

    return sound


def music(rng: np.random.Generator) -> Sound:
    """Make a busker: a tune over chords, plucked, squeezed or bowed, perhaps with a drum."""
    tonic_hz = 220 * 2 ** (rng.integers(-5, 7) / 12)
    beat_s = 60 / float(rng.uniform(75, 140))
    instrument = rng.choice(["guitar", "accordion", "violin"])
    has_drum, tilt = rng.uniform() < 0.4, -rng.uniform(0.9, 1.5)

    def note(degree: int, seconds: float, rng: np.random.Generator) -> Waveform:
        octave, step = divmod(degree, len(_MAJOR_SCALE))
        pitch_hz = tonic_hz * 2 ** (octave + _MAJOR_SCALE[step] / 12)
        clock_s = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
        steady_hz = np.full_like(clock_s, pitch_hz)
        if instrument == "guitar":
            # The upper harmonics of a plucked string die first.
            decay = np.exp(-clock_s * (1.2 + pitch_hz / 250))
            angle = phase(steady_hz, clock_s, rng)
            low = np.arange(1, 4) ** tilt
            pluck = _sung(steady_hz, tilt, rng) * decay**3 + harmonics(angle, low) * decay
            plucked: Waveform = pluck * np.minimum(1, clock_s / 0.004)
            return plucked
        swell = np.clip(np.minimum(clock_s, seconds - clock_s) / 0.06, 0, 1) / 2
        if instrument == "violin":
            return swell * _sung(
                pitch_hz * (1 + 0.006 * np.sin(2 * np.pi * 5.5 * clock_s)), tilt, rng
            )
        return swell * (_sung(steady_hz, tilt, rng) + _sung(1.007 * steady_hz, tilt, rng))

    def sound(times_s: Waveform, rng: np.random.Generator) -> Waveform:
        waveform = np.zeros_like(times_s)
        held = 1.8 if instrument == "guitar" else 1.0
        for start_s in np.arange(-rng.uniform(0, beat_s), times_s[-1], beat_s):
            root = int(rng.choice([0, 3, 4, 5]))
            if instrument != "violin":
                for degree in (root, root + 2, root + 4):
                    _add(waveform, note(degree, held * beat_s / 2, rng), start_s)
            n_notes = int(rng.integers(1, 3))
            for n in range(n_notes):
                degree = 7 + root + int(rng.choice([0, 2, 4, 1, -1]))
                tune = note(degree, held * beat_s / n_notes, rng) * rng.uniform(0.7, 1)
                _add(waveform, tune, start_s + n * beat_s / n_notes)
            if has_drum:
                hit = rng.normal(size=2000) * np.exp(-np.arange(2000) / 300)
                _add(waveform, 0.8 * hit, start_s)
        return waveform

    return sound


def _sung(pitch_hz: Waveform, tilt: float, rng: np.random.Generator) -> Waveform:
    """Return a tone with every harmonic there is room for, falling as a power of its number."""
    clock_s = np.arange(len(pitch_hz)) / SAMPLE_RATE_HZ
    multiples = np.arange(1.0, max(2, min(25, _TOP_HZ / pitch_hz.max())))
    return harmonics(phase(pitch_hz, clock_s, rng), multiples**tilt)


def _add(waveform: Waveform, piece: Waveform, start_s: float) -> float:
    """Lay a piece over a waveform, cut at both ends; give back its duration in s."""
    start = int(start_s * SAMPLE_RATE_HZ)
    end = min(start + len(piece), len(waveform))
    if max(start, 0) < end:
        waveform[max(start, 0) : end] += piece[max(-start, 0) : end - start]
    return len(piece) / SAMPLE_RATE_HZ
