"""Recordings are read as they are, whatever their format, and refused with a clear word."""

import struct
import tracemalloc

import numpy as np
import pytest

from ml_backend.audio import decoders
from ml_backend.audio.reading import (
    Recording,
    duration_of,
    open_recording,
    read_piece,
    read_recording,
    waveform,
)
from ml_backend.errors import AudioError
from tests.sounds import noise, tone, write, write_m4a, write_sparse, write_surround


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.aiff", "a.au", "a.w64", "a.caf"])
@pytest.mark.parametrize(("sample_rate_hz", "n_channels"), [(8_000, 1), (44_100, 2), (96_000, 6)])
def test_lossless_formats_give_every_sample_back(tmp_path, name, sample_rate_hz, n_channels):
    samples = noise(0.1, sample_rate_hz=sample_rate_hz, n_channels=n_channels)
    path = write(tmp_path / name, samples, sample_rate_hz=sample_rate_hz, subtype="PCM_24")

    recording = read_recording(path)

    assert recording.sample_rate_hz == sample_rate_hz
    np.testing.assert_allclose(recording.samples, samples, atol=2**-23)


@pytest.mark.parametrize("name", ["a.ogg", "a.mp3", "a.m4a", "a.opus"])
def test_lossy_formats_keep_the_sound_and_its_place_in_time(tmp_path, name):
    rate = 48_000 if name == "a.opus" else 44_100
    chirp = np.sin(2 * np.pi * 300 * np.exp(2 * np.arange(rate) / rate))[:, None].astype("f4") / 2
    if name == "a.m4a":
        path = write_m4a(tmp_path / name, chirp, rate)
    else:
        how = {"format": "OGG", "subtype": "OPUS"} if name == "a.opus" else {}
        path = write(tmp_path / name, chirp, sample_rate_hz=rate, **how)

    recording = read_recording(path)

    assert recording.duration_s == pytest.approx(1.0, abs=0.03)
    n_shared = min(len(recording.samples), len(chirp)) - 2000
    heard, written = recording.samples[2000:n_shared, 0], chirp[2000:n_shared, 0]
    assert np.corrcoef(heard, written)[0, 1] > 0.99


@pytest.mark.parametrize(
    ("name", "codec", "layout", "n_channels"),
    [
        ("a.mkv", "flac", "5.1", 6),
        ("a.mkv", "flac", "7.1", 8),
        ("a.mkv", "pcm_s16le", "hexadecagonal", 16),
        ("a.m4a", "alac", "5.1", 6),
    ],
)
def test_every_channel_of_surround_sound_comes_back(tmp_path, name, codec, layout, n_channels):
    samples = noise(0.2, sample_rate_hz=48_000, n_channels=n_channels)
    path = write_surround(tmp_path / name, samples, layout, codec)

    np.testing.assert_allclose(read_recording(path).samples, samples, atol=2**-15)


def test_lossy_surround_sound_keeps_its_channels(tmp_path):
    loudness = 0.5 ** np.arange(1, 9)
    samples = tone(0.5, hz=60, sample_rate_hz=48_000, n_channels=8)  # low enough for all of them
    path = write_surround(tmp_path / "a.m4a", samples, "7.1", "aac")

    heard = read_recording(path).samples[4_800:19_200]  # (n_samples, 8)

    np.testing.assert_allclose(heard.max(axis=0), loudness, rtol=0.2)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.m4a"])
def test_a_piece_is_what_the_whole_holds_there(tmp_path, name):
    samples = noise(3.0, sample_rate_hz=22_050)
    if name == "a.m4a":
        path = write_m4a(tmp_path / name, samples, 22_050)
    else:
        path = write(tmp_path / name, samples, sample_rate_hz=22_050)
    whole = read_recording(path).samples

    with open_recording(path) as file:
        pieces = [read_piece(file, onset_s, 0.5).samples for onset_s in (0.0, 1.0, 1.5, 0.5)]

    for onset_s, piece in zip((0.0, 1.0, 1.5, 0.5), pieces, strict=True):
        first = round(onset_s * 22_050)
        np.testing.assert_allclose(piece, whole[first : first + 11_025], atol=1e-4)


@pytest.mark.parametrize("name", ["a.wav", "a.m4a"])
def test_bytes_are_read_like_the_file_they_came_from(tmp_path, name):
    if name == "a.m4a":
        path = write_m4a(tmp_path / name, tone(0.5), 16_000)
    else:
        path = write(tmp_path / name)

    assert np.array_equal(read_recording(path.read_bytes()).samples, read_recording(path).samples)


def test_a_duration_comes_from_the_header(tmp_path):
    assert duration_of(write(tmp_path / "a.flac", noise(0.25))) == pytest.approx(0.25)
    assert duration_of(write_m4a(tmp_path / "a.m4a", noise(1.0), 16_000)) == pytest.approx(1, 0.1)


def test_a_waveform_is_the_mean_of_the_channels(tmp_path):
    samples = np.column_stack([np.full(100, 0.5), np.full(100, -0.1)]).astype(np.float32)

    assert waveform(Recording(samples, 8_000), 8_000) == pytest.approx(np.full(100, 0.2))


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 192_000])
def test_resampling_keeps_a_tone_and_its_length(rate):
    heard = waveform(Recording(tone(1.0, hz=1000, sample_rate_hz=rate), rate), 32_000)

    assert abs(len(heard) - 32_000) <= 1
    middle = slice(2_000, 30_000)
    expected = tone(1.0, hz=1000, sample_rate_hz=32_000)[middle, 0]
    np.testing.assert_allclose(heard[middle], expected, atol=2e-3)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(AudioError, match=r"gone\.wav: there is no such file"):
        read_recording(tmp_path / "gone.wav")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(AudioError, match="no such file"):
        read_recording(tmp_path)


def test_an_empty_file_is_told_from_a_damaged_one(tmp_path):
    (tmp_path / "empty.wav").touch()
    with pytest.raises(AudioError, match=r"empty\.wav: is empty \(0 bytes\)"):
        read_recording(tmp_path / "empty.wav")
    with pytest.raises(AudioError, match="upload: is empty"):
        read_recording(b"", name="upload")


def test_a_file_without_samples_holds_no_sound(tmp_path):
    with pytest.raises(AudioError, match="holds no sound"):
        read_recording(write(tmp_path / "a.wav", np.zeros((0, 1))))


@pytest.mark.parametrize(
    "content", [b"not sound at all, only words" * 40, b"RIFF", b"\xff\xfb" * 9]
)
def test_what_is_no_audio_is_refused_with_the_formats_that_are(content):
    with pytest.raises(
        AudioError, match=r"a\.wav: (is no audio that can be read|is damaged|holds)"
    ):
        read_recording(content, name="a.wav")


@pytest.mark.parametrize("name", ["a.flac", "a.mp3", "a.m4a"])
def test_a_recording_that_is_cut_off_is_refused(tmp_path, name):
    if name == "a.m4a":
        path = write_m4a(tmp_path / name, noise(5.0), 16_000)
    else:
        path = write(tmp_path / name, noise(5.0))
    whole = path.read_bytes()
    with pytest.raises(AudioError, match=r"is (cut off or )?damaged|is no audio"):
        read_recording(whole[: len(whole) // 2], name=name)


def test_samples_that_are_no_numbers_are_refused(tmp_path):
    samples = tone()
    samples[100] = np.nan
    with pytest.raises(AudioError, match="finite numbers"):
        read_recording(write(tmp_path / "a.wav", samples, subtype="FLOAT"))


def test_a_piece_beyond_the_end_is_refused(tmp_path):
    path = write(tmp_path / "a.wav", tone(1.0))
    with pytest.raises(AudioError, match=r"from 2 s on, but it is only 1\.00 s long"):
        read_recording(path, onset_s=2.0)


def test_three_hours_are_refused_at_once_and_read_in_windows_within_little_memory(tmp_path):
    path = write_sparse(tmp_path / "night.wav", 3 * 3600)

    with pytest.raises(AudioError, match=r"3\.0 h are too long .* --window 4"):
        read_recording(path)
    tracemalloc.start()
    piece = read_recording(path, onset_s=3 * 3600 - 4, duration_s=4)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert piece.duration_s == 4.0
    assert peak_bytes < 2_000_000


def test_many_channels_count_towards_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(decoders, "MAX_VALUES", 10_000)
    path = write(tmp_path / "a.wav", noise(0.2, n_channels=4))
    with pytest.raises(AudioError, match="4 channels at 16000 Hz are too much"):
        read_recording(path)


@pytest.mark.parametrize(
    ("header", "wanted_s"),
    [
        (b"\x44\x89\x88" + struct.pack(">d", 10.0), 60.0),  # says that all of it lasts 10 ms
        (b"\xec\x89" + bytes(9), None),  # does not say
    ],
)
def test_no_header_leads_beyond_the_limit(tmp_path, monkeypatch, header, wanted_s):
    monkeypatch.setattr(decoders, "MAX_VALUES", 100_000)
    samples = noise(0.5, sample_rate_hz=48_000, n_channels=6)
    content = write_surround(tmp_path / "a.mka", samples, "5.1", "flac").read_bytes()
    at = content.index(b"\x44\x89\x88")  # Matroska's duration
    content = content[:at] + header + content[at + len(header) :]

    with pytest.raises(AudioError, match=r"a\.mka: holds more than 100000 values .*--window 4"):
        read_recording(content, name="a.mka", duration_s=wanted_s)

    assert read_recording(content, duration_s=0.2).samples.shape == (9_600, 6)


@pytest.mark.parametrize(
    ("name", "playlist"),
    [
        ("trap.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n{path}\n#EXT-X-ENDLIST\n"),
        ("trap.wav", "ffconcat version 1.0\nfile secret.mp3\n"),
    ],
)
def test_a_playlist_does_not_lead_to_other_files(tmp_path, monkeypatch, name, playlist):
    monkeypatch.chdir(tmp_path)
    secret = write(tmp_path / "secret.mp3", tone(1.0))
    trap = tmp_path / name
    trap.write_text(playlist.format(path=f"file://{secret}"))
    for source in (trap, trap.read_bytes()):
        with pytest.raises(AudioError, match="no audio"):
            read_recording(source)
