"""Sound for tests, written as real files."""

from pathlib import Path

import numpy as np
import soundfile


def tone(duration_s=0.2, *, hz=440.0, sample_rate_hz=16_000, n_channels=1, level=0.5):
    """A sine, (n_samples, n_channels); each channel half as loud as the one before."""
    times_s = np.arange(round(duration_s * sample_rate_hz)) / sample_rate_hz
    gains = level * 0.5 ** np.arange(n_channels)
    return (np.sin(2 * np.pi * hz * times_s)[:, None] * gains).astype(np.float32)


def noise(duration_s=0.2, *, sample_rate_hz=16_000, n_channels=1, seed=0):
    """White noise that no coder can guess, (n_samples, n_channels)."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.5, 0.5, (round(duration_s * sample_rate_hz), n_channels)).astype(
        np.float32
    )


def write(path, samples=None, *, sample_rate_hz=16_000, **how):
    """Write a sound where and as its name says; a tone unless samples are given."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if samples is None:
        samples = tone(sample_rate_hz=sample_rate_hz)
    soundfile.write(path, samples, sample_rate_hz, **how)
    return path


def write_m4a(path, samples, sample_rate_hz):
    """Write one channel as AAC in an M4A file, which libsndfile cannot read."""
    import av

    with av.open(str(path), "w", format="ipod") as container:
        stream = container.add_stream("aac", rate=sample_rate_hz, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples.T.copy(), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = sample_rate_hz, 0  # without a time, no edit list is written
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return path


def write_surround(path, samples, layout, codec, *, sample_rate_hz=48_000):
    """Write the channels of a layout by FFmpeg, in the format that the file's name says."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=sample_rate_hz, layout=layout)
        packed = np.ascontiguousarray(samples.reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        frame.sample_rate, frame.pts = sample_rate_hz, 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return path


def write_sparse(path, duration_s, *, sample_rate_hz=8_000):
    """Write a long silent WAV that takes next to no room on disk."""
    write(path, np.zeros((1, 1), np.float32), sample_rate_hz=sample_rate_hz, subtype="PCM_16")
    n_bytes = round(duration_s * sample_rate_hz) * 2
    header = bytearray(path.read_bytes()[:44])
    header[4:8] = (n_bytes + 36).to_bytes(4, "little")
    header[40:44] = n_bytes.to_bytes(4, "little")
    path.write_bytes(header)
    with path.open("r+b") as file:
        file.truncate(44 + n_bytes)
    return path
