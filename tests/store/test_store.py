"""What is remembered, over SQLite and PostgreSQL: one body of tests for both."""

import contextlib
import subprocess
import sys
import threading

import numpy as np
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect, text

from ml_backend.clip import STATES, Task, TaskLabels
from ml_backend.errors import StoreError
from ml_backend.loop.pinned_version import pinned_version
from ml_backend.metadata.table import SheetColumn
from ml_backend.store import open_store
from ml_backend.store.maps import MapStanding
from ml_backend.store.queue import Wanted
from ml_backend.store.schema import metadata
from ml_backend.store.versions import Round, Version


@pytest.fixture
def store(store_url):
    opened = open_store(store_url)
    yield opened
    opened.close()


def task(task_id, key="a", recording_id=None):
    return Task(task_id, key, f"/{key}.wav", recording_id)


def told(task_id, **data):
    return Task(task_id, "a", "/a.wav", None, data)


def version(name, *, order=(3, 1), created_at=1.0, classifier=None):
    ranking = {"task_ids": np.array(order), "labeled_task_ids": np.array([2])}
    return Version(name, "mn04", created_at, classifier, ranking)


@contextlib.contextmanager
def store_of(url, revision):
    """Make the tables as they were then; give a connection to fill them."""
    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", "ml_backend.store:migrations")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        yield connection
    engine.dispose()


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(store_url):
    open_store(store_url).close()
    engine = create_engine(store_url)
    made = inspect(engine)
    for table in metadata.sorted_tables:
        assert {column["name"] for column in made.get_columns(table.name)} == set(
            table.columns.keys()
        )
        assert made.get_pk_constraint(table.name)["constrained_columns"] == [
            column.name for column in table.primary_key
        ]
    engine.dispose()


def test_a_store_of_before_is_brought_up_with_what_it_holds(store_url):
    with store_of(store_url, "0002") as connection:
        connection.execute(text("INSERT INTO task VALUES (1, 2, 'a', '/a.wav', 'r')"))
    store = open_store(store_url)
    assert store.clips.tasks(1) == [task(2, "a", "r")]
    assert store.clips.data(1) == {}
    store.close()


def test_labels_of_before_get_the_state_that_is_known_of_them(store_url):
    with store_of(store_url, "0006") as connection:
        values = (
            "(1, 2, '[\"siren\"]', false, 1), (1, 3, '[]', false, 2),"
            " (1, 4, 'null', true, 0), (1, 5, 'null', false, 2)"
        )
        connection.exec_driver_sql(f"INSERT INTO label VALUES {values}")
    store = open_store(store_url)
    assert store.labels.read(1) == [
        TaskLabels(2, frozenset({"siren"}), "labeled", 1),
        TaskLabels(3, frozenset(), "labeled", 2),
        TaskLabels(4, None, "skipped", 0),
        TaskLabels(5, None, "tied", 2),
    ]
    store.close()


def test_what_a_store_of_before_holds_is_found_under_the_new_names(store_url):
    with store_of(store_url, "0010") as connection:
        for values in (
            "task VALUES (1, 2, 'a', '/a.wav', 'r', NULL)",
            "unheard VALUES ('mn04', 'a', 'silent', 7)",
            "wanted VALUES (1, 'hour < 6', NULL, 'ada@here', 8)",
            "fact VALUES ('held version of project 1', '\"v3\"')",
            "fact VALUES ('embedder', '\"mn04\"')",
            "judged VALUES (1, 'tasks', 'v3', '')",
        ):
            connection.exec_driver_sql(f"INSERT INTO {values}")
    store = open_store(store_url)
    assert store.clips.failed(1, "mn04", limit=9) == [(2, "silent")]
    assert store.queue.wanted(1) == Wanted("hour < 6", None, "ada@here", 8.0)
    assert pinned_version(store, 1) == "v3"
    assert store.facts.read("embedder") == "mn04"
    assert store.clip_scores.stamp(1) == "tasks"
    store.close()


def test_clips_are_counted_by_their_state(store):
    store.clips.replace_tasks(1, [task(row, f"k{row}") for row in range(1, 8)])
    store.clips.replace_tasks(2, [task(row, f"k{row}") for row in range(1, 3)])
    store.clips.add_embeddings("mn04", ["k5"], np.ones((1, 4), dtype=np.float32))
    for key in ("k1", "k6"):
        store.clips.add_failed("mn04", key, "silent", now=1.0)
    told = [TaskLabels(1, frozenset({"siren"}), "labeled", 1), TaskLabels(9, None, "tied", 2)]
    store.labels.replace(1, [*told, *(TaskLabels(row, None, "no_label", 1) for row in (2, 3))])
    nothing = dict.fromkeys(STATES, 0)
    wanted = nothing | {"labeled": 1, "no_label": 2, "pool": 3, "failed": 1}
    assert store.clips.states(1, "mn04") == wanted
    assert store.clips.states(2, "mn04") == nothing | {"pool": 1, "failed": 1}
    assert store.clips.states(2, "mn10") == nothing | {"pool": 2}
    assert store.clips.states(3, "mn04") == nothing


def test_other_failures_are_told_by_another_word(store):
    words = [store.clips.failures("mn04")]
    for now in (1.0, 2.0):
        store.clips.add_failed("mn04", "a", "silent", now=now)
        words.append(store.clips.failures("mn04"))
    store.clips.add_embeddings("mn04", ["a"], np.ones((1, 4), dtype=np.float32))
    assert len(set(words)) == 3
    assert store.clips.failures("mn04") == words[0]


def test_opening_twice_keeps_what_is_there(store_url):
    first = open_store(store_url)
    first.agenda.hint(7, now=1.0)
    first.close()
    second = open_store(store_url)
    assert second.agenda.project_ids() == [7]
    second.close()


def test_an_address_that_makes_no_sense_is_refused_without_its_password():
    with pytest.raises(StoreError) as caught:
        open_store("postgresql+psycopg://earmark:geheim@127.0.0.1:1/none")
    assert "geheim" not in str(caught.value)
    assert "EARMARK_DATABASE_URL" in str(caught.value)
    with pytest.raises(StoreError, match="EARMARK_DATABASE_URL"):
        open_store("no address")


# The agenda


def test_a_project_is_due_when_it_has_been_quiet(store):
    store.agenda.hint(1, now=10.0)
    assert store.agenda.due(now=10.1, debounce_s=0.3, ceiling_s=2.0) == []
    assert store.agenda.due(now=10.3, debounce_s=0.3, ceiling_s=2.0) == [1]


def test_a_project_that_is_never_quiet_is_due_at_the_ceiling(store):
    for step in range(20):
        now = 10.0 + step / 10
        store.agenda.hint(1, now=now)
        assert store.agenda.due(now=now + 0.05, debounce_s=0.3, ceiling_s=2.0) == []
    assert store.agenda.due(now=12.0, debounce_s=0.3, ceiling_s=2.0) == [1]


def test_a_project_may_be_due_at_once_though_it_is_not_quiet(store):
    store.agenda.hint(1, now=10.0)
    store.agenda.hint(1, now=10.1, single=True)
    assert store.agenda.due(now=10.1, debounce_s=0.3, ceiling_s=2.0) == [1]


def test_what_is_to_be_done_at_once_waits_for_more_of_its_kind_while_a_round_goes_on(store):
    store.agenda.hint(1, now=10.0, single=True)
    turn = store.agenda.take(1, now=10.0, lease_s=30.0)
    store.agenda.hint(1, now=10.4, single=True)
    store.agenda.finish(turn, now=10.5)
    assert store.agenda.due(now=10.6, debounce_s=0.3, ceiling_s=2.0) == []
    assert store.agenda.due(now=10.8, debounce_s=0.3, ceiling_s=2.0) == [1]


@pytest.mark.parametrize("what", [{}, {"tasks": True}, {"single": True}, {"labels": False}])
def test_the_stamp_of_the_annotations_changes_unless_a_task_tells_which_one_did(store, what):
    store.agenda.hint(1, now=10.0)
    before = store.facts.stamp("annotations", 1)
    store.agenda.hint(1, now=11.0, **what)
    is_other = store.facts.stamp("annotations", 1) != before
    assert is_other == (what in ({}, {"tasks": True}))


@pytest.mark.parametrize(
    ("heard", "n_settings"), [([True], 0), ([False], 1), ([True, False, True], 1)]
)
def test_what_was_heard_of_settings_is_counted_apart_from_labels(store, heard, n_settings):
    store.agenda.hint(1, now=10.0)
    store.agenda.finish(store.agenda.take(1, now=11.0, lease_s=30.0), now=12.0)
    for labels in heard:
        store.agenda.hint(1, now=13.0, labels=labels)
    turn = store.agenda.take(1, now=14.0, lease_s=30.0)
    assert turn.n_settings == n_settings
    assert not store.agenda.has_more_labels(turn)
    store.agenda.hint(1, now=15.0, labels=False)
    assert not store.agenda.has_more_labels(turn)
    store.agenda.hint(1, now=15.0, single=True)
    assert store.agenda.has_more_labels(turn)


def test_a_taken_project_is_nobody_elses_until_its_lease_ends(store):
    store.agenda.hint(1, now=10.0)
    assert store.agenda.take(1, now=11.0, lease_s=30.0) is not None
    assert store.agenda.take(1, now=12.0, lease_s=30.0) is None
    assert store.agenda.due(now=12.0, debounce_s=0.3, ceiling_s=2.0) == []
    assert store.agenda.take(1, now=41.5, lease_s=30.0) is not None


def test_of_many_who_reach_for_a_project_one_gets_it(store):
    store.agenda.hint(1, now=10.0)
    got = []
    threads = [
        threading.Thread(target=lambda: got.append(store.agenda.take(1, now=11.0, lease_s=30.0)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(turn is not None for turn in got) == 1


def test_a_lease_can_be_extended_until_the_project_is_given_back(store):
    store.agenda.hint(1, now=10.0)
    turn = store.agenda.take(1, now=11.0, lease_s=30.0)
    store.agenda.extend(turn, now=40.0, lease_s=30.0)
    assert store.agenda.take(1, now=60.0, lease_s=30.0) is None
    store.agenda.hint(1, now=61.0)
    store.agenda.finish(turn, now=62.0)
    store.agenda.extend(turn, now=62.1, lease_s=30.0)
    assert store.agenda.due(now=63.0, debounce_s=0.3, ceiling_s=2.0) == [1]


def test_what_is_heard_during_a_round_makes_the_project_due_again(store):
    store.agenda.hint(1, now=10.0)
    turn = store.agenda.take(1, now=11.0, lease_s=30.0)
    store.agenda.hint(1, now=11.5, tasks=True)
    store.agenda.finish(turn, now=12.0)
    assert store.agenda.is_waiting(1)
    assert store.agenda.due(now=13.0, debounce_s=0.3, ceiling_s=2.0) == [1]
    again = store.agenda.take(1, now=13.0, lease_s=30.0)
    assert again.tasks_changed
    store.agenda.finish(again, now=14.0)
    assert not store.agenda.is_waiting(1)
    assert store.agenda.due(now=20.0, debounce_s=0.3, ceiling_s=2.0) == []


def test_a_first_hint_asks_for_the_tasks_and_a_later_one_only_if_it_says_so(store):
    store.agenda.hint(1, now=10.0)
    turn = store.agenda.take(1, now=11.0, lease_s=30.0)
    assert turn.tasks_changed
    store.agenda.finish(turn, now=12.0)
    store.agenda.hint(1, now=13.0)
    assert not store.agenda.take(1, now=14.0, lease_s=30.0).tasks_changed


def test_a_failed_round_is_tried_again_after_pauses_that_double_up_to_a_minute(store):
    store.agenda.hint(1, now=0.0)
    now, pauses = 10.0, []
    for _ in range(9):
        turn = store.agenda.take(1, now=now, lease_s=30.0)
        store.agenda.fail(turn, "Label Studio is down", now=now)
        step = next(
            step
            for step in range(1, 200)
            if store.agenda.due(now=now + step, debounce_s=0, ceiling_s=0)
        )
        pauses.append(step)
        now += step
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert store.agenda.description(1)["error"] == "Label Studio is down"
    store.agenda.finish(store.agenda.take(1, now=now, lease_s=30.0), now=now)
    assert store.agenda.description(1)["error"] == ""


def test_a_killed_workers_projects_are_due_at_once_for_the_next(store):
    store.agenda.hint(1, now=10.0)
    store.agenda.take(1, now=11.0, lease_s=1000.0)
    store.agenda.release_all()
    assert store.agenda.due(now=12.0, debounce_s=0.3, ceiling_s=2.0) == [1]


# Tasks and embeddings


def test_tasks_become_exactly_what_label_studio_has(store):
    assert store.clips.replace_tasks(1, [task(1, "a"), task(2, "b", "r")])
    assert store.clips.replace_tasks(1, [task(2, "b", "r"), task(3, "c")])
    assert store.clips.tasks(1) == [task(2, "b", "r"), task(3, "c")]
    assert not store.clips.replace_tasks(1, [task(3, "c"), task(2, "b", "r")])
    assert store.clips.replace_tasks(1, [task(2, "changed", "r"), task(3, "c")])
    assert store.clips.tasks(1)[0].clip_key == "changed"


def test_what_a_task_says_of_its_clip_is_kept_with_its_types(store):
    said = {"salience": 1, "level_db": -3.5, "wet": True, "place": "Café 'Ω' ☂", "note": ""}
    assert store.clips.replace_tasks(1, [told(2, **said), told(1)])
    assert not store.clips.replace_tasks(1, [told(1), told(2, **said)])
    assert store.clips.data(1) == {1: {}, 2: said}
    kept = store.clips.data(1)[2].values()
    assert [type(value) for value in kept] == [type(value) for value in said.values()]
    assert store.clips.replace_tasks(1, [told(1), told(2, salience=2)])
    assert store.clips.data(1) == {1: {}, 2: {"salience": 2}}
    assert [one.data for one in store.clips.tasks(1)] == [None, None]


def test_tasks_from_before_data_was_kept_get_it_when_they_are_read_again(store):
    store.clips.replace_tasks(1, [task(1, "a"), told(2, salience=1)])
    assert store.clips.data(1) == {2: {"salience": 1}}
    assert store.clips.replace_tasks(1, [told(1, salience=2), told(2, salience=1)])
    assert store.clips.data(1) == {1: {"salience": 2}, 2: {"salience": 1}}


def test_the_numbers_of_tasks_are_listed_in_order_and_exactly(store):
    assert store.clips.task_ids(1).tolist() == []
    store.clips.replace_tasks(1, [task(2**63 - 1), task(2**53 + 1), task(3)])
    store.clips.replace_tasks(2, [task(4)])
    assert store.clips.task_ids(1).tolist() == [3, 2**53 + 1, 2**63 - 1]


def test_what_tasks_say_is_kept_to_the_letter(store):
    said = {"text": 'a, "b"], [ü\n', "number": 0.1, "none": None, "list": [1, {"a": "}"}]}
    store.clips.replace_tasks(1, [told(3, **said), task(2), told(1)])
    assert store.clips.data(1) == {1: {}, 3: said}


def test_projects_do_not_see_each_others_tasks_but_share_embeddings(store):
    store.clips.replace_tasks(1, [task(1, "a")])
    store.clips.replace_tasks(2, [task(1, "a"), task(2, "b")])
    store.clips.add_embeddings("mn04", ["a"], np.ones((1, 4), np.float32))
    assert store.clips.missing(1, "mn04", limit=9, tried_before=0.0) == []
    assert [one.clip_key for one in store.clips.missing(2, "mn04", limit=9, tried_before=0.0)] == [
        "b"
    ]
    assert store.clips.count(2, "mn04") == {"clips": 2, "embedded": 1, "failed": 0}


def test_embeddings_are_measured_as_the_tasks_need_them(store):
    store.clips.replace_tasks(1, [task(1, "a"), task(2, "b"), task(3, "a"), task(4, "failed")])
    store.clips.add_embeddings("mn04", ["a", "b", "elsewhere"], np.ones((3, 5), np.float32))
    store.clips.add_embeddings("other", ["a"], np.ones((1, 7), np.float32))
    assert store.clips.n_bytes(1, "mn04") == 3 * 5 * 4
    assert store.clips.n_bytes(2, "mn04") == 0


def test_embeddings_come_back_bit_by_bit_and_never_from_another_embedder(store):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(5, 7)).astype(np.float32)
    store.clips.add_embeddings("mn04", list("abcde"), vectors)
    store.clips.add_embeddings("other", ["a"], np.zeros((1, 3), np.float32))
    keys, found = store.clips.embeddings("mn04", ["e", "a", "nowhere"])
    assert sorted(keys) == ["a", "e"]
    for key, row in zip(keys, found, strict=True):
        np.testing.assert_array_equal(row, vectors["abcde".index(key)])


def test_an_embedding_is_never_overwritten(store):
    store.clips.add_embeddings("mn04", ["a"], np.full((1, 2), 1, np.float32))
    store.clips.add_embeddings("mn04", ["a"], np.full((1, 2), 2, np.float32))
    assert store.clips.embeddings("mn04", ["a"])[1].tolist() == [[1.0, 1.0]]


def test_a_sound_in_two_tasks_is_missing_once(store):
    store.clips.replace_tasks(1, [task(1, "a"), task(2, "a"), task(3, "b")])
    missing = store.clips.missing(1, "mn04", limit=9, tried_before=0.0)
    assert [(one.task_id, one.clip_key) for one in missing] == [(1, "a"), (3, "b")]


def test_a_clip_that_cannot_be_heard_is_left_alone_for_a_while_and_forgiven_when_it_can(store):
    store.clips.replace_tasks(1, [task(1, "a"), task(2, "b")])
    store.clips.add_failed("mn04", "a", "a.wav is gone", now=100.0)
    assert [one.task_id for one in store.clips.missing(1, "mn04", limit=9, tried_before=50.0)] == [
        2
    ]
    again = store.clips.missing(1, "mn04", limit=9, tried_before=101.0)
    assert [one.task_id for one in again] == [1, 2]
    assert store.clips.failed(1, "mn04", limit=9) == [(1, "a.wav is gone")]
    store.clips.add_embeddings("mn04", ["a"], np.ones((1, 2), np.float32))
    assert store.clips.failed(1, "mn04", limit=9) == []


@pytest.mark.slow
def test_a_killed_process_loses_nothing_that_was_added(tmp_path):
    url = f"sqlite:///{tmp_path / 'earmark.db'}"
    script = (
        "import os, numpy as np\n"
        "from ml_backend.store import open_store\n"
        f"store = open_store({url!r})\n"
        "store.clips.add_embeddings('mn04', ['a'], np.ones((1, 2), np.float32))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], check=False)
    assert ended.returncode == -9
    store = open_store(url)
    assert store.clips.embeddings("mn04", ["a"])[0] == ["a"]
    store.close()


# Labels, versions, rounds, facts


def test_labels_become_exactly_what_was_last_read(store):
    first = [
        TaskLabels(1, frozenset({"siren"}), "labeled", 1),
        TaskLabels(2, None, "skipped", 1),
        TaskLabels(3, frozenset(), "labeled", 2),
    ]
    store.labels.replace(1, first)
    assert store.labels.read(1) == first
    second = [TaskLabels(1, frozenset({"dog", "siren"}), "labeled", 2), first[2]]
    store.labels.replace(1, second)
    assert store.labels.read(1) == second
    assert store.labels.read(2) == []


def test_the_newest_version_is_current_and_keeps_its_arrays(store):
    weights = {"weights": np.arange(6, dtype=np.float64).reshape(2, 3)}
    store.versions.add(1, version("v1"))
    store.versions.add(1, version("v2", created_at=2.0, order=(5, 4, 6), classifier=weights))
    current = store.versions.current(1)
    assert current.model_version == "v2"
    np.testing.assert_array_equal(current.classifier["weights"], weights["weights"])
    assert current.ranking["task_ids"].tolist() == [5, 4, 6]
    assert store.versions.names(1) == ["v2", "v1"]
    assert store.versions.progress(1).n_ranked == 3
    store.versions.set_published(1, "v2", 2)
    assert store.versions.progress(1).n_published == 2


def test_an_earlier_version_can_become_current_again(store):
    store.versions.add(1, version("v1"))
    store.versions.add(1, version("v2", created_at=2.0))
    store.versions.set_published(1, "v2", 2)
    store.versions.add(1, version("v1", created_at=3.0))
    assert store.versions.current(1).model_version == "v1"
    assert store.versions.progress(1).n_published == 0


def test_rounds_are_numbered_and_listed_newest_first(store):
    for n_labeled in range(3):
        done = Round(0, f"v{n_labeled}", float(n_labeled), n_labeled, 10, {"total": 0.5})
        assert store.versions.add_round(1, done) == n_labeled + 1
    assert [one.number for one in store.versions.rounds(1, limit=2)] == [3, 2]
    assert store.versions.rounds(1)[0].timings_s == {"total": 0.5}


def test_a_round_is_measured_after_it_was_done(store):
    for n_labeled in range(4):
        store.versions.add_round(1, Round(0, "v", 0.0, n_labeled, 10, {"total": 0.5}))
    assert store.versions.measured_labels(1) is None
    store.versions.set_figures(1, 2, {"kappa": 0.5}, {"task_ids": np.arange(4)})
    store.versions.set_figures(1, 3, {"kappa": 0.9}, {"task_ids": np.arange(5)})
    assert store.versions.measured_labels(1)["task_ids"].tolist() == [0, 1, 2, 3, 4]
    assert [one.figures for one in store.versions.rounds(1)] == [
        None,
        {"kappa": 0.9},
        {"kappa": 0.5},
        None,
    ]
    assert [one.number for one in store.versions.measured_rounds(1)] == [3, 2]
    assert [one.number for one in store.versions.measured_rounds(1, limit=1)] == [3]


def test_a_project_that_is_gone_leaves_no_trace_but_its_embeddings(store):
    store.agenda.hint(1, now=1.0)
    store.clips.replace_tasks(1, [task(1)])
    store.clips.add_embeddings("mn04", ["a"], np.ones((1, 2), np.float32))
    store.labels.replace(1, [TaskLabels(1, frozenset({"siren"}), "labeled", 1)])
    store.versions.add(1, version("v1"))
    store.forget(1)
    assert store.agenda.project_ids() == []
    assert store.clips.tasks(1) == []
    assert store.labels.read(1) == []
    assert store.versions.current(1) is None
    assert store.clips.embeddings("mn04", ["a"])[0] == ["a"]


def test_a_fact_is_what_was_last_written(store):
    assert store.facts.read("embedder") is None
    store.facts.write("embedder", {"warning": None})
    store.facts.write("embedder", {"warning": "no weights"})
    assert store.facts.read("embedder") == {"warning": "no weights"}


def test_what_is_sealed_is_found_until_it_expires_and_taken_once(store):
    sessions = store.sessions
    sessions.add("a", "sealed", expires_at=10.0, now=0.0)
    assert sessions.find("a", now=9.9) == "sealed"
    assert sessions.find("a", now=10.0) is None
    assert sessions.find("b", now=0.0) is None
    assert sessions.take("a", now=9.9) == "sealed"
    assert sessions.take("a", now=9.9) is None
    assert not sessions.drop("a")


def test_of_a_project_one_task_is_found_with_what_it_says(store):
    said = Task(7, "a", "/a.wav", "street", {"salience": 1})
    store.clips.replace_tasks(1, [said, task(8)])
    assert store.clips.find(1, 7) == said
    assert store.clips.find(2, 7) is None
    assert store.clips.find(1, 2**80) is None


def test_a_sheet_comes_back_as_it_was_and_says_what_it_was_made_from(store):
    columns = [
        SheetColumn("task_id", "number", np.array([1, 2])),
        SheetColumn("meta:<b>", "text", np.array([1, -1], dtype=np.int32), ("ä", "<i>")),
        SheetColumn("meta:at", "date", np.array([np.nan, 1e9])),
    ]
    store.sheets.replace(1, columns, "some tasks")
    assert store.sheets.kinds(1) == {"task_id": "number", "meta:<b>": "text", "meta:at": "date"}
    found = store.sheets.read(1, ["meta:at", "meta:<b>", "meta:none"])
    assert sorted(found) == ["meta:<b>", "meta:at"]
    assert (found["meta:<b>"].names, found["meta:<b>"].values.tolist()) == (("ä", "<i>"), [1, -1])
    assert np.array_equal(found["meta:at"].values, columns[2].values, equal_nan=True)
    assert store.facts.read("sheet of project 1") == "some tasks"
    store.sheets.replace(1, columns[:1], "other tasks")
    assert store.sheets.kinds(1) == {"task_id": "number"}
    assert store.sheets.kinds(2) == {}
    store.forget(1)
    assert (store.sheets.kinds(1), store.facts.read("sheet of project 1")) == ({}, None)


def test_judgments_are_those_of_the_last_version(store):
    assert (store.clip_scores.read(1), store.clip_scores.stamp(1)) == (None, "")
    for name, number in (("v1", 1), ("v2", 2)):
        store.clip_scores.write(1, name, {"rank": np.array([number])}, f"{name} of these tasks")
    name, arrays = store.clip_scores.read(1)
    assert (name, arrays["rank"].tolist()) == ("v2", [2])
    assert store.clip_scores.stamp(1) == "v2 of these tasks"
    store.forget(1)
    assert store.clip_scores.read(1) is None


def test_maps_are_kept_by_embedder_and_locality(store):
    ids, xy = np.array([3, 7]), np.array([[0, 1], [0.5, np.nan]], dtype=np.float32)
    store.maps.want(1, "mn04", 2)
    store.maps.tell(1, "mn04", 2, 0.25, "fitting")
    assert store.maps.read(1, "mn04", 2) is None
    assert store.maps.standing(1, "mn04") == {2: MapStanding("", 0, True, 0.25, "fitting")}
    store.maps.write(1, "mn04", 2, ids, xy, n_fitted=2)
    found_ids, found_xy = store.maps.read(1, "mn04", 2)
    assert found_ids.tolist() == [3, 7]
    assert np.array_equal(found_xy, xy, equal_nan=True)
    fitted = store.maps.standing(1, "mn04")[2]
    store.maps.write(1, "mn04", 2, ids, xy)
    added_to = store.maps.standing(1, "mn04")[2]
    assert added_to.n_fitted == 2
    assert "" != fitted.stamp != added_to.stamp
    assert store.maps.standing(1, "mn10") == store.maps.standing(2, "mn04") == {}
    store.forget(1)
    assert store.maps.standing(1, "mn04") == {}


def test_a_stamp_changes_with_what_it_stands_for_and_only_then(store):
    def stamps():
        return [store.facts.read(f"{what} of project 1") for what in ("tasks", "labels")]

    answer = TaskLabels(1, frozenset({"siren"}), state="labeled", n_annotators=1)
    store.clips.replace_tasks(1, [task(1)])
    store.labels.replace(1, [answer])
    before = stamps()
    store.clips.replace_tasks(1, [task(1)])
    store.labels.replace(1, [answer])
    store.clips.replace_tasks(2, [task(1)])
    assert stamps() == before
    store.clips.replace_tasks(1, [told(1, wet=True)])
    store.labels.replace(1, [])
    assert all(now != then for now, then in zip(stamps(), before, strict=True))


def test_a_project_tells_its_labels_their_keys_and_whether_clips_have_many(store):
    assert store.agenda.description(1)["multi_label"] is False
    store.agenda.hint(1, now=1.0)
    assert store.agenda.description(1)["hotkeys"] == []
    store.agenda.describe(1, title="Street", class_names=["a"], multi_label=True, hotkeys=["q"])
    assert store.agenda.description(1) == {
        "title": "Street", "class_names": ["a"], "multi_label": True, "hotkeys": ["q"], "error": "",
    }  # fmt: skip
