import io
import re
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from ml_backend.audio.reading import read_recording, waveform
from ml_backend.embedders.audioset import CLASS_LIST, N_CLASSES
from ml_backend.embedders.melstats import MelStats
from ml_backend.errors import RequestError
from ml_backend.learning.prior import Tagger
from ml_backend.similarity.vectors import normalize_rows
from ml_backend.web.api import similar
from ml_backend.web.snapshot import embeddings
from ml_backend.web.snapshot.embedder import Ears, EarsOnDemand
from ml_backend.web.snapshot.embeddings import Sounds
from ml_backend.web.snapshot.packed import unpack
from ml_backend.web.snapshot.snapshots import Snapshots
from tests.seeing import SeenProject, decoded
from tests.sounds import noise, tone

WORDS = ["Siren", "Police car (siren)", "Bark", "Sea, siren song"]


def sound(samples, sample_rate_hz=16_000, kind="WAV"):
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate_hz, format=kind)
    return buffer.getvalue()


@pytest.fixture
def project(tmp_path):
    made = SeenProject(tmp_path, n=24)
    for row in (2, 5, 7):
        made.label(row)
    made.follow()
    return made


def test_neighbors_are_the_nearest_clips_labeled_ones_first(project):
    found = project.get(f"clips/{project.task_ids[0]}/neighbors?n=8").json
    row_of = {task_id: row for row, task_id in enumerate(project.task_ids)}
    rows = [row_of[one["task_id"]] for one in found]
    unit = normalize_rows(project.embeddings)
    far = 1 - unit @ unit[0]
    assert [one["distance"] for one in found] == pytest.approx(far[rows].tolist(), abs=1e-4)
    by_distance = [int(row) for row in np.argsort(far) if row != 0]
    labeled = [row for row in by_distance if row in (2, 5, 7)]
    others = [row for row in by_distance if row not in (2, 5, 7)]
    n_labeled = max(2, len(set(labeled) & set(by_distance[:8])))
    assert rows == labeled[:n_labeled] + others[: 8 - n_labeled]
    said = [[project.truth[row]] for row in labeled[:n_labeled]]
    assert [one["labels"] for one in found] == said + [[]] * (8 - n_labeled)


def test_all_clips_are_neighbors_where_there_are_few(project):
    assert len(project.get(f"clips/{project.task_ids[0]}/neighbors?n=200").json) == 23


def test_neighbors_of_what_there_is_not_are_not_found(project):
    assert project.get("clips/99999/neighbors").status_code == 404
    for n in ("0", "-1", "201", "x", "1.5", "", "9" * 4301):
        assert project.get(f"clips/{project.task_ids[0]}/neighbors?n={n}").status_code == 400


def test_a_project_that_is_too_large_to_be_compared_is_refused_before_it_is_read(
    project, monkeypatch
):
    monkeypatch.setattr(embeddings, "MAX_MATRIX_BYTES", 2 * project.embeddings.nbytes - 1)
    monkeypatch.delattr(embeddings.Gatherer, "clips")
    measured, measure = [], project.store.clips.__class__.n_bytes
    monkeypatch.setattr(
        project.store.clips.__class__,
        "n_bytes",
        lambda *asked: measured.append(asked) or measure(*asked),
    )
    for _ in range(2):
        answer = project.get(f"clips/{project.task_ids[0]}/neighbors")
        assert answer.status_code == 400
        assert "too many to be compared" in answer.json["error"]
    assert len(measured) == 1


def test_a_clip_that_nobody_has_heard_has_no_neighbors(tmp_path):
    deaf = SeenProject(tmp_path, n=3, is_embedded=False)
    deaf.follow()
    assert deaf.get(f"clips/{deaf.task_ids[0]}/neighbors").json == []


def test_a_new_clip_is_found_as_a_neighbor_without_a_restart(tmp_path):
    project = SeenProject(tmp_path, n=4, is_embedded=False)
    store, (first, *_) = project.store, project.task_ids
    store.clips.add_embeddings(project.embedder_id, project.keys[:2], project.embeddings[:2])
    project.follow()
    assert len(project.get(f"clips/{first}/neighbors").json) == 1
    store.clips.add_embeddings(project.embedder_id, project.keys[2:], project.embeddings[2:])
    project.page_data.embedded(project.project_id)
    project.page_data._drawn.clear()
    project.page_data.look(project.project_id)
    assert len(project.get(f"clips/{first}/neighbors").json) == 3


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    """A project whose clips are tones and noises that melstats has heard."""
    sounds = [tone(0.4, hz=hz) for hz in (300, 600, 1200, 2400)] + [
        noise(0.4, seed=s) for s in (1, 2)
    ]
    embedder = MelStats()
    recordings = (read_recording(sound(one)) for one in sounds)
    vectors = embedder.embed([waveform(one, embedder.sample_rate_hz) for one in recordings])
    project = SeenProject(
        tmp_path_factory.mktemp("heard"), n=7, is_embedded=False, embedder_id="melstats-2"
    )
    project.store.clips.add_embeddings("melstats-2", project.keys[:6], vectors)
    project.follow()
    project.sounds = sounds
    return project


def test_a_dropped_sound_finds_itself_first(heard):
    for row, kind in ((1, "WAV"), (4, "FLAC")):
        answer = heard.search(sound(heard.sounds[row], kind=kind))
        assert answer.status_code == 200
        told, columns = unpack(answer.get_data())
        similarity = decoded(columns["similarity"])
        assert told["n"] == 7
        assert similarity[6] is None
        assert int(np.argmax(similarity[:6])) == row
        assert similarity[row] == pytest.approx(1.0, abs=1e-3)
    assert min(similarity[4:6]) > max(similarity[:4])  # noises are like noises


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no audio|empty"),
        (b"<html>no sound</html>", "no audio"),
        (sound(tone(0.01)), "0.010 s long; a clip needs 0.05 s"),
        (sound(tone(0.3))[:60], "long|no audio|ends"),
    ],
)
def test_what_is_no_sound_is_refused_in_words(heard, content, said):
    answer = heard.search(content, name="<b>dropped</b>.wav")
    assert answer.status_code == 400, answer.get_data(as_text=True)
    assert "<b>dropped</b>.wav" in answer.json["error"]
    assert re.search(said, answer.json["error"])


def test_who_finds_others_searching_is_soon_asked_to_come_back(heard, monkeypatch):
    monkeypatch.setattr(similar, "_WAIT_FOR_EARS_S", 0.01)
    busy, door = threading.Semaphore(0), threading.Event()

    def hear(*_):
        busy.release()
        door.wait(60)
        raise RequestError("It is over.")

    monkeypatch.setattr(similar, "_embed", hear)
    content = sound(heard.sounds[1])
    others = [threading.Thread(target=heard.search, args=(content,)) for _ in range(2)]
    for other in others:
        other.start()
        assert busy.acquire(timeout=60)
    answer = heard.search(content)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    door.set()
    for other in others:
        other.join()


def test_a_search_without_a_sound_is_refused(heard):
    address = f"/projects/{heard.project_id}/search"
    for how in ({"data": {"audio": "text"}}, {"json": {}}, {}):
        answer = heard.client.post(address, auth=("earmark", heard.place.settings.secret), **how)
        assert answer.status_code == 400
        assert "form field 'audio'" in answer.json["error"]


def test_a_sound_that_is_too_large_is_refused(heard, monkeypatch):
    monkeypatch.setattr(similar, "MAX_SOUND_BYTES", 2**20)
    answer = heard.search(b"\0" * (2**20 + 1))
    assert (answer.status_code, "larger than 1 MB" in answer.json["error"]) == (400, True)


def test_where_nothing_is_embedded_nothing_can_be_found(tmp_path):
    deaf = SeenProject(tmp_path, n=2, is_embedded=False, embedder_id="melstats-2")
    deaf.follow()
    answer = deaf.search(sound(tone(0.3)))
    assert answer.status_code == 400
    assert "embedded" in answer.json["error"]


def test_another_embedder_than_the_workers_does_not_compare(project):
    answer = project.search(sound(tone(0.3)))  # the web process has melstats, the clips are toys
    assert answer.status_code == 400


@pytest.fixture
def wordy(project):
    """A project whose embedder knows words: each is one number of an embedding."""
    names = WORDS + [f"Sound {number}" for number in range(N_CLASSES - len(WORDS))]
    folder = project.place.settings.data_dir / "weights"
    folder.mkdir(parents=True)
    rows = "".join(f'{number},/m/{number},"{name}"\n' for number, name in enumerate(names))
    (folder / CLASS_LIST).write_text(f"index,mid,display_name\n{rows}")
    known = {"embedder_id": project.embedder_id, "warning": None, "why_no_names": None}
    project.store.facts.write("embedder", known)

    def tag(embeddings):
        return np.pad(embeddings, ((0, 0), (0, N_CLASSES - embeddings.shape[1])))

    ears = EarsOnDemand(project.place.settings, project.store, project.studio.client())
    toy = SimpleNamespace(embedder_id=project.embedder_id)
    ears._ears = Ears(toy, None, Tagger(tuple(names), tag))
    project.sounds = Sounds(project.store, project.place.settings, ears)
    return project


def test_words_are_found_by_their_parts_their_beginnings_first(wordy):
    found = ["Siren", "Police car (siren)", "Sea, siren song"]
    assert wordy.get("words?q=SIREN").json == {"names": found, "nearest": []}
    assert wordy.get("words?q=siren car").json["names"] == ["Police car (siren)"]
    assert len(wordy.get("words").json["names"]) == N_CLASSES


@pytest.mark.parametrize("asked", ["sirene", "syren", "Sirens!"])
def test_of_a_word_that_no_name_holds_the_nearest_names_are_told(wordy, asked):
    told = wordy.get(f"words?q={asked}").json
    assert told["names"] == []
    assert told["nearest"][0] == "Siren"
    assert "Police car (siren)" in told["nearest"]


def test_a_word_that_is_like_no_name_finds_none(wordy):
    assert wordy.get("words?q=qqqqqq").json == {"names": [], "nearest": []}


def test_an_embedder_without_names_has_no_words(project):
    assert project.get("words?q=s").json["names"] == []
    assert project.read("frame")[0]["why_no_words"] == "The embedder has not been loaded yet"
    project.store.facts.write("embedder", {"embedder_id": "toy-1", "why_no_names": "it has none"})
    assert project.get("words?q=s").json["names"] == []


def test_a_word_is_a_column_of_probabilities(wordy):
    snapshots = Snapshots(wordy.store)
    while (snapshot := snapshots.current(wordy.project_id)) is None:
        pass
    while not hasattr(column := wordy.sounds.word(snapshot, "Bark"), "stored"):
        pass
    assert column.name == "word:Bark"
    assert column.stored == pytest.approx(1 / (1 + np.exp(-wordy.embeddings[:, 2])), abs=1e-6)
    assert wordy.sounds.word(snapshot, "Whale") is None
