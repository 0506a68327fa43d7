"""Prepared clips are what went in, in a form that every browser plays exactly."""

import hashlib
import io
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from importer import prepare
from importer.parallel import prepare_in_parallel
from importer.prepare import (
    PreparedClip,
    audio_path,
    prepare_clips,
    remove_unfinished,
    spectrogram_path,
    to_pcm16,
)
from importer.scan import Clip, Refusal, scan
from ml_backend.errors import SettingsError
from tests.sounds import noise, tone, write, write_m4a, write_sparse

ROOT = Path(__file__).resolve().parents[2]


def prepared(path, files_dir, **how):
    (answer,) = prepare_clips([Clip(path, path.name, path.name, **how)], files_dir)
    return answer


def heard(answer, files_dir):
    return soundfile.read(audio_path(files_dir, answer.content_hash), dtype="int16", always_2d=True)


@pytest.mark.parametrize(("sample_rate_hz", "n_channels"), [(8_000, 1), (22_050, 2), (96_000, 1)])
def test_16_bit_audio_keeps_every_sample(tmp_path, sample_rate_hz, n_channels):
    rng = np.random.default_rng(0)
    samples = rng.integers(-32768, 32768, (5000, n_channels)).astype(np.int16)
    samples[:2] = [[-32768], [32767]]
    source = write(tmp_path / "a.flac", samples, sample_rate_hz=sample_rate_hz)

    pcm, rate = heard(prepared(source, tmp_path), tmp_path)

    assert rate == sample_rate_hz
    np.testing.assert_array_equal(pcm, samples)


@pytest.mark.parametrize(
    ("given", "played"),
    [
        ((4_000, 1), (48_000, 1)),
        ((192_000, 2), (48_000, 2)),
        ((16_000, 6), (16_000, 1)),
    ],
)
def test_rates_and_channels_that_browsers_do_not_play_are_converted(tmp_path, given, played):
    source = write(
        tmp_path / "a.wav",
        tone(0.5, sample_rate_hz=given[0], n_channels=given[1]),
        sample_rate_hz=given[0],
    )
    answer = prepared(source, tmp_path)
    pcm, rate = heard(answer, tmp_path)
    assert (rate, pcm.shape[1]) == played
    assert answer.duration_s == pytest.approx(0.5, abs=1e-4)


def test_m4a_becomes_wav(tmp_path):
    source = write_m4a(tmp_path / "a.m4a", tone(1.0), 16_000)
    assert heard(prepared(source, tmp_path), tmp_path)[1] == 16_000


def test_sound_beyond_full_scale_is_scaled_down_not_cut():
    pcm = to_pcm16(np.array([[3.0], [-1.5], [0.75]], np.float32)).ravel()
    np.testing.assert_allclose(pcm / pcm[0], [1, -0.5, 0.25], atol=1e-3)


def test_a_clip_is_named_by_the_bytes_of_its_audio_and_has_its_picture_beside_it(tmp_path):
    answer = prepared(write(tmp_path / "a.wav"), tmp_path)
    content = audio_path(tmp_path, answer.content_hash).read_bytes()
    assert hashlib.sha256(content).hexdigest()[:32] == answer.content_hash
    assert Image.open(spectrogram_path(tmp_path, answer.content_hash)).size == (1200, 220)
    assert not list((tmp_path / ".unfinished").iterdir())


def test_the_same_sound_in_another_lossless_format_is_the_same_clip(tmp_path):
    samples = (noise() * 32768).astype(np.int16)
    hashes = {
        prepared(write(tmp_path / name, samples), tmp_path).content_hash
        for name in ("a.wav", "b.flac", "c.aiff")
    }
    assert len(hashes) == 1


def test_a_window_is_the_piece_of_the_recording_that_it_names(tmp_path):
    samples = (noise(1.0) * 32768).astype(np.int16)
    source = write(tmp_path / "a.flac", samples)
    answer = prepared(source, tmp_path, onset_s=0.25, duration_s=0.5)
    np.testing.assert_array_equal(heard(answer, tmp_path)[0], samples[4000:12000])


def test_windows_of_three_hours_are_prepared_without_reading_the_rest(tmp_path):
    source = write_sparse(tmp_path / "night.wav", 3 * 3600)
    with source.open("r+b") as file:
        file.seek(44 + 9000 * 8000 * 2)
        file.write((noise(4.0, sample_rate_hz=8000) * 32768).astype("<i2").tobytes())
    cut = scan(source.parent, window_s=4.0)[2249:2251]

    silent, sounding = prepare_clips(cut, tmp_path)

    assert silent == Refusal(
        "night.wav 8996–9000 s",
        "is silent: every sample is 0. Check the recorder, or leave it out.",
    )
    assert sounding.duration_s == 4.0


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros((8000, 2)), "is silent: every sample is 0"),
        (np.full((8000, 1), 1e-6), "is silent"),
        (tone(0.049), r"is 0.049 s long; a clip needs 0.05 s"),
        (np.zeros((0, 1)), "holds no sound"),
    ],
)
def test_what_is_no_clip_is_refused_with_its_reason(tmp_path, samples, reason):
    answer = prepared(write(tmp_path / "a.wav", samples), tmp_path)
    assert answer.file == "a.wav"
    assert answer.reason.startswith(reason)
    assert not (tmp_path / "clips").exists()


def test_the_shortest_clip_is_accepted(tmp_path):
    assert prepared(write(tmp_path / "a.wav", tone(0.05)), tmp_path).duration_s == 0.05


def test_three_hours_without_windows_are_refused_with_the_remedy(tmp_path):
    answer = prepared(write_sparse(tmp_path / "night.wav", 3 * 3600), tmp_path)
    assert "3.0 h" in answer.reason
    assert "--window" in answer.reason


def test_bad_clips_do_not_stop_the_others_and_keep_their_place(tmp_path):
    (tmp_path / "b.wav").write_bytes(b"RIFF, but no more")
    (tmp_path / "d.wav").touch()
    good = [write(tmp_path / f"{name}.wav", noise(seed=i)) for i, name in enumerate("ace")]
    names = ["a.wav", "b.wav", "c.wav", "d.wav", "e.wav", "gone.wav"]

    answers = prepare_clips([Clip(tmp_path / name, name, name) for name in names], tmp_path)

    assert [isinstance(answer, PreparedClip) for answer in answers] == [1, 0, 1, 0, 1, 0]
    assert [answer.clip.path for answer in answers if isinstance(answer, PreparedClip)] == good


def test_whatever_fails_about_one_clip_is_its_refusal(tmp_path, monkeypatch):
    def render(samples, rate_hz):
        raise AttributeError("a library's own")

    write(tmp_path / "a.wav")
    monkeypatch.setattr(prepare, "render_spectrogram", render)
    answer = prepared(tmp_path / "a.wav", tmp_path)
    assert answer.reason == "cannot be prepared (AttributeError). Convert it or remove it."


def test_a_full_disk_is_no_clips_fault(tmp_path):
    (tmp_path / "files").write_text("no folder")
    with pytest.raises(SettingsError, match=r"files: prepared clips cannot be written there"):
        prepared(write(tmp_path / "a.wav"), tmp_path / "files")


def test_what_is_prepared_is_not_written_again(tmp_path):
    source = write(tmp_path / "a.wav")
    path = audio_path(tmp_path, prepared(source, tmp_path).content_hash)
    written = path.stat().st_mtime_ns
    prepared(source, tmp_path)
    assert path.stat().st_mtime_ns == written


def test_only_old_unfinished_files_are_removed(tmp_path):
    folder = tmp_path / ".unfinished"
    folder.mkdir()
    (folder / "old").touch()
    os.utime(folder / "old", (0, time.time() - 2 * prepare.STALE_S))
    (folder / "new").touch()
    remove_unfinished(tmp_path)
    assert [path.name for path in folder.iterdir()] == ["new"]


# --- in parallel ---


class Deadly:
    """Kills the worker that unpickles it."""

    def __reduce__(self):
        return os._exit, (9,)


@pytest.fixture
def many(tmp_path):
    for i in range(40):
        write(tmp_path / f"in/{i:02d}.wav", noise(0.1, seed=i))
    return scan(tmp_path / "in")


@pytest.mark.slow
def test_many_workers_answer_what_one_answers_in_the_same_order(tmp_path, many):
    many[3] = replace(many[3], path=tmp_path / "gone.wav")
    assert list(prepare_in_parallel(many, tmp_path / "2", 2)) == list(
        prepare_in_parallel(many, tmp_path / "1", 1)
    )


@pytest.mark.slow
def test_a_clip_that_kills_its_worker_is_refused_alone(tmp_path, many):
    many[20] = replace(many[20], metadata={"x": Deadly()})

    answers = list(prepare_in_parallel(many, tmp_path, 2))

    assert [answer.clip.file for answer in answers[:20]] == [clip.file for clip in many[:20]]
    assert answers[20].file == "20.wav"
    assert "crashes" in answers[20].reason
    assert [answer.clip.file for answer in answers[21:]] == [clip.file for clip in many[21:]]


IMPORT = """
import sys
from pathlib import Path
from importer.parallel import prepare_in_parallel
from importer.scan import scan
clips = scan(Path(sys.argv[1])) * 50
for answer in prepare_in_parallel(clips, Path(sys.argv[2]), 2):
    print(answer.content_hash, flush=True)
"""


@pytest.mark.slow
@pytest.mark.slow
def test_a_script_that_guards_nothing_is_told_so_and_no_clip_is_blamed(tmp_path, many):
    (tmp_path / "script.py").write_text(IMPORT.replace("answer.content_hash", "answer"))
    command = [sys.executable, "script.py", "in", "files"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "if __name__ == '__main__':" in done.stderr.strip().splitlines()[-1]
    assert done.stdout == ""


@pytest.mark.slow
def test_a_killed_import_leaves_whole_files_only_and_no_worker(tmp_path, many):
    command = [sys.executable, "-c", IMPORT, str(tmp_path / "in"), str(tmp_path / "files")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        workers = _children(process.pid)
        process.send_signal(signal.SIGKILL)

    for path in (tmp_path / "files/clips").rglob("*.wav"):
        assert hashlib.sha256(path.read_bytes()).hexdigest()[:32] == path.stem
    for path in (tmp_path / "files/clips").rglob("*.png"):
        Image.open(io.BytesIO(path.read_bytes())).load()
    assert workers
    deadline = time.monotonic() + 10
    while any(_runs(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_runs(worker) for worker in workers)


def _children(pid):
    if not Path("/proc/self/task").exists():
        pytest.skip("finds processes through /proc")
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_no_worker_is_left_when_the_answers_are_not_read_to_the_end(tmp_path, many):
    answers = prepare_in_parallel(many, tmp_path, 2)
    next(answers)
    answers.close()
    assert not multiprocessing.active_children()
