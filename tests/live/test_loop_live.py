"""The whole loop on real clips: a real Label Studio, the served backend, its commands, mn04.

Annotators answer through Label Studio's API with the true labels. Three projects, each with clips
of other recordings, are taught side by side until each has 60 labels; what follows looks at what
was served, what was learned, and at everything that can come between.
"""

import csv
import io
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest

from ml_backend.audio.reading import read_recording, waveform
from ml_backend.clip import TaskLabels
from ml_backend.embedders import load_embedder
from ml_backend.errors import LabelStudioError
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.learning.classifier import Classifier
from ml_backend.learning.embedded_clips import embedded_clips
from ml_backend.learning.prior import find_tagger
from ml_backend.learning.round_input import RoundInput
from ml_backend.learning.training import learn
from ml_backend.store import open_store
from ml_backend.strategies.registry import get_strategy

pytestmark = pytest.mark.live

N_CLIPS = 200
N_LABELS = 60
N_PER_ROUND = 5
N_RANDOM_DRAWS = 20
SEEDS = (0, 1)


@dataclass(frozen=True)
class Served:
    """One task that Label Studio handed out: under which version, after which others."""

    task_id: int
    model_version: str | None
    answered_before: frozenset[int]


@dataclass
class Project:
    """A project with clips in it, and an annotator who knows the truth."""

    project_id: int
    is_siren: dict[str, bool]
    journal: list[Served] = field(default_factory=list)

    def answer_next(self, annotator):
        """Take the next task, answer it truthfully, and note what was served."""
        task = next_task(annotator, self.project_id)
        # None where a version that became current meanwhile ranks the task behind its head.
        version = task["predictions"][0]["model_version"] if task["predictions"] else None
        before = frozenset(served.task_id for served in self.journal)
        self.journal.append(Served(task["id"], version, before))
        annotator.annotate(task["id"], self.truth(task))
        return task["id"]

    def truth(self, task):
        return chosen("siren" if self.is_siren[task["data"]["clip"]] else "other")


def next_task(annotator, project_id):
    """Ask for the next task as a person does, who presses the button again after an error.

    On SQLite, Label Studio answers 500 when it notes what it served while something else commits.
    """
    for _ in range(5):
        try:
            return annotator.next_task(project_id)
        except LabelStudioError:
            time.sleep(0.3)
    return annotator.next_task(project_id)


def chosen(*names):
    value = {"choices": list(names)}
    return [{"from_name": "sound", "to_name": "audio", "type": "choices", "value": value}]


@pytest.fixture(scope="module")
def table(shared):
    """The rows of every real clip."""
    with (shared / "data" / "us8k_dev" / "metadata.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def import_clips(earmark, shared, tmp_path_factory):
    """Import rows of the table into a project with `earmark import`, and wait for the order."""

    def run(project_id, rows):
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=rows[0])
        writer.writeheader()
        writer.writerows(rows)
        path = tmp_path_factory.mktemp("tables") / "clips.csv"
        path.write_text(text.getvalue(), encoding="utf-8")
        root = shared / "data" / "us8k_dev"
        summary = earmark.tell("import", path, "--root", root, "--project", str(project_id))
        assert (summary["added"], summary["refused"]) == (len(rows), [])
        earmark.wait_for_order(project_id, len(rows))
        is_siren = {row["file"].rpartition("/")[2]: row["label"] == "siren" for row in rows}
        return Project(project_id, is_siren)

    return run


@pytest.fixture(scope="module")
def few_rows(table):
    """Clips of all classes, from recordings all over fold 1."""
    return [row for row in table if row["fold"] == "1"][::12]


@pytest.fixture
def make_project(earmark, import_clips, title, few_rows):
    """Set a project up with `earmark setup`, with clips of its own."""

    def run(*options):
        report = earmark.tell("setup", "--title", title, *options)
        return import_clips(report["project_id"], few_rows[::3])

    return run


# --- two projects, taught until each has 60 labels ---


def draw_pool(table, seed):
    """Draw clips from half of each class's recordings; give them and those recordings."""
    rng = np.random.default_rng(seed)
    asked = set()
    for name in sorted({row["label"] for row in table}):
        recordings = sorted({row["recording_id"] for row in table if row["label"] == name})
        asked.update(rng.permutation(recordings)[: round(len(recordings) / 2)])
    pool = [row for row in table if row["recording_id"] in asked]
    picked = sorted(rng.choice(len(pool), N_CLIPS, replace=False))
    return [pool[number] for number in picked], asked


def teach(earmark, project):
    """Answer in sittings of five, without waiting for a round in between."""
    for n_labeled in range(0, N_LABELS, N_PER_ROUND):
        for _ in range(N_PER_ROUND):
            project.answer_next(earmark.label_studio)
        earmark.wait_for_labels(project.project_id, n_labeled + N_PER_ROUND)


@pytest.fixture(scope="module")
def taught(earmark, import_clips, table):
    projects = []
    for seed in SEEDS:
        report = earmark.tell("setup", "--title", f"Taught {seed}", "--labels", "siren,other")
        projects.append(import_clips(report["project_id"], draw_pool(table, seed)[0]))
    with ThreadPoolExecutor(len(projects)) as annotators:
        list(annotators.map(lambda project: teach(earmark, project), projects))
    return projects


@pytest.fixture(scope="module")
def store(earmark):
    opened = open_store(earmark.settings.store_url)
    yield opened
    opened.close()


def test_tasks_arrive_in_the_published_order(earmark, taught):
    for project in taught:
        published = earmark.orders(project.project_id)
        older = None
        for served in project.journal:
            # Versions that became current while the task was picked may be shown beside it already.
            span = [n_labels(one) for one in (older, served.model_version) if one is not None]
            versions = [one for one in published if min(span) <= n_labels(one) <= max(span)]
            heads = {first_left(published[one], served.answered_before) for one in versions}
            assert served.task_id in heads
            older = served.model_version or older


def n_labels(version):
    return int(version.split("-")[1])


def first_left(order, answered):
    return next(task for task in order if task not in answered)


def test_several_tasks_are_served_from_one_order_before_the_next_comes(taught):
    for project in taught:
        versions = {served.model_version for served in project.journal}
        assert N_LABELS / N_PER_ROUND <= len(versions) < N_LABELS


def test_labels_change_the_version_and_the_order_with_it(earmark, taught):
    for project in taught:
        published = earmark.orders(project.project_id)
        shown = (served.model_version for served in project.journal if served.model_version)
        versions = list(dict.fromkeys(shown))
        is_other = []
        for older, newer in itertools.pairwise(versions):
            both = set(published[older]) & set(published[newer])
            before, after = (
                [task for task in published[one] if task in both] for one in (older, newer)
            )
            is_other.append(before != after)
        assert sum(is_other) > len(is_other) / 2


def test_no_recording_comes_twice_at_the_head_of_one_order(earmark, api, taught, table):
    recording_of = {row["file"].rpartition("/")[2]: row["recording_id"] for row in table}
    for project in taught:
        orders = earmark.orders(project.project_id)
        first = next(order for name, order in orders.items() if name.startswith("earmark-0-"))
        clips = [api.get(f"/api/tasks/{task}").json()["data"]["clip"] for task in first[:10]]
        assert len({recording_of[clip] for clip in clips}) == len(clips)


def test_sixty_chosen_labels_teach_more_than_sixty_random_ones(
    earmark, taught, store, shared, table
):
    rows = [row for place, row in enumerate(table) if row["label"] == "siren" or place % 3 == 0]
    embeddings, prior = embed(shared, rows, earmark.settings)
    is_siren = np.array([row["label"] == "siren" for row in rows])
    figures = []
    for seed, project in zip(SEEDS, taught, strict=True):
        _, asked = draw_pool(table, seed)
        held_out = np.array([row["recording_id"] not in asked for row in rows])
        version = store.versions.current(project.project_id)
        judged = embeddings[held_out], is_siren[held_out]
        learned = Classifier.from_arrays(version.classifier)
        by_loop = balanced_accuracy(learned, *judged, prior[held_out])
        by_chance = [balanced_accuracy(one, *judged) for one in at_random(earmark, store, project)]
        figures.append((by_loop, np.mean(by_chance)))
    told = ", ".join(f"{chosen:.3f} (random {random:.3f})" for chosen, random in figures)
    print(f"balanced accuracy after {N_LABELS} labels: {told}")
    by_loop, by_chance = np.mean(figures, axis=0)
    assert by_loop > by_chance, told


def at_random(earmark, store, project):
    """Learn, with the loop's own code, from as many random labels and from them alone."""
    config = parse_label_config(earmark.label_studio.project(project.project_id)["label_config"])
    tasks = store.clips.tasks(project.project_id)
    embedder_id = store.versions.current(project.project_id).embedder_id
    keys, vectors = store.clips.embeddings(embedder_id, [task.clip_key for task in tasks])
    clips = embedded_clips(tasks, keys, vectors)
    truth = {
        task["id"]: "siren" if project.is_siren[task["data"]["clip"]] else "other"
        for task in earmark.label_studio.tasks(project.project_id)
    }
    strategy = get_strategy("random")
    for seed in range(N_RANDOM_DRAWS):
        drawn = np.random.default_rng(seed).choice(clips.task_ids, N_LABELS, replace=False)
        labels = [TaskLabels(int(one), frozenset({truth[int(one)]}), "labeled", 1) for one in drawn]
        given = RoundInput(clips, labels, config, strategy, embedder_id)
        yield learn(given, n_head=1).classifier


def embed(shared, rows, settings):
    """Hear clips away from the backend; give embeddings, and what names say of the clips."""
    cache_dir = settings.data_dir / "weights"
    embedder = load_embedder(settings.embedder, settings.weights, cache_dir)
    root, rate_hz = shared / "data" / "us8k_dev", embedder.sample_rate_hz
    blocks = []
    for start in range(0, len(rows), 64):
        files = [root / row["file"] for row in rows[start : start + 64]]
        blocks.append(embedder.embed([waveform(read_recording(one), rate_hz) for one in files]))
    embeddings = np.concatenate(blocks)
    tagger, _ = find_tagger(embedder, settings.weights, cache_dir)
    return embeddings, tagger.prior(("siren", "other")).logits(embeddings)


def balanced_accuracy(classifier, embeddings, is_siren, prior=None):
    if classifier is None:
        return 0.5
    is_right = (classifier.probabilities(embeddings, prior)[:, 0] > 0.5) == is_siren
    return np.mean([is_right[is_siren].mean(), is_right[~is_siren].mean()])


# --- what comes between ---


@pytest.fixture(scope="module")
def project(earmark, import_clips, few_rows):
    """A project that all tests below label on."""
    report = earmark.tell("setup", "--title", "In between", "--labels", "siren,other")
    return import_clips(report["project_id"], few_rows)


@pytest.fixture
def status(earmark, project):
    """How the project stands before a test."""
    return earmark.wait_for(project.project_id, lambda status: not status["is_waiting"])


def order(store, project):
    return store.versions.current(project.project_id).ranking["task_ids"].tolist()


def test_a_second_annotator_never_gets_the_first_ones_task(
    earmark, second_annotator, project, status
):
    pairs = []
    for n_done in range(5):
        first = next_task(earmark.label_studio, project.project_id)
        second = next_task(second_annotator, project.project_id)
        second_annotator.annotate(second["id"], project.truth(second))
        earmark.wait_for_labels(project.project_id, status["n_labeled"] + 2 * n_done + 1)
        earmark.label_studio.annotate(first["id"], project.truth(first))
        pairs.append((first["id"], second["id"]))
    assert len({task for pair in pairs for task in pair}) == 10
    exported = {
        task["id"]: task["annotations"]
        for task in earmark.label_studio.annotated_tasks(project.project_id)
    }
    for pair in pairs:
        ((by_first,), (by_second,)) = (exported[task] for task in pair)
        assert by_first["completed_by"] != by_second["completed_by"]


def test_a_skipped_clip_is_not_learned_and_asked_of_nobody_again(
    earmark, store, second_annotator, project, status
):
    skipped = next_task(earmark.label_studio, project.project_id)["id"]
    earmark.label_studio.annotate(skipped, [], was_cancelled=True)
    now = earmark.wait_for_labels(project.project_id, status["n_labeled"], n_skipped=1)
    assert now["n_ranked"] == status["n_ranked"] - 1
    assert skipped not in order(store, project)
    assert skipped not in [project.answer_next(second_annotator) for _ in range(5)]


def test_a_deleted_annotation_is_forgotten_and_its_clip_asked_again(
    earmark, api, store, project, status
):
    task = project.answer_next(earmark.label_studio)
    earmark.wait_for_labels(project.project_id, status["n_labeled"] + 1, status["n_skipped"])
    assert task not in order(store, project)
    (annotation,) = api.get(f"/api/tasks/{task}/annotations/").json()
    assert api.delete(f"/api/annotations/{annotation['id']}/").status_code == 204
    now = earmark.wait_for_labels(project.project_id, status["n_labeled"], status["n_skipped"])
    assert now["labels"] == status["labels"]
    assert task in order(store, project)


def test_a_changed_answer_counts_as_it_is_now(earmark, api, project, status):
    task = project.answer_next(earmark.label_studio)
    n_labeled = status["n_labeled"] + 1
    said = earmark.wait_for_labels(project.project_id, n_labeled, status["n_skipped"])["labels"]
    (annotation,) = api.get(f"/api/tasks/{task}/annotations/").json()
    before, after = ("siren", "other")[:: 1 if said["siren"] > status["labels"]["siren"] else -1]
    api.patch(f"/api/annotations/{annotation['id']}/", json={"result": chosen(after)})
    now = earmark.wait_for(project.project_id, lambda one: one["labels"][after] > said[after])
    assert now["labels"] == {after: said[after] + 1, before: said[before] - 1}


def test_a_deleted_task_leaves_the_order(earmark, api, store, project, status):
    gone = next_task(earmark.label_studio, project.project_id)["id"]
    assert api.delete(f"/api/tasks/{gone}/").status_code == 204
    earmark.wait_for(
        project.project_id,
        lambda one: one["n_ranked"] == status["n_ranked"] - 1 and not one["is_waiting"],
    )
    assert gone not in order(store, project)
    assert project.answer_next(earmark.label_studio) != gone


def test_what_was_missed_while_the_backend_was_down_is_made_up_for_and_nothing_is_heard_twice(
    earmark, studio, project, status
):
    earmark.stop()
    clips, away = studio.files_root / "earmark" / "clips", studio.files_root / "away"
    clips.rename(away)
    try:
        for _ in range(3):
            project.answer_next(earmark.label_studio)
        earmark.start()
        n_labeled = status["n_labeled"] + 3
        now = earmark.wait_for_labels(project.project_id, n_labeled, status["n_skipped"])
    finally:
        away.rename(clips)
    assert now["n_embedded"] == now["n_clips"] == status["n_clips"]


# --- set-up, and what Label Studio asks for ---


def test_set_up_again_everything_is_in_place(earmark, project):
    again = ("setup", "--title", "In between")
    assert "everything was in place" in earmark.say(*again)
    assert earmark.tell(*again)["changes"] == []


def test_a_personal_access_token_will_do(earmark, personal_token, project):
    again = ("setup", "--project", str(project.project_id))
    assert earmark.tell(*again, LABEL_STUDIO_API_KEY=personal_token)["changes"] == []


def test_the_train_button_arrives(earmark, api, project, status):
    (webhook,) = earmark.label_studio.webhooks(project.project_id)
    (backend,) = earmark.label_studio.backends(project.project_id)
    earmark.label_studio.update_webhook(webhook["id"], is_active=False)
    try:
        project.answer_next(earmark.label_studio)
        time.sleep(1.5)
        failed = earmark.backend.project(project.project_id)
        assert failed["n_labeled"] == status["n_labeled"]
        assert api.post(f"/api/ml/{backend['id']}/train").status_code == 200
        n_labeled = status["n_labeled"] + 1
        earmark.wait_for_labels(project.project_id, n_labeled, status["n_skipped"])
    finally:
        earmark.label_studio.update_webhook(webhook["id"], is_active=True)


def test_a_task_that_nobody_has_heard_is_predicted_on_request(earmark, api, shared, project):
    label_studio, project_id = earmark.label_studio, project.project_id
    for name in ("siren", "other"):
        label_studio.annotate(next_task(label_studio, project_id)["id"], chosen(name))
    earmark.wait_for(project_id, lambda one: not one["is_waiting"] and all(one["labels"].values()))
    sound = min((shared / "data" / "esc10_fold1").rglob("*.ogg")).read_bytes()
    address = label_studio.upload_file(project_id, "new.ogg", sound)
    known = {task["id"] for task in label_studio.tasks(project_id)}
    data = {"audio": address, "spectrogram": address, "clip": "new.ogg", "meta": {}}
    label_studio.import_tasks(project_id, [{"data": data}])
    (new,) = {task["id"] for task in label_studio.tasks(project_id)} - known
    answer = api.post(
        "/api/dm/actions",
        params={"id": "retrieve_tasks_predictions", "project": project_id},
        json={"selectedItems": {"all": False, "included": [new]}},
    )
    assert answer.status_code == 200, answer.text
    (prediction, *_) = api.get(f"/api/tasks/{new}").json()["predictions"]
    (told, result) = prediction["result"]
    assert result["value"]["choices"][0] in ("siren", "other")
    assert told["meta"]["probabilities"].keys() == {"siren", "other"}


def test_a_blind_project_keeps_its_order_and_shows_no_predictions(earmark, store, make_project):
    project = make_project("--labels", "siren,other", "--blind")
    for n_labeled in range(1, 4):
        task = next_task(earmark.label_studio, project.project_id)
        assert task["predictions"] == []
        assert task["id"] == order(store, project)[0]
        earmark.label_studio.annotate(task["id"], project.truth(task))
        earmark.wait_for_labels(project.project_id, n_labeled)


def test_a_changed_label_config_is_followed(earmark, make_project):
    project = make_project("--labels", "siren,other")
    for _ in range(4):
        project.answer_next(earmark.label_studio)
    before = earmark.wait_for_labels(project.project_id, 4)
    again = ("setup", "--project", str(project.project_id), "--labels", "siren,jackhammer,other")
    kept = earmark.tell(*again)
    assert kept["changes"] == []
    assert "keeps its own labels" in kept["warnings"][0]
    assert earmark.tell(*again, "--replace")["changes"] == ["wrote the label config"]
    after = earmark.wait_for(project.project_id, lambda one: "jackhammer" in one["labels"])
    after = earmark.wait_for_labels(project.project_id, 4)
    assert after["labels"] == before["labels"] | {"jackhammer": 0}
    assert after["model_version"] != before["model_version"]
    task = next_task(earmark.label_studio, project.project_id)
    earmark.label_studio.annotate(task["id"], chosen("jackhammer"))
    assert earmark.wait_for_labels(project.project_id, 5)["labels"]["jackhammer"] == 1


def test_several_labels_a_clip_are_learned_and_predicted(earmark, store, make_project):
    names = ("siren", "jackhammer", "dog_bark")
    project = make_project("--multi", "--labels", ",".join(names))
    answers = [("siren", "dog_bark"), ("jackhammer",), (), names] * 3
    for answer in answers:
        task = next_task(earmark.label_studio, project.project_id)
        earmark.label_studio.annotate(task["id"], chosen(*answer) if answer else [])
    status = earmark.wait_for_labels(project.project_id, len(answers))
    assert status["labels"] == {"siren": 6, "jackhammer": 6, "dog_bark": 6}
    (prediction,) = next_task(earmark.label_studio, project.project_id)["predictions"]
    told = prediction["result"][0]["meta"]["probabilities"]
    assert told.keys() == set(names)
    picked = {
        name
        for result in prediction["result"]
        if result["type"] == "choices"
        for name in result["value"]["choices"]
    }
    current = store.versions.current(project.project_id)
    assert prediction["model_version"] == current.model_version
    thresholds = Classifier.from_arrays(current.classifier).rule.describe(names)["thresholds"]
    assert picked == {name for name, p in told.items() if p >= thresholds[name]}
