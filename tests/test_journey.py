"""A clip's whole way, from a WAV file to the annotator and back, over a Label Studio in memory."""

import shutil
import threading
import time
import wave
from dataclasses import replace

import numpy as np
import pytest

from importer.push import push_clips
from importer.scan import scan
from importer.serving import LocalFiles
from ml_backend.embedders import load_embedder
from ml_backend.label_studio.label_config import label_config_xml
from ml_backend.loop.scheduler import Scheduler
from ml_backend.settings import Settings
from ml_backend.store import open_store
from ml_backend.web import create_app
from ml_backend.web.snapshot import embedder
from tests.fake_label_studio import TOKEN, FakeLabelStudio

SECRET = "a secret of the journey"
RATE_HZ = 16_000
PATIENCE_S = 120.0  # a test that passes waits for events, and not for this


def write_wav(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def sound(kind, rng):
    times_s = np.arange(RATE_HZ // 4) / RATE_HZ
    hiss = 0.05 * rng.standard_normal(len(times_s))
    if kind == "siren":
        pitch_hz = rng.uniform(600, 1200) + 300 * np.sin(2 * np.pi * 4 * times_s)
        return 0.5 * np.sin(2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ) + hiss
    return 6 * hiss * rng.uniform(0.5, 1.0)


N_CLIPS = 24
TRUTH = {f"{n:02d}.wav": "siren" if n % 4 == 0 else "other" for n in range(N_CLIPS)}


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    """Recordings, and the folder that they were once prepared in."""
    folder = tmp_path_factory.mktemp("street")
    recordings = folder / "recordings"
    recordings.mkdir()
    rng = np.random.default_rng(0)
    for name, kind in TRUTH.items():
        write_wav(recordings / name, sound(kind, rng))
    loop = Loop(folder, recordings)
    loop.push()
    loop.store.close()
    return folder


class Loop:
    """A folder of clips, a Label Studio, and a worker that can be stopped and started."""

    def __init__(self, folder, recordings):
        self.recordings = recordings
        self.studio = FakeLabelStudio()
        config = label_config_xml(("siren", "other"), multi_label=False)
        self.project_id = self.studio.add_project(config)
        self.settings = Settings(
            data_dir=folder / "data",
            secret=SECRET,
            api_key=TOKEN,
            embedder="melstats",
            files_root=folder / "files",
            debounce_s=0.02,
            poll_s=0.5,
            quiet_s=0.1,
            head_size=10,
        )
        self.label_studio = self.studio.client()
        self.embedder = load_embedder("melstats", None, folder)
        self.store = open_store(self.settings.store_url)
        self.web = create_app(self.settings, self.label_studio).test_client()
        self.stop = threading.Event()
        self.thread = None

    def push(self, recordings=None):
        return push_clips(
            self.label_studio,
            self.project_id,
            scan(recordings or self.recordings),
            files_dir=self.settings.files_root / "earmark",
            serving=LocalFiles(self.settings.files_root),
            data_dir=self.settings.data_dir,
            n_workers=1,
        )

    def start(self):
        self.stop.clear()
        worker = Scheduler(self.settings, self.store, self.label_studio, self.embedder)
        self.thread = threading.Thread(target=worker.run, args=(self.stop,))
        self.thread.start()

    def end(self):
        self.stop.set()
        if self.thread:
            self.thread.join()

    def tell(self, action):
        body = {"action": action, "project": {"id": self.project_id}}
        answer = self.web.post("/webhook", json=body, headers={"X-Earmark-Secret": SECRET})
        assert answer.status_code == 200

    def until(self, is_so):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if is_so():
                return
            time.sleep(0.02)
        pytest.fail(f"not within {PATIENCE_S} s: {self.status()}")

    @property
    def version(self):
        return self.studio.projects[self.project_id]["model_version"]

    def annotate(self, task_id, *labels, **how):
        """Submit as an annotator does, and wait until the order has followed."""
        before = self.version
        made = self.studio.annotate(task_id, *labels, **how)
        self.tell("ANNOTATION_CREATED")
        self.until(lambda: self.version != before)
        return made

    def truth_of(self, task_id):
        return TRUTH[self.studio.tasks[task_id]["data"]["clip"]]

    def status(self):
        (project,) = self.web.get("/status", auth=("earmark", SECRET)).get_json()["projects"]
        return project

    def current_predictions(self):
        return {
            one["task"]: one
            for one in self.studio.predictions
            if one["model_version"] == self.version
        }


def loop_in(folder, street):
    """A loop over prepared clips: only its Label Studio and its store are new."""
    shutil.copytree(street / "files", folder / "files")
    (folder / "data").mkdir()
    shutil.copy(street / "data" / "prepared.jsonl", folder / "data")
    made = Loop(folder, street / "recordings")
    made.push()
    return made


@pytest.fixture
def loop(tmp_path, street):
    made = loop_in(tmp_path, street)
    made.tell("TASKS_CREATED")
    yield made
    made.end()
    made.store.close()


@pytest.fixture
def running(loop):
    loop.start()
    loop.until(lambda: loop.version is not None and loop.status()["n_embedded"] == 24)
    loop.until(lambda: loop.status()["n_published"] == loop.status()["n_ranked"] == 24)
    return loop


@pytest.mark.slow
def test_every_clip_of_the_folder_can_be_met_before_any_label(running):
    queue = running.studio.queue(running.project_id)
    assert sorted(queue) == sorted(running.studio.tasks)
    assert running.version.startswith("earmark-0-")
    assert "no labels" in running.status()["state"]


def test_each_label_changes_the_order_and_labeled_clips_leave_it(running):
    for n_labels in range(1, 6):
        queue = running.studio.queue(running.project_id)
        running.annotate(queue[0], running.truth_of(queue[0]))
        assert running.version.startswith(f"earmark-{n_labels}-")
        assert queue[0] not in running.studio.queue(running.project_id)


def test_a_prediction_tells_choice_probabilities_entropy_and_place(running):
    ids = {
        kind: [t for t in running.studio.tasks if running.truth_of(t) == kind]
        for kind in ("siren", "other")
    }
    for task_id in ids["siren"][:2] + ids["other"][:2]:
        running.annotate(task_id, running.truth_of(task_id))
    running.until(lambda: len(running.current_predictions()) == 24)
    answered = {*ids["siren"][:2], *ids["other"][:2]}
    predictions = running.current_predictions()
    assert {predictions.pop(task_id)["score"] for task_id in answered} == {1.0}
    scores = sorted(one["score"] for one in predictions.values())
    assert scores == pytest.approx(np.arange(20) / 20)
    for one in predictions.values():
        choice = next(part for part in one["result"] if part["type"] == "choices")
        meta = one["result"][0]["meta"]
        shares = meta["probabilities"]
        assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
        assert choice["value"]["choices"] == [max(shares, key=shares.get)]
        p = np.array(list(shares.values()))
        entropy = -(p * np.log2(np.maximum(p, 1e-12))).sum()
        assert meta["entropy"] == pytest.approx(entropy, abs=2e-3)
        assert {"margin", "coverage_distance", "rank"} <= meta.keys()
    right = [
        one["result"][-1]["value"]["choices"] == [running.truth_of(task_id)]
        for task_id, one in predictions.items()
    ]
    assert np.mean(right) > 0.8


@pytest.mark.slow
def test_a_skipped_clip_is_not_asked_again_and_teaches_nothing(running):
    first, second = running.studio.queue(running.project_id)[:2]
    running.annotate(first, "siren")
    running.annotate(second, skipped=True)
    assert running.version.startswith("earmark-1-")
    running.until(lambda: len(running.current_predictions()) == 24)
    assert second not in running.studio.queue(running.project_id)
    assert running.status()["n_skipped"] == 1


@pytest.mark.slow
def test_a_deleted_annotation_is_unlearned_and_leads_back_to_the_same_version(running):
    before = running.version
    task_id = running.studio.queue(running.project_id)[0]
    annotation_id = running.annotate(task_id, "siren")
    running.studio.take_back(annotation_id)
    running.tell("ANNOTATIONS_DELETED")
    running.until(lambda: running.version == before)
    assert task_id in running.studio.queue(running.project_id)


@pytest.mark.slow
def test_a_changed_annotation_is_learned_anew(running):
    task_id = running.studio.queue(running.project_id)[0]
    annotation_id = running.annotate(task_id, "siren")
    before = running.version
    running.studio.change(annotation_id, choices=["other"])
    running.tell("ANNOTATION_UPDATED")
    running.until(lambda: running.version != before)
    assert running.status()["labels"] == {"siren": 0, "other": 1}


@pytest.mark.slow
def test_two_annotators_who_disagree_teach_nothing(running):
    task_id = running.studio.queue(running.project_id)[0]
    running.annotate(task_id, "siren", by=1)
    running.annotate(task_id, "other", by=2)
    assert running.version.startswith("earmark-0-")
    running.annotate(task_id, "other", by=3)
    running.until(lambda: running.status()["labels"] == {"siren": 0, "other": 1})


@pytest.mark.slow
def test_a_lost_event_is_made_up_for_by_the_clock(running):
    before = running.version
    running.studio.annotate(running.studio.queue(running.project_id)[0], "siren")
    running.until(lambda: running.version != before)


@pytest.mark.slow
def test_an_annotation_made_while_the_backend_was_down_is_learned_at_its_start(running):
    running.end()
    before = running.version
    running.studio.annotate(running.studio.queue(running.project_id)[0], "siren")
    running.start()
    running.until(lambda: running.version != before)


@pytest.mark.slow
def test_a_restart_changes_nothing_and_embeds_nothing_again(running):
    before, n_rounds = running.version, len(running.status()["rounds"])
    running.end()
    running.embedder = replace_embed(running.embedder)
    begun = len(running.studio.calls)
    running.start()
    look = ("GET", f"/api/projects/{running.project_id}")
    running.until(lambda: running.studio.calls[begun:].count(look) >= 2)  # so the first has ended
    assert running.version == before
    assert len(running.status()["rounds"]) == n_rounds


def replace_embed(embedder):
    """The same embedder, but one that must not be asked."""

    class Silent:
        embedder_id = embedder.embedder_id
        embedding_dim = embedder.embedding_dim
        sample_rate_hz = embedder.sample_rate_hz
        warning = None

        def embed(self, waveforms):
            raise AssertionError("a clip was embedded twice")

    return Silent()


@pytest.mark.slow
def test_new_and_deleted_tasks_are_followed(running, tmp_path):
    more = tmp_path / "more"
    more.mkdir()
    write_wav(more / "new.wav", sound("siren", np.random.default_rng(9)))
    assert running.push(more).added == 1
    running.tell("TASKS_CREATED")
    running.until(lambda: running.status()["n_embedded"] == 25)
    new = max(running.studio.tasks)
    running.until(lambda: new in running.current_predictions())
    with running.studio.lock:
        del running.studio.tasks[new]
    running.tell("TASKS_DELETED")
    running.until(lambda: running.status()["n_ranked"] == 24)


@pytest.mark.slow
def test_a_task_deleted_behind_our_back_does_not_stop_the_loop(running):
    queue = running.studio.queue(running.project_id)
    with running.studio.lock:
        del running.studio.tasks[queue[1]]
    running.annotate(queue[0], "siren")
    running.until(lambda: running.status()["n_clips"] == 23)


@pytest.mark.slow
def test_a_clip_whose_audio_is_gone_is_named_and_stops_nobody(loop):
    task = next(iter(loop.studio.tasks.values()))
    relative = task["data"]["audio"].partition("?d=")[2]
    (loop.settings.files_root / relative).unlink()
    loop.start()
    loop.until(lambda: loop.status()["n_failed"] == 1 and loop.status()["n_embedded"] == 23)
    (failed,) = loop.status()["failed"]
    assert failed["task"] == task["id"]
    assert "there is no such file" in failed["reason"]
    loop.until(lambda: loop.status()["n_ranked"] == 23)


@pytest.mark.slow
def test_label_studio_may_be_down_for_a_while(running):
    running.studio.is_down = True
    running.tell("ANNOTATION_CREATED")
    running.until(lambda: running.status()["error"])
    assert TOKEN not in running.status()["error"]
    task_id = running.studio.queue(running.project_id)[0]
    before = running.version
    running.studio.annotate(task_id, "siren")
    running.studio.is_down = False
    running.until(lambda: running.version != before)
    running.until(lambda: running.status()["error"] is None)


@pytest.mark.slow
def test_a_label_config_that_cannot_be_learned_is_reported_until_it_can(running):
    project = running.studio.projects[running.project_id]
    good = project["label_config"]
    project["label_config"] = "<View/>"
    running.tell("PROJECT_UPDATED")
    running.until(lambda: "label config" in (running.status()["error"] or ""))
    project["label_config"] = good.replace("other", "quiet")
    running.tell("PROJECT_UPDATED")
    running.until(lambda: set(running.status()["labels"]) == {"siren", "quiet"})


@pytest.mark.slow
def test_the_echo_of_publishing_costs_one_look_at_the_project(loop):
    loop.settings = replace(loop.settings, poll_s=3600.0)  # the clock's rounds would count, too
    loop.start()
    loop.until(lambda: loop.version is not None and loop.status()["n_published"] == N_CLIPS)
    last_of_the_quiet = ("GET", f"/api/projects/{loop.project_id}/model-versions/")
    loop.until(lambda: last_of_the_quiet in loop.studio.calls)
    loop.until(lambda: not loop.status()["is_waiting"])
    begun = len(loop.studio.calls)
    for _ in range(5):
        loop.tell("PROJECT_UPDATED")
        loop.until(lambda: not loop.status()["is_waiting"])
    assert set(loop.studio.calls[begun:]) == {("GET", f"/api/projects/{loop.project_id}")}


@pytest.mark.slow
def test_a_deleted_project_is_forgotten(running):
    del running.studio.projects[running.project_id]
    running.tell("PROJECT_UPDATED")
    running.until(lambda: running.store.agenda.project_ids() == [])


def test_predict_answers_in_order_and_hears_what_nobody_has_heard(running):
    for kind in ("siren", "other"):
        task_id = next(t for t in running.studio.tasks if running.truth_of(t) == kind)
        running.annotate(task_id, kind)
    relative = "earmark/clips/new.wav"
    write_wav(running.settings.files_root / relative, sound("siren", np.random.default_rng(5)))
    known = list(running.studio.tasks.values())[3:6]
    new = {"id": 999, "data": {"audio": f"/data/local-files/?d={relative}"}}
    gone = {"id": 998, "data": {"audio": "/data/local-files/?d=earmark/clips/gone.wav"}}
    body = {"project": running.project_id, "tasks": [known[2], gone, new, known[0], {"id": 5}]}
    results = running.web.post("/predict", json=body, auth=("earmark", SECRET)).get_json()[
        "results"
    ]
    assert [bool(one["result"]) for one in results] == [True, False, True, True, False]
    assert {one["model_version"] for one in results} == {running.version}
    for task, one in [(known[2], results[0]), (known[0], results[3])]:
        published = running.current_predictions().get(task["id"])
        if published:
            assert one["result"] == published["result"]


@pytest.mark.slow
def test_500_tasks_get_500_answers(running):
    tasks = [list(running.studio.tasks.values())[n % 24] for n in range(500)]
    body = {"project": running.project_id, "tasks": tasks}
    results = running.web.post("/predict", json=body, auth=("earmark", SECRET)).get_json()[
        "results"
    ]
    assert len(results) == 500


def ask(loop, tasks, **more):
    body = {"project": loop.project_id, "tasks": tasks, **more}
    return loop.web.post("/predict", json=body, auth=("earmark", SECRET))


@pytest.mark.slow
def test_what_label_studio_cannot_give_now_costs_the_other_tasks_nothing(running):
    known = next(iter(running.studio.tasks.values()))
    running.studio.is_down = True
    new = {"id": 999, "data": {"audio": "/data/upload/1/new.wav"}}
    label_config = running.studio.projects[running.project_id]["label_config"]
    answer = ask(running, [new, known], label_config=label_config)
    assert answer.status_code == 200
    assert [one["score"] for one in answer.get_json()["results"]] == [
        1.0,
        running.current_predictions()[known["id"]]["score"],
    ]


@pytest.mark.slow
def test_nobody_waits_for_an_embedder_that_he_does_not_need(running, monkeypatch):
    is_loading, may_load = threading.Event(), threading.Event()

    def load_slowly(*settings):
        is_loading.set()
        may_load.wait(PATIENCE_S)
        return running.embedder

    monkeypatch.setattr(embedder, "load_embedder", load_slowly)
    relative = "earmark/clips/new.wav"
    write_wav(running.settings.files_root / relative, sound("siren", np.random.default_rng(5)))
    new = {"id": 999, "data": {"audio": f"/data/local-files/?d={relative}"}}
    waiting = threading.Thread(target=ask, args=(running, [new]))
    waiting.start()
    assert is_loading.wait(PATIENCE_S)
    known = threading.Thread(target=ask, args=(running, list(running.studio.tasks.values())))
    known.start()
    known.join(5.0)
    try:
        assert not known.is_alive()
    finally:
        may_load.set()
        waiting.join()


@pytest.mark.slow
def test_a_label_studio_that_breaks_in_the_middle_of_a_round_loses_nothing(running):
    queue = running.studio.queue(running.project_id)
    running.studio.annotate(queue[0], "siren")
    running.studio.breaks_at = "import/predictions"
    running.tell("ANNOTATION_CREATED")
    running.until(lambda: "500" in (running.status()["error"] or ""))
    assert queue[0] in running.studio.tasks
    running.studio.breaks_at = None
    running.until(lambda: running.version.startswith("earmark-1-"))
    running.until(lambda: running.status()["error"] is None)
    assert running.status()["labels"] == {"siren": 1, "other": 0}


@pytest.mark.slow
def test_many_events_at_once_lead_to_few_rounds(running):
    n_rounds = len(running.status()["rounds"])
    queue = running.studio.queue(running.project_id)
    for task_id in queue[:15]:
        running.studio.annotate(task_id, running.truth_of(task_id))
        running.tell("ANNOTATION_CREATED")
    running.until(lambda: (running.version or "").startswith("earmark-15-"))
    assert len(running.status()["rounds"]) - n_rounds <= 6


@pytest.mark.slow
def test_the_same_labels_give_the_same_order_in_another_place(running, tmp_path, street):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    other = loop_in(folder, street)
    other.tell("TASKS_CREATED")
    other.start()
    try:
        other.until(lambda: other.version is not None and other.status()["n_published"] == 24)
        assert other.version == running.version
        assert other.studio.queue(other.project_id) == running.studio.queue(running.project_id)
    finally:
        other.end()
        other.store.close()
