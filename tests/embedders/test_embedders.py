"""One body of tests over every embedder; the mn networks run with untrained weights here."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ml_backend.embedders import EMBEDDER_NAMES, export, load_embedder
from ml_backend.embedders.melstats import MelStats
from ml_backend.embedders.runtime import MnEmbedder, TorchRuntime
from ml_backend.embedders.weights import sha256_of
from ml_backend.errors import AudioError, SettingsError

EMBEDDERS = [
    "melstats",
    *(
        pytest.param(name, marks=pytest.mark.slow)
        for name in ("mn04 on ONNX Runtime", "mn04 on torch")
    ),
]


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def untrained(tmp_path_factory):
    """A state dict of mn04 with random numbers, as a user's own weights."""
    import torch

    from ml_backend.embedders.mn import MobileNet

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "untrained.pt"
    torch.save(MobileNet(0.4).state_dict(), path)
    return path


@pytest.fixture(scope="session", params=EMBEDDERS)
def embedder(request, untrained, cache_dir):
    if request.param == "melstats":
        return load_embedder("melstats", None, cache_dir)
    if request.param == "mn04 on ONNX Runtime":
        return load_embedder("mn04", untrained, cache_dir)
    import torch

    from ml_backend.embedders.mn import load_network

    torch.set_num_threads(1)  # two wait for each other where other tests run beside them
    network = load_network("mn04", untrained)
    return MnEmbedder("mn04-untrained", TorchRuntime(network, "cpu"), network.head())


def sine(frequency_hz, duration_s, sample_rate_hz):
    time_s = np.arange(round(duration_s * sample_rate_hz)) / sample_rate_hz
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def noise(seed, duration_s, sample_rate_hz):
    rng = np.random.default_rng(seed)
    return 0.1 * rng.standard_normal(round(duration_s * sample_rate_hz), dtype=np.float32)


@pytest.fixture(scope="session")
def clips(embedder):
    """Clips of several lengths and kinds, neighbors of one length among them."""
    rate = embedder.sample_rate_hz
    return [
        noise(1, 1.0, rate),
        sine(440, 0.05, rate),
        noise(2, 1.0, rate),
        sine(3000, 1.0, rate),
        noise(3, 0.731, rate),
    ]


@pytest.fixture(scope="session")
def embeddings(embedder, clips):
    return embedder.embed(clips)


def test_every_clip_gets_one_finite_float32_row(embedder, clips, embeddings):
    assert embeddings.shape == (len(clips), embedder.embedding_dim)
    assert embeddings.dtype == np.float32
    assert np.isfinite(embeddings).all()


def test_the_same_clips_give_the_same_numbers_again(embedder, clips, embeddings):
    np.testing.assert_array_equal(embedder.embed(clips), embeddings)


def test_a_clip_gives_the_same_numbers_alone_as_among_others(embedder, clips, embeddings):
    alone = np.concatenate([embedder.embed([clip]) for clip in clips])
    np.testing.assert_allclose(alone, embeddings, rtol=1e-4, atol=1e-5 * np.ptp(embeddings))


def test_rows_come_in_the_order_of_the_clips(embedder, clips, embeddings):
    backwards = embedder.embed(clips[::-1])[::-1]
    np.testing.assert_allclose(backwards, embeddings, rtol=1e-4, atol=1e-5 * np.ptp(embeddings))


def test_different_sounds_differ_more_than_two_takes_of_one_noise(embeddings):
    take, _, other_take, tone, _ = embeddings
    assert np.linalg.norm(take - tone) > 2 * np.linalg.norm(take - other_take) > 0


@pytest.mark.parametrize("duration_s", [0.05, 30.0])
def test_the_shortest_and_a_long_clip_can_be_embedded(embedder, duration_s):
    embedding = embedder.embed([noise(4, duration_s, embedder.sample_rate_hz)])
    assert np.isfinite(embedding).all()


def test_a_clip_that_lost_its_last_sample_to_resampling_is_long_enough(embedder):
    shortest = noise(4, 0.05, embedder.sample_rate_hz)
    assert len(embedder.embed([shortest[:-1]])) == 1


@pytest.mark.parametrize("level", [0.0, 1e-30, 1e5])
def test_silence_and_samples_out_of_range_stay_finite(embedder, level):
    clip = level * np.sign(noise(5, 0.5, embedder.sample_rate_hz))
    assert np.isfinite(embedder.embed([clip])).all()


def test_no_clips_give_no_rows(embedder):
    assert embedder.embed([]).shape == (0, embedder.embedding_dim)


def test_a_waveform_is_left_as_it_was(embedder):
    clip = noise(6, 0.5, embedder.sample_rate_hz)
    before = clip.copy()
    embedder.embed([clip])
    np.testing.assert_array_equal(clip, before)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e20])
def test_a_clip_that_holds_no_sound_is_named(embedder, bad):
    good = noise(7, 0.5, embedder.sample_rate_hz)
    broken = good.copy()
    broken[100] = bad
    with pytest.raises(AudioError, match=r"row 1: its loudest sample is (nan|inf|1e\+20)"):
        embedder.embed([good, broken, good])


def test_a_clip_that_is_too_short_is_named(embedder):
    rate = embedder.sample_rate_hz
    with pytest.raises(AudioError, match=r"row 1: 0\.040 s long; a clip needs 0\.05 s"):
        embedder.embed([noise(8, 0.5, rate), noise(8, 0.04, rate)])


@pytest.mark.parametrize("shape", [(0,), (1, 32_000), (32_000, 2)])
def test_what_is_not_one_row_of_samples_is_refused(embedder, shape):
    with pytest.raises(AudioError, match="row 0: "):
        embedder.embed([np.zeros(shape, dtype=np.float32)])


@pytest.mark.slow
def test_an_mn_embedder_is_named_after_its_network_and_its_weights(untrained, cache_dir):
    embedder = load_embedder("mn04", untrained, cache_dir)
    assert embedder.embedder_id == f"mn04-{sha256_of(untrained)[:8]}"
    assert embedder.warning is None


def test_weights_that_cannot_be_had_give_melstats_with_a_word_of_why(tmp_path):
    embedder = load_embedder("mn04", tmp_path / "gone.pt", tmp_path)
    assert isinstance(embedder, MelStats)
    assert embedder.embedder_id == "melstats-2"
    assert "gone.pt: no such file" in embedder.warning
    assert "EARMARK_WEIGHTS" in embedder.warning


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", b"no state dict", b"PK\x03\x04 half an archive"])
def test_damaged_weights_give_melstats_with_a_word_of_why(tmp_path, content):
    (tmp_path / "mine.pt").write_bytes(content)
    embedder = load_embedder("mn04", tmp_path / "mine.pt", tmp_path / "cache")
    assert "mine.pt: these are no weights of mn04" in embedder.warning


@pytest.mark.slow
def test_weights_of_another_network_are_not_taken(untrained, tmp_path):
    embedder = load_embedder("mn10", untrained, tmp_path)
    assert "untrained.pt: these are no weights of mn10" in embedder.warning


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_gives_melstats_with_a_word_of_why(untrained, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    embedder = load_embedder("mn04", untrained, tmp_path / "cache")
    assert "EARMARK_DATA" in embedder.warning


def test_an_unknown_embedder_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(SettingsError, match=r"'yamnet'; choose one of mn04, .*melstats"):
        load_embedder("yamnet", None, tmp_path)
    assert EMBEDDER_NAMES == ("mn04", "mn10", "mn20", "mn40", "melstats")


@pytest.mark.slow
def test_an_export_that_is_damaged_is_made_again(untrained, cache_dir, tmp_path):
    whole = load_embedder("mn04", untrained, cache_dir)
    (export,) = cache_dir.glob("*.npz")
    damaged = tmp_path / export.name
    damaged.write_bytes(export.read_bytes()[:1000])
    clip = noise(9, 0.5, whole.sample_rate_hz)
    mended = load_embedder("mn04", untrained, tmp_path)
    np.testing.assert_array_equal(mended.embed([clip]), whole.embed([clip]))
    assert [path.name for path in tmp_path.iterdir()] == [export.name]
    assert damaged.stat().st_size > 1_000_000


def end_at_once(*_):
    os._exit(9)


@pytest.mark.slow
def test_an_export_that_is_killed_is_told_of(untrained, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_export", end_at_once)
    embedder = load_embedder("mn04", untrained, tmp_path)
    assert "the process that exports mn04 was ended" in embedder.warning
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("is_exported", [True, False])
def test_a_network_is_loaded_and_runs_without_torch(untrained, cache_dir, tmp_path, is_exported):
    load_embedder("mn04", untrained, cache_dir)
    cache_dir = cache_dir if is_exported else tmp_path
    script = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "from ml_backend.embedders import load_embedder\n"
        f"embedder = load_embedder('mn04', Path({str(untrained)!r}), Path({str(cache_dir)!r}))\n"
        "embedder.embed([np.zeros(32_000, dtype=np.float32)])\n"
        "print(*{'torch', 'torchaudio', 'librosa'} & set(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert ran.stdout.strip() == ""
