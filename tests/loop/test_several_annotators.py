"""Where several annotators are wanted for each clip: what each of them is served."""

import random
from dataclasses import replace

import numpy as np
import pytest

from ml_backend.clip import TaskLabels, content_hash
from ml_backend.label_studio.label_config import label_config_xml, parse_label_config
from ml_backend.learning.embedded_clips import EmbeddedClips
from ml_backend.learning.round_input import RoundInput
from ml_backend.loop.reconcile import Reconciler
from ml_backend.settings import Settings
from ml_backend.store import open_store
from ml_backend.strategies.registry import get_strategy
from tests.fake_label_studio import FakeLabelStudio
from tests.turns import whole_turn

pytestmark = pytest.mark.slow

ADA, BOB, EVE = 1, 2, 3
HEAD = 10
EMBEDDER = "toy-1"
CONFIG = label_config_xml(("siren", "other"), multi_label=False)


class Shared:
    """A project of which people label clips as Label Studio serves them."""

    def __init__(self, folder, n_clips, n_wanted=2, head_size=HEAD, strategy="uncertainty"):
        self.studio = FakeLabelStudio()
        self.project_id = self.studio.add_project(CONFIG, maximum_annotations=n_wanted)
        self.project = self.studio.projects[self.project_id]
        keys = [content_hash(str(row).encode()) for row in range(n_clips)]
        datas = [{"audio": f"/data/{key}.wav", "content_hash": key} for key in keys]
        self.task_ids = self.studio.add_tasks(self.project_id, datas)
        settings = Settings(data_dir=folder, head_size=head_size, strategy=strategy)
        self.store = open_store(settings.store_url)
        vectors = np.random.default_rng(0).normal(size=(n_clips, 4)).astype(np.float32)
        self.is_siren = dict(zip(self.task_ids, vectors[:, 0] > 0, strict=True))
        self.store.clips.add_embeddings(EMBEDDER, keys, vectors)
        self.reconciler = Reconciler(self.store, self.studio.client(), settings, EMBEDDER)
        self.rng = random.Random(0)
        self.round(tasks=True)

    def round(self, *, labels=True, tasks=False):
        heard = {"labels_changed": labels, "tasks_changed": tasks, "n_settings": 2}  # one an echo
        turn = replace(whole_turn(self.project_id), **heard)
        return self.reconciler.reconcile(turn)

    def candidates(self, who):
        return self.studio.candidates(self.project_id, who)

    def answer_next(self, who):
        task_id = self.rng.choice(self.candidates(who))
        self.answer(task_id, who)
        return task_id

    def answer(self, task_id, who):
        self.studio.annotate(task_id, "siren" if self.is_siren[task_id] else "other", by=who)

    @property
    def predicted(self):
        version = self.project["model_version"]
        return {one["task"] for one in self.studio.predictions if one["model_version"] == version}

    @property
    def order(self):
        return self.store.versions.current(self.project_id).ranking["task_ids"].tolist()


@pytest.fixture
def make(tmp_path):
    made = []

    def run(*arguments, **how):
        made.append(Shared(tmp_path, *arguments, **how))
        return made[-1]

    yield run
    for one in made:
        one.store.close()


def test_who_is_400_labels_ahead_is_always_served_a_clip_of_the_head_with_a_prediction(make):
    shared = make(600, head_size=50)
    answered = set()
    while len(answered) < 400:
        for _ in range(20):
            (served,) = shared.candidates(ADA)
            assert served in shared.predicted & set(shared.order[:50])
            assert served not in answered
            answered.add(served)
            shared.answer(served, ADA)
        shared.round()
    assert set(shared.candidates(BOB)) == answered


def test_who_is_behind_completes_what_the_other_began_and_then_both_get_the_head(make):
    shared = make(60)
    begun = {shared.answer_next(ADA) for _ in range(5)}
    shared.round()
    assert begun <= shared.predicted
    assert {shared.answer_next(BOB) for _ in range(5)} == begun
    shared.round()
    for who in (ADA, BOB):
        assert shared.candidates(who) == shared.order[:1]


def test_half_of_the_head_are_clips_that_were_begun_as_long_as_there_are_others(make):
    shared = make(60)
    for task_id in shared.task_ids[:40]:
        shared.answer(task_id, ADA)
    shared.round()
    begun = set(shared.task_ids[:40])
    assert [one in begun for one in shared.order[:HEAD]] == [True, False] * (HEAD // 2)
    assert sorted(shared.order) == shared.task_ids


def test_another_number_of_wanted_annotators_is_followed_at_once_without_reading_tasks(make):
    shared = make(60)
    begun = [shared.answer_next(ADA) for _ in range(12)]
    shared.project["maximum_annotations"] = 1
    alone = shared.round()
    assert not set(begun) & set(shared.order)
    for n_wanted, n_open in [(2, 60), (1, 48)]:
        shared.project["maximum_annotations"] = n_wanted
        version = shared.round(labels=False)
        assert version == shared.project["model_version"]
        assert (version == alone) == (n_wanted == 1)
        assert len(shared.order) == n_open
    assert shared.studio.n_tasks_read == 60  # at first


def test_a_changed_label_config_makes_a_round_read_the_tasks(make):
    shared = make(12)
    shared.project["label_config"] = label_config_xml(("siren", "dog"), multi_label=False)
    shared.round(labels=False)
    assert shared.studio.n_tasks_read == 2 * 12


def test_a_version_is_named_by_what_is_begun_and_not_by_a_number_that_changes_nothing():
    n = 30
    keys = tuple(content_hash(str(row).encode()) for row in range(n))
    vectors = np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32)
    clips = EmbeddedClips(np.arange(1, n + 1), keys, np.full(n, -1), vectors)
    said = [TaskLabels(k, frozenset({"siren"}), "labeled", 1 + k % 2) for k in range(1, 7)]
    config, strategy = parse_label_config(CONFIG), get_strategy("default")

    def version(n_wanted):
        given = RoundInput(clips, said, config, strategy, EMBEDDER, n_annotators_wanted=n_wanted)
        return given.model_version

    assert len({version(1), version(2), version(3)}) == 3
    assert version(3) == version(4)


def test_who_is_served_while_the_version_changes_sees_its_prediction(make):
    shared = make(200, n_wanted=1, strategy="random")  # another version has another order
    opened = []
    for _ in range(6):
        *answered, last = shared.order[:HEAD]
        opened.append(last)  # whoever is served it looks at it through all that follows
        for task_id in set(answered) - set(opened):
            shared.answer(task_id, ADA)
        shared.round()
        assert set(opened[-3:]) <= shared.predicted
        assert shared.studio.queue(shared.project_id)[:HEAD] == shared.order[:HEAD]
    assert len(shared.predicted) > HEAD
