"""What people ask for comes first: in the order that is learned, and in Label Studio's queue."""

from dataclasses import replace

import numpy as np
import pytest

from ml_backend.clip import Task, TaskLabels, content_hash
from ml_backend.label_studio.label_config import label_config_xml, parse_label_config
from ml_backend.learning.audit_slice import draw_slice
from ml_backend.learning.embedded_clips import EmbeddedClips
from ml_backend.learning.round_input import RoundInput
from ml_backend.learning.training import learn
from ml_backend.loop.reconcile import Reconciler
from ml_backend.settings import Settings
from ml_backend.store import open_store
from ml_backend.store.queue import Wanted
from ml_backend.strategies.registry import _STRATEGIES, get_strategy
from tests.fake_label_studio import FakeLabelStudio
from tests.turns import whole_turn

CLASSES = ("siren", "other")
CONFIG = label_config_xml(CLASSES, multi_label=False)
N_CLIPS = 60
KEYS = tuple(content_hash(str(row).encode()) for row in range(N_CLIPS))
EMBEDDINGS = np.random.default_rng(0).normal(size=(N_CLIPS, 8)).astype(np.float32)
CLIPS = EmbeddedClips(
    np.arange(1, N_CLIPS + 1), KEYS, np.full(N_CLIPS, -1, dtype=np.int64), EMBEDDINGS
)
ALL = set(range(1, N_CLIPS + 1))


def said(task_ids, *, n_annotators=1):
    return [
        TaskLabels(int(one), frozenset({CLASSES[one % 2]}), "labeled", n_annotators)
        for one in task_ids
    ]


def learned(answers=(), first=None, *, strategy="default", n_head=10, clips=CLIPS, **how):
    first = None if first is None else np.array(first, dtype=np.int64)
    config = parse_label_config(CONFIG)
    given = RoundInput(clips, answers, config, get_strategy(strategy), "toy-1", first=first, **how)
    return learn(given, n_head=n_head)


# The order


@pytest.mark.parametrize("strategy", _STRATEGIES)
@pytest.mark.parametrize("n_labeled", [0, 1, 12])
def test_what_is_asked_for_comes_first_and_nothing_is_lost(strategy, n_labeled):
    answers = said(range(1, n_labeled + 1))
    for first in ([60, 20, 31], list(range(13, 40))):
        order = learned(answers, first, strategy=strategy).order.tolist()
        assert set(order[: len(first)]) == set(first)
        assert sorted(order) == sorted(ALL - {one.task_id for one in answers})


def test_among_them_they_are_ranked_as_if_they_were_the_pool():
    rows = np.arange(10, 40)
    alone = EmbeddedClips(
        CLIPS.task_ids[rows],
        tuple(KEYS[row] for row in rows),
        CLIPS.recordings[rows],
        EMBEDDINGS[rows],
    )
    order = learned(first=rows + 1, n_head=30).order
    assert order[:30].tolist() == learned(clips=alone, n_head=30).order.tolist()
    everything = learned(n_head=30).order
    assert order[:30].tolist() != everything[np.isin(everything, rows + 1)].tolist()


def test_the_others_follow_by_the_same_strategy():
    answers = said(range(1, 13))
    whole = learned(answers, strategy="uncertainty").order
    first = [50, 40, 30]
    order = learned(answers, first, strategy="uncertainty").order
    assert order[3:].tolist() == whole[~np.isin(whole, first)].tolist()


def test_of_one_recording_they_are_held_apart_as_everywhere():
    recordings = np.arange(N_CLIPS) // 2
    first = np.arange(1, 21)
    order = learned(first=first, clips=replace(CLIPS, recordings=recordings)).order
    assert len(set(recordings[order[:10] - 1])) == 10


def test_what_a_project_has_begun_takes_turns_with_them():
    answers = said(range(1, 13), n_annotators=2) + said([20, 21], n_annotators=1)
    order = learned(answers, [50, 20, 3], n_annotators_wanted=2).order
    assert order[:3].tolist() == [20, 50, 21]


def test_asking_for_nothing_that_is_left_changes_nothing():
    answers = said(range(1, 13))
    plain = learned(answers)
    for first in ([], [3, 7], [1_000], [12, 1_000]):
        same = learned(answers, first)
        assert same.model_version == plain.model_version
        assert same.order.tolist() == plain.order.tolist()


def test_another_request_is_another_version_and_the_same_is_the_same():
    requests = ([5], [6], [5, 6], [6, 5], [5, 6, 6], [5, 6, 1_000])
    versions = [learned(first=first).model_version for first in requests]
    assert len({*versions, learned().model_version}) == 4
    assert len(set(versions[2:])) == 1


def test_the_audit_slice_waits_behind_what_is_asked_for_except_for_what_is_in_it():
    drawn = CLIPS.task_ids[draw_slice(CLIPS.lots, 0.3)]
    rest = np.setdiff1d(CLIPS.task_ids, drawn)
    answers = said(rest[:20])
    first = [*rest[20:26].tolist(), int(drawn[-1])]
    order = learned(answers, first, audit_share=0.3).order
    assert set(order[:7].tolist()) == set(first)
    # Served like this, 28 clips are answered, 18 of them since audit began, and one was of it.
    n_due = [int(np.floor(0.3 * (17 + n))) - 1 for n in range(1, 11)]
    n_served = np.cumsum(np.isin(order[7:17], drawn))
    assert n_served.tolist() == np.minimum(n_due, np.arange(1, 11)).tolist()
    waiting = order[7:][np.isin(order[7:], drawn)]
    assert waiting.tolist() == drawn[:-1].tolist()


def test_a_label_of_the_slice_out_of_its_turn_teaches_and_measures_nothing():
    drawn = CLIPS.task_ids[draw_slice(CLIPS.lots, 0.3)]
    rest = np.setdiff1d(CLIPS.task_ids, drawn)
    answers = said(rest[:20])
    first = [int(drawn[-1])]
    after = learned(answers + said(first), first, audit_share=0.3)
    assert len(after.training) == 20
    assert len(after.audit) == 0


# The queue


class Loop:
    """Clips that are heard already, every third of them salient, and rounds when they are asked."""

    def __init__(self, folder):
        self.studio = FakeLabelStudio()
        self.project_id = self.studio.add_project(CONFIG)
        self.task_ids = self.add(range(N_CLIPS))
        self.store = open_store("sqlite://")
        self.store.clips.add_embeddings("toy-1", KEYS, EMBEDDINGS)
        self.settings = Settings(data_dir=folder, audit_share=0.0, head_size=10)
        self.reconciler = Reconciler(self.store, self.studio.client(), self.settings, "toy-1")
        self.store.agenda.hint(self.project_id, now=1.0)

    def add(self, rows):
        datas = [
            {"audio": f"/{row}.wav", "content_hash": KEYS[row], "salience": 1 + (row % 3 > 0)}
            for row in rows
        ]
        return self.studio.add_tasks(self.project_id, datas)

    def ask(self, where=None, task_ids=None):
        self.store.queue.ask(self.project_id, Wanted(where, task_ids, "", 1.0))

    def round(self, *, tasks_changed=False):
        turn = replace(whole_turn(self.project_id), tasks_changed=tasks_changed)
        self.reconciler.reconcile(turn)
        return self.studio.queue(self.project_id)[: self.settings.head_size]

    def is_salient(self, task_id):
        return self.studio.tasks[task_id]["data"]["salience"] == 1

    def n_salient_first(self):
        served = [self.is_salient(task_id) for task_id in self.round()]
        return served.index(False) if False in served else len(served)


@pytest.fixture
def loop(tmp_path):
    made = Loop(tmp_path)
    yield made
    made.store.close()


@pytest.mark.slow
def test_only_what_matches_is_served_until_it_is_done(loop):
    loop.ask("salience == 1")
    served = []
    while loop.n_salient_first():
        task_id = loop.round()[0]
        loop.studio.annotate(task_id, CLASSES[task_id % 2])
        served.append(task_id)
    assert sorted(served) == [one for one in loop.task_ids if loop.is_salient(one)]
    assert len(loop.round()) == loop.settings.head_size


def test_a_selection_of_tasks_is_served_in_the_order_of_the_strategy(loop):
    chosen = tuple(loop.task_ids[5:9])
    loop.ask(task_ids=chosen)
    queue = loop.round()
    assert set(queue[:4]) == set(chosen)
    order = learned(first=chosen, clips=loop.reconciler.clips(loop.project_id)).order
    assert queue == order[:10].tolist()


def test_what_matches_and_comes_later_is_served_first_too(loop):
    wanted = loop.task_ids[:30]
    for task_id in loop.task_ids[30:]:
        del loop.studio.tasks[task_id]
    loop.ask("salience == 1")
    loop.round(tasks_changed=True)
    for task_id in wanted:
        if loop.is_salient(task_id):
            loop.studio.annotate(task_id, "other")
    assert loop.n_salient_first() == 0
    new = loop.add(range(30, 36))
    assert set(loop.round(tasks_changed=True)[:2]) == {one for one in new if loop.is_salient(one)}


def test_taking_it_back_restores_the_order(loop):
    before = loop.round()
    version = loop.studio.projects[loop.project_id]["model_version"]
    loop.ask("salience == 1")
    assert loop.round() != before
    loop.store.queue.forget(loop.project_id)
    assert loop.round() == before
    assert loop.studio.projects[loop.project_id]["model_version"] == version


def test_a_request_takes_the_place_of_the_one_before(loop):
    loop.ask("salience == 1")
    assert loop.n_salient_first() == 10
    loop.ask("salience == 2")
    assert loop.n_salient_first() == 0
    loop.ask(task_ids=(loop.task_ids[7],))
    assert loop.round()[0] == loop.task_ids[7]


def test_the_metadata_is_read_once_as_long_as_no_task_changes(loop, monkeypatch):
    loop.ask("salience == 1")
    loop.round()
    monkeypatch.setattr(
        type(loop.store.clips), "data", lambda *_: pytest.fail("the metadata was read again")
    )
    assert loop.n_salient_first() == 10


def test_a_condition_that_no_longer_fits_stops_nothing(loop, caplog):
    before = loop.round()
    loop.ask("loudness > 3")
    assert loop.round() == before
    assert "'loudness'" in caplog.text


def test_while_clips_are_still_being_heard_a_request_does_not_wait(loop):
    loop.round()
    loop.studio.add_tasks(loop.project_id, [{"audio": "/new.wav", "content_hash": "f" * 32}] * 3)
    loop.ask("salience == 1")
    assert loop.n_salient_first() == 10
    loop.store.queue.forget(loop.project_id)
    assert loop.n_salient_first() < 10


def test_tasks_known_from_before_are_asked_for_what_they_say(loop):
    loop.round()
    old = [Task(one.task_id, one.clip_key, one.audio) for one in loop.store.clips.tasks(1)]
    loop.store.clips.replace_tasks(loop.project_id, old)
    assert loop.store.clips.data(loop.project_id) == {}
    loop.ask("salience == 1")
    loop.reconciler = Reconciler(loop.store, loop.studio.client(), loop.settings, "toy-1")
    assert loop.n_salient_first() == 10


def test_a_forgotten_project_asks_for_nothing(loop):
    loop.ask("salience == 1")
    loop.store.forget(loop.project_id)
    assert loop.store.queue.wanted(loop.project_id) is None
