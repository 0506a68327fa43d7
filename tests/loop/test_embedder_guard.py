"""An embedder never changes by accident, whatever makes another one load."""

import numpy as np
import pytest

from ml_backend.clip import Task
from ml_backend.embedders import find_embedder_id, load_embedder
from ml_backend.embedders.melstats import MelStats
from ml_backend.errors import SettingsError
from ml_backend.loop.embedder_guard import agree, check_embedder, check_settings
from ml_backend.settings import Settings
from ml_backend.store import open_store

OLD, NEW = "mn04-aaaaaaaa", MelStats.embedder_id


@pytest.fixture
def store():
    store = open_store("sqlite://")
    store.clips.replace_tasks(1, [Task(n, f"key {n}", "/a.wav") for n in range(3)])
    store.facts.write("embedder", {"embedder_id": OLD, "warning": None})
    yield store
    store.close()


def embed(store, embedder_id):
    store.clips.add_embeddings(embedder_id, ["key 0", "key 1"], np.ones((2, 4), np.float32))


def test_a_store_without_embeddings_takes_any_embedder(store):
    check_embedder(store, NEW)


def test_the_same_embedder_goes_on(store):
    embed(store, OLD)
    check_embedder(store, OLD)


def test_another_embedder_is_refused_with_what_to_do(store):
    embed(store, OLD)
    with pytest.raises(SettingsError, match=r"2 clips are embedded by mn04-aaaaaaaa") as caught:
        check_embedder(store, NEW)
    for advice in ("EARMARK_EMBEDDER=mn04", "--change-embedder", "Nothing was changed"):
        assert advice in str(caught.value)


def test_a_fallback_is_refused_with_the_reason(store):
    embed(store, OLD)
    with pytest.raises(SettingsError, match=r"the file is damaged"):
        check_embedder(store, NEW, "mn04 cannot be used. a.pt: the file is damaged.")


def test_people_who_do_not_run_earmark_are_told_of_no_file(store):
    embed(store, OLD)
    with pytest.raises(SettingsError) as caught:
        check_embedder(store, NEW, "mn04 cannot be used. /home/ada/a.pt: the file is damaged.")
    assert "/home/ada" in str(caught.value)
    assert "/home/ada" not in caught.value.plain


def test_other_weights_of_the_same_network_are_another_embedder(store):
    embed(store, OLD)
    with pytest.raises(SettingsError, match=r"EARMARK_WEIGHTS name those that were used before"):
        check_embedder(store, "mn04-bbbbbbbb")


def test_a_newer_melstats_is_another_embedder(store):
    store.facts.write("embedder", {"embedder_id": "melstats-0", "warning": None})
    embed(store, "melstats-0")
    with pytest.raises(SettingsError, match=r"another melstats.*--change-embedder"):
        check_embedder(store, NEW)


def test_what_an_embedder_at_work_for_a_moment_said_does_not_count(store):
    embed(store, OLD)
    store.facts.write("embedder", {"embedder_id": NEW, "warning": None})
    with pytest.raises(SettingsError, match=OLD):
        check_embedder(store, NEW)
    check_embedder(store, OLD)


def test_who_agrees_goes_on_with_the_other_and_is_asked_again_to_go_back(store, tmp_path):
    embed(store, OLD)
    settings = Settings(embedder="melstats", data_dir=tmp_path)
    with pytest.raises(SettingsError):
        check_settings(settings, store)
    agree(settings, store)
    check_settings(settings, store)
    store.facts.write("embedder", {"embedder_id": NEW, "warning": None})
    embed(store, NEW)
    with pytest.raises(SettingsError, match=NEW):
        check_embedder(store, OLD)


@pytest.mark.parametrize("name", ["melstats", "mn04"])
def test_the_embedder_is_known_before_it_is_loaded(tmp_path, name):
    (tmp_path / "mn04_as_mAP_432.pt").write_bytes(b"damaged")
    embedder = load_embedder(name, tmp_path, tmp_path)
    assert find_embedder_id(name, tmp_path, tmp_path) == (embedder.embedder_id, embedder.warning)


@pytest.mark.slow
def test_the_embedder_is_known_by_its_weights(shared, tmp_path):
    weights = shared / "weights"
    loaded = load_embedder("mn04", weights, tmp_path)
    assert find_embedder_id("mn04", weights, tmp_path) == (loaded.embedder_id, None)
