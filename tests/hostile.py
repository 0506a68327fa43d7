"""Files that lie: WAV, FLAC, OGG and MP3 with every field of their headers wrong, one at a time."""

import struct

import numpy as np

from tests.sounds import noise, write

N_SAMPLES = 4_000
RATE_HZ = 16_000
FIELDS = {
    "codec": (
        "<H",
        20,
        (0, 2, 5, 6, 7, 17, 49, 80, 85, 255, 0x161, 0x2000, 0x674F, 0xFFFE, 0xFFFF),
    ),
    "channels": ("<H", 22, (0, 2, 3, 8, 255, 1024, 65535)),
    "rate": ("<I", 24, (0, 1, 7, 8_000, 2**31 - 1, 2**31, 2**32 - 1)),
    "bytes per second": ("<I", 28, (0, 1, 2**32 - 1)),
    "frame": ("<H", 32, (0, 1, 3, 65535)),
    "bits": ("<H", 34, (0, 1, 7, 8, 12, 20, 24, 32, 33, 64, 128, 65535)),
    "whole": ("<I", 4, (0, 1, 2**31 - 1, 2**32 - 1)),
    "header": ("<I", 16, (0, 1, 14, 17, 18, 40, 2**31 - 1, 2**32 - 1)),
    "data": ("<I", 40, (0, 1, 3, 2**31 - 1, 2**31, 2**32 - 1)),
}
LEVELS = (np.nan, np.inf, -np.inf, 1e6, 1e20, 1e38, -3e38, 3.4e38, 1e-45)


def write_hostile(folder):
    """Write a few hundred bad files, a folder for each kind."""
    wav = write(folder / "seed/a.wav", noise(N_SAMPLES / RATE_HZ)).read_bytes()
    for field, (layout, place, values) in FIELDS.items():
        for value in values:
            content = bytearray(wav)
            struct.pack_into(layout, content, place, value)
            _put(folder / "lying" / f"{field} {value}.wav", content)
    for number, (rate, channels) in enumerate([(0, 0), (2**32 - 1, 65535), (1, 65535), (0, 65535)]):
        content = bytearray(wav)
        struct.pack_into("<HI", content, 22, channels, rate)
        _put(folder / "lying" / f"both {number}.wav", content)
    for subtype, kind in (("FLOAT", np.float32), ("DOUBLE", np.float64)):
        for level in (*LEVELS, 1e300)[: 9 if kind is np.float32 else 10]:
            for place in (slice(None), slice(7, 8)):
                samples = noise(N_SAMPLES / RATE_HZ).astype(kind)
                samples[place] = level
                name = f"{subtype} {level:g} {'all' if place.start is None else 'one'}.wav"
                write(folder / "levels" / name, samples, subtype=subtype)
    for suffix in ("wav", "flac", "ogg", "mp3"):
        whole = write(folder / f"seed/b.{suffix}", noise(N_SAMPLES / RATE_HZ, seed=1)).read_bytes()
        for n_bytes in range(0, 130 if suffix == "ogg" else 64):
            _put(folder / f"cut {suffix}" / f"{n_bytes:03}.{suffix}", whole[:n_bytes])
        for place in range(0, 64):
            content = bytearray(whole)
            content[place] ^= 0xFF
            _put(folder / f"flipped {suffix}" / f"{place:03}.{suffix}", content)


def _put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
