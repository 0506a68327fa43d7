"""The street set: what is written, that it can be finished, and that it sounds like a street."""

import csv
import hashlib
from collections import Counter, defaultdict
from datetime import datetime

import numpy as np
import pytest
import soundfile

from importer.demo.streets import make_street_set
from importer.demo.streets.acoustics import SPEED_OF_SOUND_M_S, pass_by, street_response
from importer.demo.streets.machines import car_horn, engine, jackhammer, siren
from importer.demo.streets.scene import SOURCES
from importer.demo.streets.street_set import COLUMNS, plan
from importer.demo.streets.synthesis import (
    SAMPLE_RATE_HZ,
    convolved,
    harmonics,
    noise,
    phase,
    resonance,
)
from ml_backend.errors import SourceError

N_CLIPS = 24
CLOCK_S = np.arange(4 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ


@pytest.fixture(scope="module")
def table_path(tmp_path_factory):
    return make_street_set(tmp_path_factory.mktemp("streets"), n_clips=N_CLIPS)


@pytest.fixture(scope="module")
def rows(table_path):
    with table_path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def fingerprints(folder):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.suffix in (".wav", ".csv")
    }


def test_every_row_has_its_clip_and_every_clip_its_row(table_path, rows):
    files = sorted(path.name for path in table_path.parent.glob("*.wav"))
    assert [row["file"] for row in rows] == files
    assert len(files) == N_CLIPS


def test_clips_are_four_seconds_of_16_bit_mono_that_never_clip(table_path, rows):
    for row in rows:
        path = table_path.parent / row["file"]
        kind = soundfile.info(path)
        assert (kind.frames, kind.samplerate, kind.channels) == (88_200, 22_050, 1)
        assert kind.subtype == "PCM_16"
        samples, _ = soundfile.read(path)
        assert 0.15 < np.abs(samples).max() < 0.97
        assert abs(samples.mean()) < 0.01


def test_metadata_has_types_and_no_gaps(rows):
    for row in rows:
        assert tuple(row) == COLUMNS
        assert all(row.values())
        at = datetime.fromisoformat(row["recorded_at"])
        assert row["is_weekend"] == ("true" if at.weekday() >= 5 else "false")
        assert row["weather"] in ("dry", "rain", "wind")
        assert row["salience"] in ("1", "2")
        assert -15 < float(row["temperature_c"]) < 40


def test_pandas_reads_the_types(table_path):
    import pandas as pd

    table = pd.read_csv(table_path, parse_dates=["recorded_at"])
    assert table.is_weekend.dtype == bool
    assert table.temperature_c.dtype == float
    assert table.salience.dtype == int
    assert table.recorded_at.dtype.kind == "M"


def test_every_class_is_there(rows):
    assert {row["label"] for row in rows} == set(SOURCES)


def test_clips_of_a_recording_share_all_but_their_sound_and_moment(table_path, rows):
    recordings = defaultdict(list)
    for row in rows:
        recordings[row["recording_id"]].append(row)
    assert max(map(len, recordings.values())) <= 4
    for takes in recordings.values():
        for column in ("label", "weather", "salience", "street", "temperature_c"):
            assert len({take[column] for take in takes}) == 1
        for column in ("file", "recorded_at"):
            assert len({take[column] for take in takes}) == len(takes)
    assert len(set(fingerprints(table_path.parent).values())) == N_CLIPS + 1


def test_nothing_but_the_label_column_names_a_class(table_path, rows):
    names = " ".join(path.name for path in table_path.parent.iterdir())
    names += " ".join(value for row in rows for key, value in row.items() if key != "label")
    assert not [label for label in SOURCES if label in names]


@pytest.mark.parametrize("seed", range(3))
def test_a_sixth_to_a_fifth_of_the_whole_set_are_sirens(seed):
    recordings = plan(400, seed)
    counts = Counter()
    for recording in recordings:
        counts[recording.label] += recording.n_takes
    assert counts.total() == 400
    assert 400 / 6 <= counts["siren"] <= 400 / 5
    assert 125 <= len(recordings) <= 160


def test_evenings_hold_more_sirens_in_front_and_still_mostly_other_sounds():
    recordings = [recording for seed in range(20) for recording in plan(400, seed)]
    striking = [it for it in recordings if it.recorded_at.hour >= 20 and it.salience == 1]

    def siren_share(some):
        return np.mean([recording.label == "siren" for recording in some])

    assert siren_share(recordings) + 0.03 < siren_share(striking) < 0.4


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(table_path, tmp_path):
    again = make_street_set(tmp_path / "again", n_clips=3)
    assert fingerprints(again.parent) == fingerprints(
        make_street_set(tmp_path / "twice", n_clips=3).parent
    )
    other = make_street_set(tmp_path / "other", n_clips=3, seed=1)
    assert not set(fingerprints(again.parent).values()) & set(fingerprints(other.parent).values())


def test_a_complete_set_is_left_alone(table_path):
    before = {path: path.stat().st_mtime_ns for path in table_path.parent.iterdir()}
    told = []
    make_street_set(table_path.parent, N_CLIPS, on_progress=lambda *counts: told.append(counts))
    assert {path: path.stat().st_mtime_ns for path in table_path.parent.iterdir()} == before
    assert told == [(n, N_CLIPS) for n in range(1, N_CLIPS + 1)]


def test_a_stopped_run_is_finished_and_gives_the_same_set(tmp_path):
    whole = fingerprints(make_street_set(tmp_path / "whole", n_clips=4).parent)

    class Stop(Exception):
        pass

    def stop(n_done, n_clips):
        if n_done == 2:
            raise Stop

    with pytest.raises(Stop):
        make_street_set(tmp_path / "stopped", n_clips=4, on_progress=stop)
    assert not (tmp_path / "stopped" / "metadata.csv").exists()
    (tmp_path / "stopped" / "street_0003.part").write_bytes(b"half a cl")
    kept = tmp_path / "stopped" / "street_0001.wav"
    made_at = kept.stat().st_mtime_ns
    make_street_set(tmp_path / "stopped", n_clips=4)
    assert fingerprints(tmp_path / "stopped") == whole
    assert kept.stat().st_mtime_ns == made_at


def test_another_set_replaces_the_one_that_is_there(tmp_path):
    make_street_set(tmp_path / "one", n_clips=3)
    make_street_set(tmp_path / "one", n_clips=2, seed=5)
    assert fingerprints(tmp_path / "one") == fingerprints(
        make_street_set(tmp_path / "two", n_clips=2, seed=5).parent
    )


def test_a_folder_with_other_files_is_refused_and_left_as_it_was(tmp_path):
    (tmp_path / "street_0001.wav").write_bytes(b"mine")
    with pytest.raises(SourceError, match="name an empty folder"):
        make_street_set(tmp_path, n_clips=1)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"mine"]


def test_no_clips_are_refused(tmp_path):
    with pytest.raises(SourceError, match="at least 1"):
        make_street_set(tmp_path, n_clips=0)


def dominant_hz(waveform, n_frame=2048):
    """Find the loudest frequency between 300 and 2000 Hz in every frame that is not silent."""
    frames = waveform[: len(waveform) // n_frame * n_frame].reshape(-1, n_frame)
    spectra = np.abs(np.fft.rfft(frames * np.hanning(n_frame), axis=1))
    frequencies_hz = np.fft.rfftfreq(n_frame, 1 / SAMPLE_RATE_HZ)
    spectra[:, (frequencies_hz < 300) | (frequencies_hz > 2000)] = 0
    loud = spectra.max(axis=1) > 0.1 * spectra.max()
    return frequencies_hz[spectra[loud].argmax(axis=1)]


@pytest.mark.parametrize("seed", range(8))
def test_a_siren_moves_by_a_fourth_or_more_between_450_and_1800_hz(seed):
    rng = np.random.default_rng(seed)
    pitch_hz = dominant_hz(siren(rng)(CLOCK_S, rng))
    low_hz, high_hz = np.quantile(pitch_hz, [0.05, 0.95])
    assert 450 < low_hz < high_hz < 1800
    assert high_hz / low_hz > 1.25


@pytest.mark.parametrize("seed", range(4))
def test_a_horn_stays_on_its_notes(seed):
    rng = np.random.default_rng(seed)
    pitch_hz = dominant_hz(car_horn(rng)(CLOCK_S, rng))
    median_hz = np.median(pitch_hz)
    assert np.mean(np.abs(pitch_hz / median_hz - 1) < 0.03) > 0.8


@pytest.mark.parametrize(
    ("make", "lowest_hz", "highest_hz"), [(jackhammer, 14, 30), (engine, 18, 180)]
)
def test_blows_and_firings_repeat_at_their_rate(make, lowest_hz, highest_hz):
    rng = np.random.default_rng(3)
    waveform = make(rng)(CLOCK_S, rng)
    power = (waveform**2).reshape(-1, 50).mean(axis=1)  # 441 frames/s
    spectrum = np.abs(np.fft.rfft(power - power.mean()))
    rates_hz = np.fft.rfftfreq(len(power), 50 / SAMPLE_RATE_HZ)
    audible = rates_hz > 8
    assert lowest_hz <= rates_hz[audible][spectrum[audible].argmax()] <= highest_hz


def test_a_source_that_comes_is_high_and_one_that_goes_is_low():
    times_s = np.arange(0, 20, 1 / SAMPLE_RATE_HZ)
    emitted_s, gain = pass_by(times_s, 30.0, 3.0, 10.0)
    rng = np.random.default_rng(0)
    tone = np.cos(phase(np.full_like(times_s, 1000.0), emitted_s, rng))
    n_second = SAMPLE_RATE_HZ
    coming_hz = np.abs(np.fft.rfft(tone[:n_second])).argmax()
    going_hz = np.abs(np.fft.rfft(tone[-n_second:])).argmax()
    assert coming_hz == pytest.approx(1000 * (1 + 30 / SPEED_OF_SOUND_M_S), abs=2)
    assert going_hz == pytest.approx(1000 * (1 - 30 / SPEED_OF_SOUND_M_S), abs=2)
    assert times_s[gain.argmax()] == pytest.approx(10.0, abs=0.01)
    assert gain.max() == pytest.approx(1.0)


def test_what_stands_still_is_heard_as_it_is():
    emitted_s, gain = pass_by(CLOCK_S, 0.0, 34.3, 1.0)
    np.testing.assert_allclose(emitted_s, CLOCK_S - 0.1, atol=1e-12)
    np.testing.assert_allclose(gain, 1.0)


def test_distance_and_corners_take_the_treble():
    def treble_db(distance_m, is_hidden):
        rng = np.random.default_rng(0)
        response = street_response(SAMPLE_RATE_HZ, distance_m, is_hidden=is_hidden, rng=rng)
        spectrum = np.abs(np.fft.rfft(response)) ** 2
        return 10 * np.log10(spectrum[6000:9000].mean() / spectrum[300:1000].mean())

    assert treble_db(10, False) > treble_db(200, False) + 6
    assert treble_db(200, False) > treble_db(200, True) + 3


def test_reverberation_is_the_slow_sum_of_echoes():
    rng = np.random.default_rng(0)
    waveform, response = rng.normal(size=400), rng.normal(size=100)
    slow = [
        sum(response[lag] * waveform[n - lag] for lag in range(min(n + 1, 100))) for n in range(400)
    ]
    np.testing.assert_allclose(convolved(waveform, response), slow)


def test_a_tone_is_the_slow_sum_of_its_harmonics():
    angle = np.linspace(0, 300, 1000)
    amplitudes = np.random.default_rng(0).normal(size=30)
    slow = sum(a * np.cos(k * angle) for k, a in enumerate(amplitudes, start=1))
    np.testing.assert_allclose(harmonics(angle, amplitudes), slow, atol=1e-9)


def test_noise_has_the_spectrum_asked_for():
    waveform = noise(88_200, lambda f: resonance(f, 3000, 400), np.random.default_rng(0))
    power = np.abs(np.fft.rfft(waveform)) ** 2  # bins of 0.25 Hz
    at_center, at_edge = power[11_800:12_200].mean(), power[12_600:13_000].mean()
    assert at_center / at_edge == pytest.approx(2, rel=0.25)
    assert waveform.std() == pytest.approx(1)


@pytest.mark.slow
def test_sirens_can_be_learned_but_not_from_a_few_labels(tmp_path):
    """Log-mel and MFCC statistics, logistic regression, recordings never split."""
    import librosa
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import GroupShuffleSplit
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    table_path = make_street_set(tmp_path)
    with table_path.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    features = []
    for row in rows:
        samples, _ = soundfile.read(tmp_path / row["file"])
        mel = librosa.feature.melspectrogram(y=samples, sr=SAMPLE_RATE_HZ, n_mels=64)
        level = librosa.power_to_db(mel)
        both = np.concatenate([level, librosa.feature.mfcc(S=level)])
        steps = np.abs(np.diff(both, axis=1)).mean(axis=1)
        features.append(np.concatenate([both.mean(axis=1), both.std(axis=1), steps]))
    features = np.array(features)  # (n_clips, 252)
    is_siren = np.array([row["label"] == "siren" for row in rows])
    groups = [row["recording_id"] for row in rows]
    rng = np.random.default_rng(0)
    with_all, with_few = [], []
    for train, test in GroupShuffleSplit(20, test_size=1 / 3, random_state=0).split(
        features, groups=groups
    ):
        for labeled, accuracies in [(train, with_all), (rng.choice(train, 20), with_few)]:
            if is_siren[labeled].any():
                head = make_pipeline(
                    StandardScaler(),
                    LogisticRegression(C=0.01, class_weight="balanced", max_iter=2000),
                ).fit(features[labeled], is_siren[labeled])
                guesses = head.predict(features[test])
                accuracies.append(balanced_accuracy_score(is_siren[test], guesses))
    assert np.mean(with_all) > 0.85
    assert np.mean(with_few) < np.mean(with_all) - 0.1
