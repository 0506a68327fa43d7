import numpy as np
import pytest

from ml_backend.embedders import load_embedder
from ml_backend.embedders.audioset import CLASS_LIST, N_CLASSES, read_audioset_names
from ml_backend.errors import SettingsError, WeightsError
from ml_backend.learning.prior import Tagger, find_tagger, match_names, parse_names

NAMES = (
    "Speech", "Children shouting", "Children playing", "Dog", "Bark", "Baby cry, infant cry",
    "Music", "Background music", "Vehicle horn, car horn, honking", "Police car (siren)",
    "Dental drill, dentist's drill", "Idling", "Engine", "Siren", "Air conditioning", "Drill",
    "Gunshot, gunfire", "Noise", "Whimper", "Whimper (dog)", "Waves, surf",
)  # fmt: skip


@pytest.mark.parametrize(
    ("class_name", "expected"),
    [
        ("siren", ["Siren"]),
        ("SIRENS", ["Siren"]),
        ("gun_shot", ["Gunshot, gunfire"]),
        ("GunShot", ["Gunshot, gunfire"]),
        ("car_horn", ["Vehicle horn, car horn, honking"]),
        ("air_conditioner", ["Air conditioning"]),
        ("drilling", ["Drill"]),
        ("engine_idling", ["Idling"]),
        ("children_playing", ["Children shouting", "Children playing"]),
        ("street_music", ["Music"]),
        ("dog_bark", ["Dog", "Bark"]),
        ("crying baby", ["Baby cry, infant cry"]),
        ("police car", ["Police car (siren)"]),
        ("whimper", ["Whimper", "Whimper (dog)"]),
        ("background music", ["Background music"]),
        ("noise", ["Noise"]),
        ("sea waves", ["Waves, surf"]),
        ("quux", []),
        ("雨", []),
        ("---", []),
    ],
)
def test_a_class_is_matched_to_the_names_that_mean_it(class_name, expected):
    assert match_names([class_name], NAMES) == (tuple(expected),)


@pytest.mark.parametrize(
    "class_name",
    ["other", "Others", "none", "no siren", "not_siren", "background", "rest", "unknown"],
)  # fmt: skip
def test_what_stands_for_the_rest_matches_nothing(class_name):
    assert match_names([class_name], NAMES) == ((),)


def test_the_user_has_the_last_word():
    said = parse_names("siren = Siren|Police car (siren); drilling=;Engine Idling=engine")
    matched = match_names(["siren", "drilling", "engine_idling", "music"], NAMES, said)
    assert matched == (("Police car (siren)", "Siren"), (), ("Engine",), ("Music",))


def test_a_name_that_audioset_does_not_have_is_told():
    with pytest.raises(SettingsError, match=r"'siren' is 'Sirene', which is no AudioSet class"):
        match_names(["siren"], NAMES, {"siren": ("Sirene",)})
    with pytest.raises(SettingsError, match=r"the part 'siren'; write"):
        parse_names("siren")


def test_of_several_names_the_largest_logit_counts_and_no_name_is_nan():
    def tag(embeddings):
        return embeddings[:, :1] + np.arange(len(NAMES), dtype=np.float32) % 5

    prior = Tagger(NAMES, tag).prior(["dog_bark", "other"])
    assert prior.names == (("Dog", "Bark"), ())
    found = prior.logits(np.zeros((20_000, 2), np.float32))
    assert np.isnan(found[:, 1]).all()
    assert (found[:, 0] == 4.0).all()  # Dog is number 3, Bark number 4
    assert Tagger(NAMES, tag).prior(["quux", "other"]) is None


def write_list(folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    rows = "".join(f'{number},/m/{number},"{name}"\n' for number, name in enumerate(names))
    (folder / CLASS_LIST).write_text("index,mid,display_name\n" + rows, encoding="utf-8")


def test_the_list_is_read_beside_the_weights_or_from_the_cache(tmp_path):
    names = tuple(f"Sound {number}, or so" for number in range(N_CLASSES))
    write_list(tmp_path / "weights", names)
    write_list(tmp_path / "cache", names[::-1])
    (tmp_path / "weights" / "mine.pt").write_bytes(b"")
    beside = tmp_path / "weights"
    for given in (beside, beside / "mine.pt"):
        assert read_audioset_names(given, tmp_path / "cache") == names
    assert read_audioset_names(None, tmp_path / "cache") == names[::-1]
    assert read_audioset_names(tmp_path, tmp_path / "cache") == names[::-1]


def test_another_list_is_refused(tmp_path):
    write_list(tmp_path, NAMES)
    with pytest.raises(WeightsError, match=r"21 class names, wanted 527"):
        read_audioset_names(tmp_path, tmp_path)


def test_without_a_list_or_a_network_that_tags_there_is_no_prior_and_a_reason(tmp_path):
    url = "http://127.0.0.1:9/gone.csv"
    with pytest.raises(WeightsError, match=r"gone\.csv: cannot be fetched"):
        read_audioset_names(None, tmp_path, url)
    assert not (tmp_path / CLASS_LIST).exists()
    tagger, reason = find_tagger(load_embedder("melstats", None, tmp_path), None, tmp_path)
    assert tagger is None
    assert reason.startswith("melstats-2 knows no class names")


@pytest.mark.slow
def test_real_names_match_the_classes_of_urbansound(shared):
    names = read_audioset_names(shared / "weights", shared)
    classes = ["siren", "gun_shot", "air_conditioner", "jackhammer", "street_music", "other"]
    assert match_names(classes, names) == (
        ("Siren",), ("Gunshot, gunfire",), ("Air conditioning",), ("Jackhammer",), ("Music",), (),
    )  # fmt: skip
